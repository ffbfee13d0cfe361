/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's side of the handshake of a viewer (RFC 6143, 7.1 and 7.2): version, security,
 * shared flag. Works on bytes alone; versions 3.3, 3.7 and 3.8; None and VNC Authentication.
 */
#ifndef DISPLAY_VNC_HANDSHAKE_H
#define DISPLAY_VNC_HANDSHAKE_H

#include "display/byte_queue.h"

#define VNC_CHALLENGE_SIZE 16
#define VNC_PASSWORD_MAX 8

enum vnc_handshake_state {
    HANDSHAKE_VERSION,
    HANDSHAKE_SECURITY,
    HANDSHAKE_RESPONSE,
    HANDSHAKE_VERIFY, /* waits for vnc_handshake_verify() */
    HANDSHAKE_CLIENT_INIT,
    HANDSHAKE_DONE,
    HANDSHAKE_FAILED, /* the answer, if any, is in out: send it and hang up */
};

struct vnc_handshake {
    enum vnc_handshake_state state;
    const char *password; /* NULL: none */
    unsigned minor;       /* of protocol version 3 */
    uint8_t in[VNC_CHALLENGE_SIZE];
    size_t in_length;
    uint8_t challenge[VNC_CHALLENGE_SIZE];
};

/* password is borrowed. What the server says goes to out, here and below. */
void vnc_handshake_start(struct vnc_handshake *handshake, const char *password,
                         struct byte_queue *out);
/* Takes what it needs of data and returns how much that was: all, unless it came to VERIFY, DONE
 * or FAILED. */
size_t vnc_handshake_feed(struct vnc_handshake *handshake, const uint8_t *data, size_t size,
                          struct byte_queue *out);
/* In VERIFY, which lets the caller choose the time: whether the password is right. */
bool vnc_handshake_verify(struct vnc_handshake *handshake, struct byte_queue *out);

#endif
