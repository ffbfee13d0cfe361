/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc_messages.h"

#include <glib.h>
#include <string.h>

enum {
    SET_PIXEL_FORMAT = 0,
    SET_ENCODINGS = 2,
    UPDATE_REQUEST = 3,
    KEY_EVENT = 4,
    POINTER_EVENT = 5,
    CUT_TEXT = 6,
    SET_DESKTOP_SIZE = 251,
    QEMU = 255,
};

#define ENCODING_EXTENDED_KEYS (-258)
#define QEMU_KEY_EVENT 0

/* Encodings that libvncserver gets to see: those that it does well, and that cost it no memory or
 * second picture of its own. Cursor shapes are left out, since the guest draws its own. */
static const struct {
    int32_t first, last;
} encodings[] = {
    {0, 2},       /* raw, copy rectangle, RRE */
    {4, 7},       /* CoRRE, hextile, zlib, tight */
    {16, 16},     /* ZRLE */
    {-32, -23},   /* JPEG quality */
    {-223, -223}, /* desktop size */
    {-224, -224}, /* last rectangle */
    {-256, -247}, /* compression level */
    {-308, -308}, /* extended desktop size */
};

static uint16_t get_u16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

/* The length of the part of a message that has the same size always; 0: not a message of ours. */
static size_t fixed_size(uint8_t type)
{
    switch (type) {
    case SET_PIXEL_FORMAT:
        return 20;
    case SET_ENCODINGS:
        return 4;
    case UPDATE_REQUEST:
        return 10;
    case KEY_EVENT:
    case CUT_TEXT:
    case SET_DESKTOP_SIZE:
        return 8;
    case POINTER_EVENT:
        return 6;
    case QEMU:
        return 12;
    default:
        return 0;
    }
}

static bool channel_fits(unsigned bits, const uint8_t *max, uint8_t shift)
{
    uint32_t m = get_u16(max);

    /* 7.4: the maximum is a power of two less one. */
    return m > 0 && (m & (m + 1)) == 0 && shift < bits && (uint64_t)m << shift >> bits == 0;
}

static bool pixel_format_valid(const uint8_t *f)
{
    uint8_t bits = f[0];

    if (bits != 8 && bits != 16 && bits != 32)
        return false;
    if (f[3] == 0) /* a colour map */
        return bits == 8;
    return f[1] > 0 && f[1] <= bits && channel_fits(bits, f + 4, f[10]) &&
           channel_fits(bits, f + 6, f[11]) && channel_fits(bits, f + 8, f[12]);
}

void vnc_messages_init(struct vnc_messages *m)
{
    memset(m, 0, sizeof(*m));
    m->wanted = 1;
}

static void refuse(struct vnc_messages *m, const char *why)
{
    m->error = why;
}

static void finish(struct vnc_messages *m, struct byte_queue *forward)
{
    if (forward != NULL && !byte_queue_add(forward, m->message, m->length))
        refuse(m, "no memory for its message");
    m->length = 0;
    m->wanted = 1;
}

/* The last four bytes are an encoding: keeps it in the message if libvncserver may see it, once. */
static void on_encoding(struct vnc_messages *m, const struct vnc_message_ops *ops, void *opaque)
{
    int32_t encoding = (int32_t)get_u32(m->message + m->length - 4);
    unsigned bit = 0;

    if (encoding == ENCODING_EXTENDED_KEYS)
        ops->extended_keys(opaque);
    for (unsigned i = 0; i < G_N_ELEMENTS(encodings); i++) {
        if (encoding >= encodings[i].first && encoding <= encodings[i].last) {
            uint64_t mask = UINT64_C(1) << (bit + encoding - encodings[i].first);

            if (!(m->encodings_seen & mask)) {
                m->encodings_seen |= mask;
                return;
            }
        }
        bit += encodings[i].last - encodings[i].first + 1;
    }
    m->length -= 4;
}

static void on_set_encodings(struct vnc_messages *m, const struct vnc_message_ops *ops,
                             void *opaque, struct byte_queue *forward)
{
    if (m->length == 4) {
        m->encodings_left = get_u16(m->message + 2);
        m->encodings_seen = 0;
        if (m->encodings_left > VNC_MAX_ENCODINGS) {
            refuse(m, "it named too many encodings");
            return;
        }
    } else {
        m->encodings_left--;
        on_encoding(m, ops, opaque);
    }
    if (m->encodings_left > 0) {
        m->wanted = m->length + 4;
        return;
    }
    m->message[2] = 0;
    m->message[3] = (m->length - 4) / 4;
    finish(m, forward);
}

static void on_set_desktop_size(struct vnc_messages *m, struct byte_queue *forward)
{
    unsigned screens = m->message[6];

    if (screens > VNC_MAX_SCREENS)
        refuse(m, "it asked for too many screens");
    else if (m->length < 8 + screens * 16)
        m->wanted = 8 + screens * 16;
    else
        finish(m, screens > 0 ? forward : NULL);
}

static void on_qemu_key(struct vnc_messages *m, const struct vnc_message_ops *ops, void *opaque)
{
    uint32_t code = get_u32(m->message + 8);

    if (m->message[1] != QEMU_KEY_EVENT) {
        refuse(m, "it sent a message that was not offered");
        return;
    }
    ops->key(opaque, get_u16(m->message + 2) != 0, get_u32(m->message + 4),
             code <= UINT8_MAX ? code : 0);
    finish(m, NULL);
}

/* As much as was wanted is here: handles the message, or wants more of it. */
static void on_part(struct vnc_messages *m, struct byte_queue *forward,
                    const struct vnc_message_ops *ops, void *opaque)
{
    const uint8_t *b = m->message;

    if (m->length == 1) {
        m->wanted = fixed_size(b[0]);
        if (m->wanted == 0)
            refuse(m, "it sent a message of unknown type");
        return;
    }
    switch (b[0]) {
    case SET_PIXEL_FORMAT:
        if (pixel_format_valid(b + 4))
            finish(m, forward);
        else
            refuse(m, "it asked for an impossible pixel format");
        break;
    case SET_ENCODINGS:
        on_set_encodings(m, ops, opaque, forward);
        break;
    case UPDATE_REQUEST:
        finish(m, forward);
        break;
    case KEY_EVENT:
        ops->key(opaque, b[1] != 0, get_u32(b + 4), 0);
        finish(m, NULL);
        break;
    case POINTER_EVENT:
        ops->pointer(opaque, b[1], get_u16(b + 2), get_u16(b + 4));
        finish(m, NULL);
        break;
    case CUT_TEXT:
        m->skip = get_u32(b + 4);
        if (m->skip > VNC_MAX_CUT_TEXT)
            refuse(m, "its cut text is too long");
        finish(m, NULL);
        break;
    case SET_DESKTOP_SIZE:
        on_set_desktop_size(m, forward);
        break;
    case QEMU:
        on_qemu_key(m, ops, opaque);
        break;
    }
}

size_t vnc_messages_feed(struct vnc_messages *m, const uint8_t *data, size_t size, unsigned *budget,
                         struct byte_queue *forward, const struct vnc_message_ops *ops,
                         void *opaque)
{
    size_t used = 0;

    while (used < size && m->error == NULL) {
        size_t n;

        if (m->skip > 0) {
            n = MIN(size - used, m->skip);
            m->skip -= n;
            used += n;
            continue;
        }
        if (m->length == 0 && *budget == 0)
            break;
        n = MIN(size - used, m->wanted - m->length);
        memcpy(m->message + m->length, data + used, n);
        m->length += n;
        used += n;
        if (m->length == m->wanted) {
            *budget -= m->length == 1;
            on_part(m, forward, ops, opaque);
        }
    }
    return used;
}
