/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one way errors travel in vmdesk: a GError of this domain.
 *
 * The message is a whole sentence for the user: it names the object (file, machine, option) and
 * says what to do next. Library code never prints and never exits.
 */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H

#include <glib.h>
#include <stdbool.h>

#define VMDESK_ERROR (vmdesk_error_quark())

enum vmdesk_error {
    VMDESK_ERROR_INVALID,     /* the input is malformed or out of range */
    VMDESK_ERROR_NOT_FOUND,   /* the named thing does not exist */
    VMDESK_ERROR_EXISTS,      /* the name is taken */
    VMDESK_ERROR_BUSY,        /* in use by somebody else, or the wrong state for this */
    VMDESK_ERROR_PERMISSION,  /* the system denies it */
    VMDESK_ERROR_MISSING,     /* a package or a host feature is missing */
    VMDESK_ERROR_IO,          /* the system failed to read or write */
    VMDESK_ERROR_NO_SPACE,    /* the disk or a quota is full */
    VMDESK_ERROR_UNSUPPORTED, /* well-formed, but not something vmdesk does */
    VMDESK_ERROR_PROTOCOL,    /* a peer broke the protocol */
    VMDESK_ERROR_TIMEOUT,     /* no answer in time */
    VMDESK_ERROR_GONE,        /* the peer went away */
    VMDESK_ERROR_CANCELLED,   /* the user said to stop */
    VMDESK_ERROR_INTERNAL,    /* a fault of vmdesk itself */
};

GQuark vmdesk_error_quark(void);

/* Sets *err from errno: "<what>: <strerror>. <hint>"; ENOSPC, EDQUOT, EACCES, EPERM, ENOENT,
 * EEXIST and EBUSY get their own code. hint may be NULL, which is one to make room where that is
 * what it takes. Always returns false. */
bool vmdesk_error_from_errno(GError **err, int errnum, const char *hint, const char *what, ...)
    G_GNUC_PRINTF(4, 5);

/* Sets *err; always returns false, so that a failing function can `return vmdesk_fail(...)`. */
bool vmdesk_fail(GError **err, enum vmdesk_error code, const char *message, ...)
    G_GNUC_PRINTF(3, 4);

#endif
