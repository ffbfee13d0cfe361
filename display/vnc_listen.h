/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets at which viewers arrive. */
#ifndef DISPLAY_VNC_LISTEN_H
#define DISPLAY_VNC_LISTEN_H

#include "display/vnc.h"

#define VNC_FIRST_PORT 5900
#define VNC_PORTS 100

/* Returns a listening socket that does not block, and for VNC_TCP its port; -1 and *err. */
int vnc_listen(const struct vnc_options *options, uint16_t *ret_port, GError **err);
/* Takes one viewer. Returns its socket and a name for it, to be freed; -1 and errno. */
int vnc_accept(int listener, char **ret_address);

#endif
