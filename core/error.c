/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/error.h"

#include <errno.h>

G_DEFINE_QUARK(vmdesk - error - quark, vmdesk_error)

static enum vmdesk_error code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return VMDESK_ERROR_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return VMDESK_ERROR_PERMISSION;
    case ENOENT:
    case ENOTDIR:
        return VMDESK_ERROR_NOT_FOUND;
    case EEXIST:
        return VMDESK_ERROR_EXISTS;
    case EBUSY:
    case EADDRINUSE:
        return VMDESK_ERROR_BUSY;
    default:
        return VMDESK_ERROR_IO;
    }
}

bool vmdesk_error_from_errno(GError **err, int errnum, const char *hint, const char *what, ...)
{
    va_list ap;

    va_start(ap, what);
    g_autofree char *subject = g_strdup_vprintf(what, ap);
    va_end(ap);
    if (hint == NULL && (errnum == ENOSPC || errnum == EDQUOT))
        hint = "Make room, then try again";
    g_set_error(err, VMDESK_ERROR, code_of_errno(errnum), "%s: %s%s%s", subject, g_strerror(errnum),
                hint ? ". " : "", hint ? hint : "");
    return false;
}

bool vmdesk_fail(GError **err, enum vmdesk_error code, const char *message, ...)
{
    va_list ap;

    va_start(ap, message);
    if (err != NULL)
        *err = g_error_new_valist(VMDESK_ERROR, code, message, ap);
    va_end(ap);
    return false;
}
