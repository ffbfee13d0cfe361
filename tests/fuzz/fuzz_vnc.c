/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a VNC viewer: handshake, then messages. The first byte of an input chooses whether
 * there is a password and in what pieces the rest arrives. What goes on to libvncserver is checked
 * by a second, simpler reading.
 */
#include <glib.h>
#include <string.h>

#include "display/keyboard.h"
#include "display/vnc_handshake.h"
#include "display/vnc_messages.h"
#include "tests/fuzz/fuzz.h"

struct run {
    struct keyboard keyboard;
    struct keyboard_hands hands;
    unsigned down; /* keys that the guest sees down */
    bool keys[256];
};

static void on_guest_key(void *opaque, uint8_t qnum, bool down)
{
    struct run *r = opaque;

    g_assert(qnum != 0);
    r->down += down - r->keys[qnum];
    r->keys[qnum] = down;
}

static const struct input_ops input_ops = {.key = on_guest_key};

static void on_key(void *opaque, bool down, uint32_t keysym, uint8_t qnum)
{
    struct run *r = opaque;

    keyboard_event(&r->keyboard, &r->hands, down, keysym, qnum);
}

static void on_pointer(void *opaque, uint8_t buttons, unsigned x, unsigned y)
{
    g_assert(x <= 0xffff && y <= 0xffff);
}

static void on_extended_keys(void *opaque)
{
}

static const struct vnc_message_ops message_ops = {on_key, on_pointer, on_extended_keys};

static void check_forwarded(const struct byte_queue *q)
{
    const uint8_t *p = byte_queue_front(q), *end = p + q->length;

    while (p < end) {
        size_t size = 0;

        switch (p[0]) {
        case 0:
            g_assert(p[4] == 8 || p[4] == 16 || p[4] == 32);
            size = 20;
            break;
        case 2:
            g_assert(p[2] == 0 && p[3] <= 64);
            size = 4 + p[3] * 4;
            break;
        case 3:
            size = 10;
            break;
        case 251:
            g_assert(p[6] >= 1 && p[6] <= VNC_MAX_SCREENS);
            size = 8 + p[6] * 16;
            break;
        default:
            g_assert_not_reached();
        }
        g_assert((size_t)(end - p) >= size);
        p += size;
    }
}

static size_t feed_handshake(struct vnc_handshake *h, const uint8_t *data, size_t size,
                             size_t piece, struct byte_queue *out)
{
    size_t at = 0;

    while (at < size && h->state != HANDSHAKE_DONE && h->state != HANDSHAKE_FAILED) {
        at += vnc_handshake_feed(h, data + at, MIN(piece, size - at), out);
        if (h->state == HANDSHAKE_VERIFY)
            vnc_handshake_verify(h, out);
    }
    g_assert(out->length < 256);
    return at;
}

static void feed_messages(struct run *r, const uint8_t *data, size_t size, size_t piece)
{
    struct vnc_messages m;
    struct byte_queue forward = {0};

    vnc_messages_init(&m);
    for (size_t at = 0; at < size && m.error == NULL;) {
        unsigned budget = 3;
        size_t used = vnc_messages_feed(&m, data + at, MIN(piece, size - at), &budget, &forward,
                                        &message_ops, r);

        g_assert(used > 0 && used <= MIN(piece, size - at));
        at += used;
    }
    check_forwarded(&forward);
    byte_queue_finish(&forward);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r = {0};
    const struct input_sink sink = {&input_ops, &r};
    struct vnc_handshake handshake;
    struct byte_queue out = {0};
    size_t piece, at;

    if (size == 0)
        return 0;
    piece = data[0] & 0x40 ? 1u + (data[0] & 0x3f) : size;
    keyboard_init(&r.keyboard, keymap_find(data[0] & 1 ? "de" : "ru"), &sink);
    vnc_handshake_start(&handshake, data[0] & 0x80 ? "password" : NULL, &out);
    at = 1 + feed_handshake(&handshake, data + 1, size - 1, piece, &out);
    if (handshake.state == HANDSHAKE_DONE)
        feed_messages(&r, data + at, size - at, piece);
    keyboard_release_all(&r.keyboard, &r.hands);
    g_assert(r.down == 0);
    byte_queue_finish(&out);
    return 0;
}
