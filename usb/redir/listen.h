/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for who serves a USB device to connect: usbredirect --to. */
#ifndef USB_REDIR_LISTEN_H
#define USB_REDIR_LISTEN_H

#include <glib.h>
#include <stdbool.h>

#define REDIR_LISTEN_TIMEOUT_MS 25000 /* less than a client waits for an answer */

#define REDIR_LISTEN_TCP "tcp-listen:"
#define REDIR_LISTEN_UNIX "unix-listen:"

/* HOST is this computer's loopback: there is neither a password nor encryption. The socket of a
 * PATH, which is not there yet, is the user's alone; it goes with the first connection, or with
 * this call. Waits, so on a thread of its own, until cancel_fd can be read at the latest. -1 and
 * *err: nobody has connected. */
int redir_listen(const char *address, int cancel_fd, GError **err);

#endif
