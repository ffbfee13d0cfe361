/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/error.h"
#include "ui/key_events.h"
#include "ui/remote.h"
#include "ui/verbs.h"

#define DELAY_MS 30 /* slow guests lose what comes faster than they read */
#define MAX_DELAY_MS 10000

/* The character of an escape in TEXT; 0: there is none of that name. */
static gunichar escape_of(char name)
{
    switch (name) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'e':
        return 0x1b;
    case '\\':
        return '\\';
    default:
        return 0;
    }
}

/* Appends a stroke for each character, before anything is sent. */
static bool add_text(GPtrArray *strokes, const char *text, GError **err)
{
    if (!g_utf8_validate(text, -1, NULL))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID, "The text is not valid UTF-8: correct it");
    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        json_t *stroke;

        if (c == '\\') {
            c = escape_of(*++p);
            if (c == 0)
                return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                                   "A backslash starts \\n, \\t, \\e or \\\\ in the text: write "
                                   "one of them");
        }
        stroke = key_events_character(c, err);
        if (stroke == NULL)
            return false;
        g_ptr_array_add(strokes, stroke);
    }
    return true;
}

static bool add_keys(GPtrArray *strokes, const struct verb_call *call, GError **err)
{
    for (unsigned i = 0; i < verb_count(call, "key"); i++) {
        json_t *stroke = key_events_chord(verb_value_at(call, "key", i), err);

        if (stroke == NULL)
            return false;
        g_ptr_array_add(strokes, stroke);
    }
    return true;
}

static bool send_strokes(struct client *client, const GPtrArray *strokes, unsigned delay_ms,
                         GError **err)
{
    for (unsigned i = 0; i < strokes->len; i++) {
        json_t *result = client_call(client, "input-send-event", json_incref(strokes->pdata[i]),
                                     CLIENT_TIMEOUT_MS, err);

        if (result == NULL)
            return false;
        json_decref(result);
        g_usleep(delay_ms * 1000);
    }
    return true;
}

bool verb_type(const struct verb_call *call, GError **err)
{
    g_autoptr(GPtrArray) strokes = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    const char *text = call->arguments[1];
    struct client *client;
    unsigned delay_ms;
    bool done;

    if (!verb_number(call, "delay", 0, MAX_DELAY_MS, DELAY_MS, &delay_ms, err))
        return false;
    if (text == NULL && !verb_has(call, "key"))
        return verb_misused(err, "Give a text to type, or --key");
    if ((text != NULL && !add_text(strokes, text, err)) || !add_keys(strokes, call, err))
        return false;
    client = remote_connect(call->store, call->arguments[0], err);
    done = client != NULL && send_strokes(client, strokes, delay_ms, err);
    client_free(client);
    return done;
}
