/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc_library.h"

#include <dlfcn.h>
#include <glib.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/log.h"

#define SONAME "libvncserver.so.1"

/* Its errors are what viewers do, too; why we drop one is logged by the bridge. */
G_GNUC_PRINTF(1, 2) static void on_log(const char *format, ...)
{
    char line[256];
    va_list ap;

    if (!log_debug_enabled("vnc"))
        return;
    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    log_debug("vnc", "%s", g_strchomp(line));
}

static bool load(struct vnc_library *library)
{
    void *handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    rfbLogProc *log, *err;
    bool complete = handle != NULL;

    if (!complete) {
        log_error("vnc", "no viewer can be served: %s. Install the package libvncserver1",
                  dlerror());
        return false;
    }
#define FIND(function)                                               \
    library->function = (typeof(&function))dlsym(handle, #function); \
    complete = complete && library->function != NULL;
    VNC_LIBRARY_FUNCTIONS(FIND)
#undef FIND
    log = dlsym(handle, "rfbLog");
    err = dlsym(handle, "rfbErr");
    if (!complete || log == NULL || err == NULL) {
        log_error("vnc", "no viewer can be served: " SONAME " is not libvncserver 0.9.13 or later");
        return false;
    }
    *log = *err = on_log;
    return true;
}

const struct vnc_library *vnc_library(void)
{
    static struct vnc_library library;
    static gsize once;
    enum { LOADED = 1, FAILED = 2 };

    if (g_once_init_enter(&once))
        g_once_init_leave(&once, load(&library) ? LOADED : FAILED);
    return once == LOADED ? &library : NULL;
}
