/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where things are. The environment is read on each call; nothing is cached. Any thread may call.
 *
 *   $XDG_DATA_HOME/vmdesk/machines/NAME/    a machine's folder (default ~/.local/share)
 *   $XDG_RUNTIME_DIR/vmdesk/NAME/           its sockets while it runs, mode 0700
 *   /tmp/vmdesk-UID/NAME/                   the same where XDG_RUNTIME_DIR is not set
 *
 * Strings returned are owned by the caller.
 */
#ifndef CORE_PATHS_H
#define CORE_PATHS_H

#include <glib.h>
#include <stdbool.h>

/* In a machine's folder: */
#define PATHS_CONFIG "machine.conf"
#define PATHS_LOCK "lock"
#define PATHS_LOG "engine.log"
#define PATHS_OLD_LOG "engine.log.1"
#define PATHS_FIRMWARE_VARIABLES "ovmf-vars.fd"

/* In its runtime folder: */
#define PATHS_CONTROL_SOCKET "control.sock"
#define PATHS_SERIAL_SOCKET "serial.sock"
#define PATHS_VNC_SOCKET "vnc.sock"

/* A machine's name: ASCII letters, digits, '.', '_' and '-', the first a letter or digit, at most
 * MACHINE_NAME_MAX bytes. */
bool paths_check_name(const char *name, GError **err);

/* The folder of all machines; it need not exist yet. */
char *paths_machines(void);

/* A machine's runtime folder; touches no file. Fails when the name is bad or when a socket in the
 * folder would not fit sockaddr_un. */
char *paths_runtime(const char *name, GError **err);

/* Creates a runtime folder and its parent "vmdesk" with mode 0700 where they are missing, and
 * verifies both: real folders (no symbolic links), owned by us, closed to others. */
bool paths_create_runtime(const char *runtime_folder, GError **err);

/* A socket in a runtime folder; fails when it would not fit sockaddr_un. */
char *paths_socket(const char *runtime_folder, const char *socket, GError **err);

/* The engine's program: $VMDESK_ENGINE, else next to this program (a build tree), else the
 * installed one. Fails when it cannot be executed. */
char *paths_engine(GError **err);

/* The program that opens USB devices for engines, found likewise, by $VMDESK_USB_BROKER. */
char *paths_usb_broker(GError **err);

/* The folder that all runtime folders are in: what concerns several machines is there. */
char *paths_shared_runtime(void);

#endif
