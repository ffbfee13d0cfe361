/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/ps2_mouse.h"

#include <glib.h>
#include <string.h>

#include "display/input.h"

enum {
    COMMAND_SCALING_1_1 = 0xe6,
    COMMAND_SCALING_2_1 = 0xe7,
    COMMAND_RESOLUTION = 0xe8,
    COMMAND_STATUS = 0xe9,
    COMMAND_STREAM_MODE = 0xea,
    COMMAND_READ_DATA = 0xeb,
    COMMAND_END_WRAP = 0xec,
    COMMAND_WRAP = 0xee,
    COMMAND_REMOTE_MODE = 0xf0,
    COMMAND_IDENTIFY = 0xf2,
    COMMAND_SAMPLE_RATE = 0xf3,
    COMMAND_ENABLE = 0xf4,
    COMMAND_DISABLE = 0xf5,
    COMMAND_DEFAULTS = 0xf6,
    COMMAND_RESEND = 0xfe,
    COMMAND_RESET = 0xff,

    REPLY_SELF_TEST_PASSED = 0xaa,
    REPLY_ACK = 0xfa,
    REPLY_ERROR = 0xfc,
    REPLY_RESEND = 0xfe,

    ID_STANDARD = 0,
    ID_WHEEL = 3,
    ID_EXPLORER = 4,

    PACKET_ALWAYS = 0x08,
    PACKET_X_NEGATIVE = 0x10,
    PACKET_Y_NEGATIVE = 0x20,
};

#define BUTTON_MASK 0x07 /* left, right, middle: as in a packet */
#define MAX_PACKET 4
#define MAX_COUNT 255 /* of one axis in a packet */
#define MAX_WHEEL 7
#define MAX_MOTION 0x4000  /* that adds up */
#define MAX_SURFACE 0x2000 /* pixels: an edge's push stays below MAX_MOTION */
/* Motion is put into packets no further ahead than this: what waits longer adds up instead. */
#define PACKETS_AHEAD (2 * MAX_PACKET)

static void forget_motion(struct ps2_mouse *m)
{
    ps2_queue_clear(&m->packets);
    m->dx = m->dy = m->dz = 0;
    m->reported_buttons = m->buttons;
}

static void set_defaults(struct ps2_mouse *m)
{
    forget_motion(m);
    m->reporting = m->remote = m->scaling = false;
    m->resolution = 2; /* 4 counts a millimetre */
    m->sample_rate = 100;
}

void ps2_mouse_power_on(struct ps2_mouse *m)
{
    ps2_queue_clear(&m->replies);
    set_defaults(m);
    memset(m->knocks, 0, sizeof(m->knocks));
    m->id = ID_STANDARD;
    m->wrap = false;
    m->command = 0;
    m->last_sent = 0;
}

/* A host that never reads its replies loses them. */
static void reply(struct ps2_mouse *m, uint8_t byte)
{
    ps2_queue_push(&m->replies, &byte, 1);
}

/* "Mouse", scaling 2:1. */
static int scale(int count)
{
    static const int8_t small[] = {0, 1, 1, 3, 6, 9};
    int size = ABS(count);
    int scaled = size < (int)G_N_ELEMENTS(small) ? small[size] : 2 * size;

    return count < 0 ? -scaled : scaled;
}

/* Takes as much as a packet can say. */
static int take(int *count, int limit)
{
    int taken = CLAMP(*count, -limit, limit);

    *count -= taken;
    return taken;
}

static unsigned build_packet(struct ps2_mouse *m, bool scaled, uint8_t packet[MAX_PACKET])
{
    int limit = scaled ? MAX_COUNT / 2 : MAX_COUNT;
    int dx = take(&m->dx, limit), dy = -take(&m->dy, limit);
    int dz = take(&m->dz, MAX_WHEEL);

    if (scaled) {
        dx = scale(dx);
        dy = scale(dy);
    }
    packet[0] = PACKET_ALWAYS | m->buttons | (dx < 0 ? PACKET_X_NEGATIVE : 0) |
                (dy < 0 ? PACKET_Y_NEGATIVE : 0);
    packet[1] = dx;
    packet[2] = dy;
    packet[3] = m->id == ID_EXPLORER ? dz & 0x0f : dz;
    m->reported_buttons = m->buttons;
    return m->id == ID_STANDARD ? 3 : 4;
}

static bool has_news(const struct ps2_mouse *m)
{
    return m->dx != 0 || m->dy != 0 || (m->dz != 0 && m->id != ID_STANDARD) ||
           m->buttons != m->reported_buttons;
}

/* Puts what happened into packets, while at most limit bytes are queued. */
static void report(struct ps2_mouse *m, unsigned limit)
{
    uint8_t packet[MAX_PACKET];

    while (m->reporting && !m->remote && !m->wrap && has_news(m) &&
           m->packets.count + MAX_PACKET <= limit) {
        unsigned size = build_packet(m, m->scaling, packet);

        ps2_queue_push(&m->packets, packet, size);
    }
}

static void knock(struct ps2_mouse *m, uint8_t rate)
{
    static const uint8_t wheel[] = {200, 100, 80}, explorer[] = {200, 200, 80};

    m->sample_rate = rate;
    memmove(m->knocks, m->knocks + 1, sizeof(m->knocks) - 1);
    m->knocks[sizeof(m->knocks) - 1] = rate;
    if (memcmp(m->knocks, wheel, sizeof(wheel)) == 0)
        m->id = ID_WHEEL;
    else if (memcmp(m->knocks, explorer, sizeof(explorer)) == 0)
        m->id = ID_EXPLORER;
}

static void take_parameter(struct ps2_mouse *m, uint8_t byte)
{
    uint8_t command = m->command;

    m->command = 0;
    if (command == COMMAND_RESOLUTION ? byte > 3 : byte == 0) {
        reply(m, REPLY_ERROR);
        return;
    }
    if (command == COMMAND_RESOLUTION)
        m->resolution = byte;
    else
        knock(m, byte);
    reply(m, REPLY_ACK);
}

static void reply_status(struct ps2_mouse *m)
{
    /* The status byte has the buttons in another order: right, middle, left. */
    uint8_t buttons = (m->buttons & INPUT_BUTTON_LEFT ? 0x04 : 0) |
                      (m->buttons & INPUT_BUTTON_MIDDLE ? 0x02 : 0) |
                      (m->buttons & INPUT_BUTTON_RIGHT ? 0x01 : 0);

    reply(m,
          (m->remote ? 0x40 : 0) | (m->reporting ? 0x20 : 0) | (m->scaling ? 0x10 : 0) | buttons);
    reply(m, m->resolution);
    reply(m, m->sample_rate);
}

static void reply_packet(struct ps2_mouse *m)
{
    uint8_t packet[MAX_PACKET];
    unsigned size = build_packet(m, false, packet); /* scaling is for stream mode only */

    ps2_queue_push(&m->replies, packet, size);
}

/* What a command changes; false: there is no such command. */
static bool apply(struct ps2_mouse *m, uint8_t command)
{
    switch (command) {
    case COMMAND_SCALING_1_1:
    case COMMAND_SCALING_2_1:
        m->scaling = command == COMMAND_SCALING_2_1;
        break;
    case COMMAND_RESOLUTION:
    case COMMAND_SAMPLE_RATE:
        m->command = command;
        break;
    case COMMAND_STREAM_MODE:
    case COMMAND_REMOTE_MODE:
        forget_motion(m);
        m->remote = command == COMMAND_REMOTE_MODE;
        break;
    case COMMAND_END_WRAP:
    case COMMAND_WRAP:
        forget_motion(m);
        m->wrap = command == COMMAND_WRAP;
        break;
    case COMMAND_ENABLE:
    case COMMAND_DISABLE:
        forget_motion(m);
        m->reporting = command == COMMAND_ENABLE;
        break;
    case COMMAND_DEFAULTS:
        set_defaults(m);
        break;
    case COMMAND_RESET:
        ps2_mouse_power_on(m);
        break;
    case COMMAND_STATUS:
    case COMMAND_READ_DATA:
    case COMMAND_IDENTIFY:
        break;
    default:
        return false;
    }
    return true;
}

static void take_command(struct ps2_mouse *m, uint8_t command)
{
    if (command == COMMAND_RESEND) {
        reply(m, m->last_sent);
        return;
    }
    if (!apply(m, command)) {
        reply(m, REPLY_RESEND);
        return;
    }
    reply(m, REPLY_ACK);
    switch (command) {
    case COMMAND_STATUS:
        reply_status(m);
        break;
    case COMMAND_READ_DATA:
        reply_packet(m);
        break;
    case COMMAND_IDENTIFY:
        reply(m, m->id);
        break;
    case COMMAND_RESET:
        reply(m, REPLY_SELF_TEST_PASSED);
        reply(m, m->id);
        break;
    }
}

void ps2_mouse_write(struct ps2_mouse *m, uint8_t byte)
{
    if (m->wrap && byte != COMMAND_END_WRAP && byte != COMMAND_RESET)
        reply(m, byte);
    else if (m->command != 0)
        take_parameter(m, byte);
    else
        take_command(m, byte);
}

bool ps2_mouse_next(struct ps2_mouse *m, uint8_t *ret_byte)
{
    report(m, PACKETS_AHEAD);
    if (!ps2_queue_pop(&m->replies, ret_byte) && !ps2_queue_pop(&m->packets, ret_byte))
        return false;
    m->last_sent = *ret_byte;
    return true;
}

static void add(int *count, int delta)
{
    *count = CLAMP(*count + CLAMP(delta, -MAX_MOTION, MAX_MOTION), -MAX_MOTION, MAX_MOTION);
}

void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, unsigned buttons)
{
    buttons &= BUTTON_MASK;
    if (!m->reporting && !m->remote) {
        m->buttons = m->reported_buttons = buttons;
        return;
    }
    add(&m->dx, dx);
    add(&m->dy, dy);
    if (buttons != m->buttons) {
        /* A click happens where the pointer is: what came before it goes first. */
        report(m, PS2_QUEUE_SIZE);
        m->buttons = buttons;
        report(m, PS2_QUEUE_SIZE);
    }
    report(m, PACKETS_AHEAD);
}

void ps2_mouse_wheel(struct ps2_mouse *m, int steps)
{
    if (m->id != ID_STANDARD)
        add(&m->dz, -CLAMP(steps, -MAX_MOTION, MAX_MOTION));
    ps2_mouse_move(m, 0, 0, m->buttons);
}

static int axis_motion(int from, int to, int size)
{
    int motion = to - from;

    if (to == 0 && from != 0)
        motion -= size;
    else if (to == size - 1 && from != size - 1)
        motion += size;
    return motion;
}

void ps2_mouse_point(struct ps2_mouse *m, unsigned x, unsigned y, unsigned width, unsigned height,
                     unsigned buttons)
{
    int w = MIN(width, MAX_SURFACE), h = MIN(height, MAX_SURFACE);
    int to_x = MIN(x, INPUT_POSITION_MAX) * (w - 1) / INPUT_POSITION_MAX;
    int to_y = MIN(y, INPUT_POSITION_MAX) * (h - 1) / INPUT_POSITION_MAX;
    int dx = 0, dy = 0;

    if (w > 0 && h > 0) {
        /* On a surface of another size the old place means nothing. */
        if (w == m->width && h == m->height) {
            dx = axis_motion(m->x, to_x, w);
            dy = axis_motion(m->y, to_y, h);
        }
        m->x = to_x;
        m->y = to_y;
        m->width = w;
        m->height = h;
    }
    ps2_mouse_move(m, dx, dy, buttons);
}
