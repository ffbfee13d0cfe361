/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvncserver, loaded when the first viewer needs it: it brings GnuTLS and eleven more libraries,
 * which a machine that nobody looks at neither waits for at its start nor holds in memory.
 *
 * A process that gives up opening files must have called vnc_library() before.
 */
#ifndef DISPLAY_VNC_LIBRARY_H
#define DISPLAY_VNC_LIBRARY_H

#include <rfb/rfb.h>

#define VNC_LIBRARY_FUNCTIONS(F) \
    F(rfbClientConnectionGone)   \
    F(rfbCloseClient)            \
    F(rfbEncryptBytes)           \
    F(rfbGetScreen)              \
    F(rfbMarkRectAsModified)     \
    F(rfbNewClient)              \
    F(rfbNewFramebuffer)         \
    F(rfbProcessClientMessage)   \
    F(rfbScreenCleanup)          \
    F(rfbSetTranslateFunction)   \
    F(rfbUpdateClient)           \
    F(rfbWriteExact)

struct vnc_library {
#define VNC_LIBRARY_MEMBER(function) typeof(&function) function;
    VNC_LIBRARY_FUNCTIONS(VNC_LIBRARY_MEMBER)
#undef VNC_LIBRARY_MEMBER
};

/* NULL: it cannot be loaded, and the log says why. Any thread. */
const struct vnc_library *vnc_library(void);

#endif
