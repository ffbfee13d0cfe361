/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/protocol.h"

#include <stdlib.h>
#include <string.h>

#include <config.h>
#include "core/error.h"

void protocol_reader_init(struct protocol_reader *reader, size_t max)
{
    *reader = (struct protocol_reader){.max = max, .line = g_byte_array_new()};
}

void protocol_reader_finish(struct protocol_reader *reader)
{
    g_byte_array_unref(reader->line);
    reader->line = NULL;
}

bool protocol_reader_next(struct protocol_reader *reader, const uint8_t **data, size_t *size,
                          const char **ret_line, size_t *ret_size)
{
    const uint8_t *newline = *size > 0 ? memchr(*data, '\n', *size) : NULL;
    size_t length = newline != NULL ? (size_t)(newline - *data) : *size;

    if (reader->line->len > 0 && reader->line->data[reader->line->len - 1] == '\n')
        g_byte_array_set_size(reader->line, 0);
    if (reader->overlong || length > reader->max - reader->line->len) {
        reader->overlong = true;
        g_byte_array_set_size(reader->line, 0);
        return false;
    }
    /* The newline is kept as the mark of a line that was handed out. */
    g_byte_array_append(reader->line, *data, length + (newline != NULL));
    *data += length + (newline != NULL);
    *size -= length + (newline != NULL);
    *ret_line = (const char *)reader->line->data;
    *ret_size = reader->line->len - (newline != NULL);
    return newline != NULL;
}

/* Counts brackets outside strings: enough to bound the parser's recursion, not a parser. */
static bool depth_is_fine(const char *line, size_t size)
{
    bool in_string = false;
    unsigned depth = 0;

    for (size_t i = 0; i < size; i++) {
        if (in_string) {
            if (line[i] == '\\')
                i++;
            else if (line[i] == '"')
                in_string = false;
        } else if (line[i] == '"') {
            in_string = true;
        } else if (line[i] == '{' || line[i] == '[') {
            if (++depth > PROTOCOL_MAX_DEPTH)
                return false;
        } else if ((line[i] == '}' || line[i] == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

json_t *protocol_parse(const char *line, size_t size, GError **err)
{
    json_error_t why;
    json_t *message;

    if (!g_utf8_validate_len(line, size, NULL)) {
        vmdesk_fail(err, VMDESK_ERROR_PROTOCOL, "The line is not valid UTF-8.");
        return NULL;
    }
    if (!depth_is_fine(line, size)) {
        vmdesk_fail(err, VMDESK_ERROR_PROTOCOL, "The line nests deeper than %d levels.",
                    PROTOCOL_MAX_DEPTH);
        return NULL;
    }
    message = json_loadb(line, size, JSON_REJECT_DUPLICATES, &why);
    if (message == NULL) {
        vmdesk_fail(err, VMDESK_ERROR_PROTOCOL, "The line is not JSON: %s.", why.text);
        return NULL;
    }
    if (!json_is_object(message)) {
        json_decref(message);
        vmdesk_fail(err, VMDESK_ERROR_PROTOCOL, "The line is not a JSON object.");
        return NULL;
    }
    return message;
}

char *protocol_format(json_t *message, size_t max, size_t *ret_size, GError **err)
{
    const size_t flags = JSON_COMPACT;
    size_t size = message != NULL ? json_dumpb(message, NULL, 0, flags) : 0;
    char *line = NULL;

    if (size == 0) {
        vmdesk_fail(err, VMDESK_ERROR_INTERNAL, "The message cannot be written as JSON.");
    } else if (size >= max) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The message is %zu bytes long, and %zu are allowed: ask for less.", size,
                    max - 1);
    } else if ((line = g_try_malloc(size + 2)) == NULL) {
        vmdesk_fail(err, VMDESK_ERROR_NO_SPACE, "There is no memory left for a message.");
    } else {
        json_dumpb(message, line, size, flags);
        line[size] = '\n';
        line[size + 1] = '\0';
        *ret_size = size + 1;
    }
    json_decref(message);
    return line;
}

json_t *protocol_version(void)
{
    int major = 0, minor = 0, micro = 0;
    char *end;

    major = strtol(PACKAGE_VERSION, &end, 10);
    if (*end == '.')
        minor = strtol(end + 1, &end, 10);
    if (*end == '.')
        micro = strtol(end + 1, &end, 10);
    return json_pack("{s:{s:i,s:i,s:i},s:s}", "vmdesk", "major", major, "minor", minor, "micro",
                     micro, "package", PACKAGE_STRING);
}

json_t *protocol_greeting(void)
{
    return json_pack("{s:{s:o,s:[]}}", "QMP", "version", protocol_version(), "capabilities");
}

static json_t *with_id(json_t *message, const json_t *id)
{
    if (id != NULL)
        json_object_set(message, "id", (json_t *)id);
    return message;
}

json_t *protocol_return(const json_t *id, json_t *result)
{
    return with_id(json_pack("{s:o}", "return", result != NULL ? result : json_object()), id);
}

/* QMP's error classes, and the codes that they stand for. */
static const struct {
    const char *name;
    enum vmdesk_error code;
} error_classes[] = {
    {"GenericError", VMDESK_ERROR_INVALID}, /* and every code that is not here */
    {"CommandNotFound", VMDESK_ERROR_UNSUPPORTED},
    {"DeviceNotFound", VMDESK_ERROR_NOT_FOUND},
    {"DeviceNotActive", VMDESK_ERROR_BUSY},
};

json_t *protocol_error(const json_t *id, const GError *error)
{
    const char *class = error_classes[0].name;

    for (size_t i = 0; i < G_N_ELEMENTS(error_classes); i++) {
        if (g_error_matches(error, VMDESK_ERROR, error_classes[i].code))
            class = error_classes[i].name;
    }
    g_autofree char *desc = g_utf8_make_valid(error->message, -1);
    return with_id(json_pack("{s:{s:s,s:s}}", "error", "class", class, "desc", desc), id);
}

void protocol_take_error(const json_t *error, GError **err)
{
    const char *class = json_string_value(json_object_get(error, "class"));
    const char *desc = json_string_value(json_object_get(error, "desc"));
    enum vmdesk_error code = VMDESK_ERROR_INVALID;

    if (class == NULL || desc == NULL) {
        vmdesk_fail(err, VMDESK_ERROR_PROTOCOL, "The engine sent an error without a reason.");
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(error_classes); i++) {
        if (strcmp(class, error_classes[i].name) == 0)
            code = error_classes[i].code;
    }
    vmdesk_fail(err, code, "%s", desc);
}

json_t *protocol_event(const char *name, json_t *data)
{
    gint64 now = g_get_real_time();
    json_t *event = json_pack("{s:s,s:{s:I,s:I}}", "event", name, "timestamp", "seconds",
                              (json_int_t)(now / G_USEC_PER_SEC), "microseconds",
                              (json_int_t)(now % G_USEC_PER_SEC));

    if (data != NULL)
        json_object_set_new(event, "data", data);
    return event;
}
