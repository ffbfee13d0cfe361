/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One viewer, as the bridge thread has it: its socket, the pipe to libvncserver, and the bytes that
 * wait between them.
 */
#ifndef DISPLAY_VNC_VIEWER_H
#define DISPLAY_VNC_VIEWER_H

#include "display/byte_queue.h"
#include "display/keyboard.h"
#include "display/vnc_handshake.h"
#include "display/vnc_link.h"
#include "display/vnc_messages.h"

/* What may wait for one viewer: a whole update of the largest screen in the dearest encoding, and
 * as much again. */
#define VNC_MAX_BACKLOG (32 * 1024 * 1024)
#define VNC_HANDSHAKE_SECONDS 15
/* Without taking a byte while bytes wait. */
#define VNC_STALL_SECONDS 10
/* Messages of one viewer: a burst, and how fast it may come again. */
#define VNC_MESSAGE_BURST 500
#define VNC_MESSAGES_PER_SECOND 2000
#define VNC_INPUT_SIZE 4096
/* No input is read while more than this waits for libvncserver. */
#define VNC_TO_SERVER_MAX 4096

struct vnc_viewer {
    int socket;
    int pipe; /* to libvncserver; -1: not yet */
    char *address;
    bool authenticated;
    struct vnc_link *link;

    struct vnc_handshake handshake;
    struct vnc_messages messages;
    uint8_t input[VNC_INPUT_SIZE]; /* read and not yet used */
    size_t input_start, input_length;
    struct byte_queue to_viewer, to_server;

    bool attaching;     /* the display thread is asked for the pipe */
    bool closing;       /* hang up when to_viewer is empty */
    bool offered_keys;  /* it was told of extended key events */
    const char *end;    /* why to hang up; NULL: not yet */
    gint64 deadline_us; /* of the handshake; when closing, of the last words */
    gint64 progress_us; /* the viewer took bytes, or there were none */
    unsigned budget;    /* messages that it may send now */
    gint64 budget_us;   /* when that was so */

    struct keyboard_hands hands;
    uint8_t buttons; /* as in a PointerEvent */
    unsigned x, y;   /* 0 to INPUT_POSITION_MAX */
};

/* Takes the socket, which must not block. */
struct vnc_viewer *vnc_viewer_new(int socket, const char *address, const char *password);
void vnc_viewer_free(struct vnc_viewer *viewer);

bool vnc_viewer_wants_input(const struct vnc_viewer *viewer);
void vnc_viewer_consume_input(struct vnc_viewer *viewer, size_t size);

/* Each moves what can be moved without waiting, and sets viewer->end on failure. */
void vnc_viewer_receive_input(struct vnc_viewer *viewer);
void vnc_viewer_receive_updates(struct vnc_viewer *viewer);
void vnc_viewer_flush(struct vnc_viewer *viewer);

/* Sends what waits, then hangs up. */
void vnc_viewer_close(struct vnc_viewer *viewer);

/* Sets viewer->end if it has been given time enough; fills its budget. Returns when to look again
 * at the latest. */
gint64 vnc_viewer_check_time(struct vnc_viewer *viewer, gint64 now_us);

#endif
