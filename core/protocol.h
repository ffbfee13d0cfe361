/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control protocol between vmdesk and an engine: newline-delimited JSON shaped like QMP
 * (a greeting, qmp_capabilities, execute/arguments/id, return or error, events). doc/protocol.md
 * describes it for people; the tables here are the truth for both ends.
 *
 * One difference from QMP: replies may come in another order than the commands, when a command
 * waits (query-screen). The id tells which is which.
 *
 * No state, any thread. Everything foreign is checked here before it is parsed.
 */
#ifndef CORE_PROTOCOL_H
#define CORE_PROTOCOL_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define PROTOCOL_MAX_COMMAND (64 * 1024)     /* bytes of a line from client to engine */
#define PROTOCOL_MAX_REPLY (5 * 1024 * 1024) /* back; a 1024 x 1024 picture in base64 is 4 MiB */
#define PROTOCOL_MAX_DEPTH 16                /* of nested arrays and objects */
#define PROTOCOL_MAX_INPUT_EVENTS 256        /* in one input-send-event */
#define PROTOCOL_MAX_SCREEN_WAIT 60000       /* ms */
#define PROTOCOL_MAX_SCREEN_PIXELS 1024      /* width and height that query-screen returns */

/*
 * The schema.
 */

enum protocol_type {
    PROTOCOL_STRING,
    PROTOCOL_INT,
    PROTOCOL_BOOL,
    PROTOCOL_ARRAY,
};
const char *protocol_type_name(enum protocol_type type); /* "string", "integer", ... */

struct protocol_argument {
    const char *name; /* NULL ends the list */
    enum protocol_type type;
    bool optional;
    int64_t min, max; /* of an integer; length in bytes of a string; elements of an array */
    const char *help;
};

struct protocol_command {
    const char *name;
    const char *help;   /* one line */
    const char *result; /* what "return" holds, in words; "nothing" */
    const struct protocol_argument *arguments;
};

struct protocol_event {
    const char *name;
    const char *data; /* what "data" holds, in words; "nothing" */
    const char *help;
};

const struct protocol_command *protocol_commands(size_t *ret_count);
const struct protocol_event *protocol_events(size_t *ret_count);
const struct protocol_command *protocol_find_command(const char *name); /* NULL: none */

/* arguments may be NULL (none given). Checks presence, types, ranges and unknown names. */
bool protocol_check_arguments(const struct protocol_command *command, const json_t *arguments,
                              GError **err);

/*
 * Lines.
 */

/* Cuts a byte stream into lines; holds at most max bytes. Bytes of a line past max are never
 * stored: the reader is then overlong, and stays so. */
struct protocol_reader {
    size_t max;
    GByteArray *line; /* private */
    bool overlong;
};
void protocol_reader_init(struct protocol_reader *reader, size_t max);
void protocol_reader_finish(struct protocol_reader *reader);
/* Takes bytes from *data, up to and with the first newline, and moves *data and *size past what it
 * took. True: a line is whole; *ret_line (without the newline, not terminated, valid until the next
 * call) and *ret_size are set. False: all was taken, or the line is overlong. */
bool protocol_reader_next(struct protocol_reader *reader, const uint8_t **data, size_t *size,
                          const char **ret_line, size_t *ret_size);

/* Parses one line: valid UTF-8, nested at most PROTOCOL_MAX_DEPTH deep, one JSON object without
 * duplicate keys. NULL and *err otherwise. A new reference. */
json_t *protocol_parse(const char *line, size_t size, GError **err);

/* The line to send, with its newline and a NUL that *ret_size leaves out; free with g_free().
 * message is stolen, NULL fails. NULL and *err: longer than max, or no memory. */
char *protocol_format(json_t *message, size_t max, size_t *ret_size, GError **err);

/*
 * Messages: each returns a new reference.
 */

json_t *protocol_greeting(void);
json_t *protocol_version(void); /* what the greeting and query-version hold */
/* id: what the command had, any JSON value, or NULL. result is stolen; NULL: an empty object. */
json_t *protocol_return(const json_t *id, json_t *result);
/* The class follows from the error's code. */
json_t *protocol_error(const json_t *id, const GError *error);
/* Stamped with the time now; data is stolen and may be NULL. */
json_t *protocol_event(const char *name, json_t *data);

/* The error object of a reply as a GError: CommandNotFound is UNSUPPORTED, DeviceNotFound is
 * NOT_FOUND, DeviceNotActive is BUSY, everything else INVALID; not an error object: PROTOCOL. */
void protocol_take_error(const json_t *error, GError **err);

#endif
