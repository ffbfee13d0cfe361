/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection to who serves a USB device over the network, or from him: names are looked up and
 * waited for on a thread of its own. */
#ifndef USB_REDIR_CONNECT_H
#define USB_REDIR_CONNECT_H

#include <glib.h>
#include <stdbool.h>

#define REDIR_CONNECT_TIMEOUT_MS 10000
#define REDIR_ADDRESS_MAX 255 /* bytes */

/* "tcp:HOST:PORT", "tcp:[IPV6]:PORT" or "unix:PATH"; or with "tcp-listen:" or "unix-listen:", where
 * he is to connect (usb/redir/listen.h). */
bool redir_is_address(const char *text);
/* The parts of "HOST:PORT" or "[HOST]:PORT". The caller frees them. */
bool redir_split_address(const char *text, char **ret_host, char **ret_port);

struct redir_connect;

/* fd: a connected stream socket, the callee's; -1: error says why. On context's loop, never from
 * inside a call. The connect is over with it. */
typedef void (*redir_connected)(int fd, const GError *error, void *opaque);
/* NULL and *err: it is not an address, or there is no thread. */
struct redir_connect *redir_connect_new(GMainContext *context, const char *address,
                                        redir_connected connected, void *opaque, GError **err);
/* The callback will not come; what waits for a connection ends soon. */
void redir_connect_cancel(struct redir_connect *connect);

#endif
