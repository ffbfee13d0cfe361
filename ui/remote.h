/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs and the engines of running machines. */
#ifndef UI_REMOTE_H
#define UI_REMOTE_H

#include <glib.h>
#include <jansson.h>

#include "core/client.h"
#include "core/store.h"

/* The path of a running machine's control socket; fails when it does not run. Caller frees. */
char *remote_socket(const struct store_machine *machine, GError **err);

/* A client, connected and negotiated, of the machine called name, which must run. */
struct client *remote_connect(struct store *store, const char *name, GError **err);

/* One command to the machine called name; its result, a new reference. arguments is stolen. */
json_t *remote_call(struct store *store, const char *name, const char *command, json_t *arguments,
                    GError **err);

/* A string or number of an engine's answer; "" or 0 when it has none. */
const char *remote_string(const json_t *object, const char *key);
json_int_t remote_integer(const json_t *object, const char *key);

#endif
