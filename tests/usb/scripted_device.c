/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/usb/scripted_device.h"

#include <errno.h>
#include <string.h>

#define CONFIGURATION_1_BYTES 78
#define CONFIGURATION_2_BYTES (44 + 16 * 255) /* more than libusb fetches at once */
#define PADDING(N) [18 + CONFIGURATION_1_BYTES + 44 + (N)*255] = 255, 0xff

/* clang-format off */
#define DEVICE(CONFIGURATIONS) \
    18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x34, 0x12, 0x01, 0x00, 0x00, 0x01, 1, 2, 3, CONFIGURATIONS
#define CONFIGURATION_1 \
    9, 2, CONFIGURATION_1_BYTES, 0, 3, 1, 0, 0x80, 50, \
    9, 4, 0, 0, 2, 8, 6, 0x50, 0, \
    7, 5, 0x81, 2, 0x00, 0x02, 0, \
    7, 5, 0x02, 2, 0x00, 0x02, 0, \
    9, 4, 1, 0, 1, 0xff, 1, 1, 0, \
    7, 5, 0x83, 3, SCRIPTED_KEY_BYTES, 0, 4, \
    9, 4, 2, 0, 0, 0xff, 2, 0, 0, \
    9, 4, 2, 1, 1, 0xff, 2, 0, 0, \
    7, 5, 0x84, 1, 64, 0, 1, \
    5, 0x25, 0, 0, 0

static const uint8_t simple[18 + CONFIGURATION_1_BYTES] = {DEVICE(1), CONFIGURATION_1};
static const uint8_t descriptors[18 + CONFIGURATION_1_BYTES + CONFIGURATION_2_BYTES] = {
    DEVICE(2),
    CONFIGURATION_1,
    9, 2, CONFIGURATION_2_BYTES & 0xff, CONFIGURATION_2_BYTES >> 8, 1, 2, 0, 0x80, 50,
    9, 4, 0, 0, 2, 0xff, 6, 0x50, 0,
    7, 5, 0x81, 2, 0x00, 0x02, 0,
    6, 0x30, 0, 4, 0, 0,
    7, 5, 0x02, 2, 0x00, 0x02, 0,
    6, 0x30, 0, 4, 0, 0,
    PADDING(0), PADDING(1), PADDING(2), PADDING(3), PADDING(4), PADDING(5), PADDING(6), PADDING(7),
    PADDING(8), PADDING(9), PADDING(10), PADDING(11), PADDING(12), PADDING(13), PADDING(14),
    PADDING(15),
};
/* clang-format on */

const uint8_t *scripted_device_descriptors(const struct scripted_device *device, size_t *ret_size)
{
    *ret_size = device->simple ? sizeof(simple) : sizeof(descriptors);
    return device->simple ? simple : descriptors;
}

void scripted_device_init(struct scripted_device *device, struct scripted_disk *disk)
{
    *device = (struct scripted_device){.disk = disk, .configuration = 1};
}

void scripted_device_reset(struct scripted_device *device)
{
    scripted_disk_reset(device->disk);
    device->iso_setting = 0;
    memset(device->streams, 0, sizeof(device->streams));
    memset(device->written, 0, sizeof(device->written));
    memset(device->halted, 0, sizeof(device->halted));
    device->resets++;
}

void scripted_device_submit(struct scripted_device *device, struct scripted_urb *urb)
{
    urb->due = g_get_monotonic_time();
    if ((urb->endpoint & 0x0f) == 1 || (urb->endpoint & 0x0f) == 2)
        urb->due += device->delay_ms * 1000;
    if (urb->packets != NULL)
        urb->due += urb->packet_count * 1000; /* a frame each */
    g_queue_push_tail(&device->flying, urb);
}

static int string_descriptor(uint8_t index, uint8_t *data, uint32_t size)
{
    static const char *const strings[] = {"vmdesk", "Scripted device", SCRIPTED_SERIAL};
    uint8_t reply[2 + 2 * 32] = {4, 3, 0x09, 0x04};

    if (index > G_N_ELEMENTS(strings))
        return -EPIPE;
    if (index > 0) {
        const char *text = strings[index - 1];

        reply[0] = 2 + 2 * strlen(text);
        for (size_t i = 0; text[i] != '\0'; i++) {
            reply[2 + 2 * i] = text[i];
            reply[3 + 2 * i] = 0;
        }
    }
    size = MIN(size, reply[0]);
    memcpy(data, reply, size);
    return size;
}

static int get_descriptor(const struct scripted_device *device, uint8_t type, uint8_t index,
                          uint8_t *data, uint32_t size)
{
    static const struct {
        uint8_t type, index;
        uint32_t at, size;
    } known[] = {
        {1, 0, 0, 18},
        {2, 0, 18, CONFIGURATION_1_BYTES},
        {2, 1, 18 + CONFIGURATION_1_BYTES, CONFIGURATION_2_BYTES},
    };

    size_t total;
    const uint8_t *bytes = scripted_device_descriptors(device, &total);

    if (type == 3)
        return string_descriptor(index, data, size);
    for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
        if (known[i].type == type && known[i].index == index && known[i].at < total) {
            size = MIN(size, known[i].size);
            memcpy(data, bytes + known[i].at, size);
            return size;
        }
    }
    return -EPIPE;
}

/* The result: bytes, or a negative errno value. */
static int control(struct scripted_device *device, const uint8_t *setup, uint8_t *data,
                   uint32_t size)
{
    uint8_t endpoint = setup[4];

    switch (setup[0] << 8 | setup[1]) {
    case 0x8006:
        return get_descriptor(device, setup[3], setup[2], data, size);
    case 0x8000: /* GET_STATUS */
    case 0x8100:
        memset(data, 0, MIN(size, 2));
        return MIN(size, 2);
    case 0x8200:
        memset(data, 0, MIN(size, 2));
        if (size > 0)
            data[0] = device->halted[endpoint >> 7] >> (endpoint & 0x0f) & 1;
        return MIN(size, 2);
    case 0x8008: /* GET_CONFIGURATION */
        if (size > 0)
            data[0] = device->configuration;
        return MIN(size, 1);
    case 0x810a: /* GET_INTERFACE */
        if (size > 0)
            data[0] = setup[4] == 2 ? device->iso_setting : 0;
        return MIN(size, 1);
    case 0xa1fe: /* GET MAX LUN */
        if (size > 0)
            data[0] = 0;
        return MIN(size, 1);
    case 0x21ff: /* bulk-only mass storage reset */
        scripted_disk_reset(device->disk);
        return 0;
    case 0xc001: /* a vendor's: as many bytes as asked for, that count */
        for (uint32_t i = 0; i < size; i++)
            data[i] = i;
        return size;
    case 0x4001: /* its other direction: halts the endpoint that the first byte names */
        if (size > 0)
            device->halted[data[0] >> 7] |= 1 << (data[0] & 0x07);
        return size;
    case 0x4002: /* a key is pressed */
        g_queue_push_tail(&device->keys, GUINT_TO_POINTER(setup[2]));
        return 0;
    default:
        return -EPIPE;
    }
}

bool scripted_device_set_streams(struct scripted_device *device, uint8_t endpoint, unsigned count)
{
    if (device->configuration != 2 || (endpoint != 0x81 && endpoint != 0x02) ||
        count > SCRIPTED_STREAMS)
        return false;
    device->streams[endpoint >> 7] = count;
    return true;
}

static bool run_stream(struct scripted_device *device, struct scripted_urb *urb)
{
    if (urb->stream > device->streams[urb->endpoint >> 7]) {
        urb->status = -EINVAL;
        return true;
    }
    if (!(urb->endpoint & 0x80))
        device->written[urb->stream] = urb->length > 0 ? urb->data[urb->length - 1] : 0;
    else if (device->written[urb->stream] == 0)
        return false;
    else
        memset(urb->data, device->written[urb->stream], urb->length);
    urb->actual = urb->length;
    return true;
}

static bool run_bulk(struct scripted_device *device, struct scripted_urb *urb)
{
    bool stall;

    if (device->mute)
        return false;
    if (!(urb->endpoint & 0x80)) {
        urb->actual = urb->length;
        if (!scripted_disk_out(device->disk, urb->data, urb->length)) {
            urb->actual = 0;
            urb->status = -EPIPE;
            device->halted[0] |= 1 << 2;
        }
        return true;
    }
    if (device->babble) {
        device->babble = false;
        memset(urb->data, 0xbb, urb->length);
        urb->actual = urb->length;
        urb->status = -EOVERFLOW;
        return true;
    }
    if (!scripted_disk_in(device->disk, urb->data, urb->length, &urb->actual, &stall))
        return false;
    if (stall) {
        urb->status = -EPIPE;
        device->halted[1] |= 1 << 1;
    }
    return true;
}

static void run_isochronous(struct scripted_device *device, struct scripted_urb *urb)
{
    uint32_t at = 0;

    for (unsigned i = 0; i < urb->packet_count; i++) {
        struct scripted_packet *packet = &urb->packets[i];

        packet->actual = MIN(packet->length, 48);
        memset(urb->data + at, device->iso_counter++, packet->actual);
        urb->actual += packet->actual;
        at += packet->length;
    }
}

/* Whether the transfer ends now. */
static bool run(struct scripted_device *device, struct scripted_urb *urb)
{
    int result;

    if (device->halted[urb->endpoint >> 7] >> (urb->endpoint & 0x0f) & 1) {
        urb->status = -EPIPE;
        return true;
    }
    if (urb->stream != 0)
        return run_stream(device, urb);
    switch (urb->endpoint) {
    case 0:
        result = control(device, urb->data, urb->data + 8, urb->length - 8);
        urb->actual = MAX(result, 0);
        urb->status = MIN(result, 0);
        return true;
    case 0x81:
    case 0x02:
        return run_bulk(device, urb);
    case 0x83:
        if (g_queue_is_empty(&device->keys))
            return false;
        urb->actual = MIN(urb->length, SCRIPTED_KEY_BYTES);
        memset(urb->data, 0, urb->actual);
        urb->data[urb->actual - 1] = GPOINTER_TO_UINT(g_queue_pop_head(&device->keys));
        return true;
    case 0x84:
        run_isochronous(device, urb);
        return true;
    default:
        urb->status = -ENOENT;
        return true;
    }
}

/* The first transfers of an endpoint that did not end keep those behind them waiting. */
struct scripted_urb *scripted_device_run(struct scripted_device *device)
{
    gint64 now = g_get_monotonic_time();
    uint8_t waiting[256] = {0};

    device->ran = now;
    for (GList *l = device->flying.head; l != NULL; l = l->next) {
        struct scripted_urb *urb = l->data;

        if (waiting[urb->endpoint] || urb->due > now || !run(device, urb)) {
            waiting[urb->endpoint] = urb->stream == 0; /* streams do not wait for each other */
            continue;
        }
        g_queue_delete_link(&device->flying, l);
        return urb;
    }
    return NULL;
}

gint64 scripted_device_due(const struct scripted_device *device)
{
    gint64 due = -1;

    for (GList *l = device->flying.head; l != NULL; l = l->next) {
        const struct scripted_urb *urb = l->data;

        if (urb->due > device->ran && (due < 0 || urb->due < due))
            due = urb->due;
    }
    return due;
}
