/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a viewer may say after the handshake (RFC 6143, 7.5, and the community's extensions).
 *
 * The bytes of a viewer never reach libvncserver as they are: only messages that this parser has
 * taken apart, checked and bounded go on. Keys and pointer go straight to their own calls; cut
 * text is skipped; whatever was not offered ends the connection.
 */
#ifndef DISPLAY_VNC_MESSAGES_H
#define DISPLAY_VNC_MESSAGES_H

#include "display/byte_queue.h"

#define VNC_MAX_CUT_TEXT (1024 * 1024)
#define VNC_MAX_ENCODINGS 1024 /* named in one message */
#define VNC_MAX_SCREENS 16     /* of a wanted desktop size */
#define VNC_MESSAGE_SIZE 264   /* the longest that is passed on */

struct vnc_message_ops {
    /* qnum 0: the viewer sent no key code. keysym 0: no symbol. */
    void (*key)(void *opaque, bool down, uint32_t keysym, uint8_t qnum);
    void (*pointer)(void *opaque, uint8_t buttons, unsigned x, unsigned y);
    /* The viewer can send key codes, once told that the server takes them. */
    void (*extended_keys)(void *opaque);
};

struct vnc_messages {
    uint8_t message[VNC_MESSAGE_SIZE]; /* the one being received */
    size_t length, wanted;
    uint32_t skip;           /* bytes of cut text still to come */
    unsigned encodings_left; /* of the message being received */
    uint64_t encodings_seen; /* a bit for each row of the table */
    const char *error;       /* why the connection must end */
};

void vnc_messages_init(struct vnc_messages *messages);
/* Takes data until it ends or *budget messages have been seen (then 0). Returns how much was taken;
 * messages->error, when set, says why the connection must end. forward gets whole messages only. */
size_t vnc_messages_feed(struct vnc_messages *messages, const uint8_t *data, size_t size,
                         unsigned *budget, struct byte_queue *forward,
                         const struct vnc_message_ops *ops, void *opaque);

#endif
