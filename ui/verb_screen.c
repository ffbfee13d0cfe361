/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "ui/output.h"
#include "ui/remote.h"
#include "ui/screen_text.h"
#include "ui/verbs.h"

#define WAIT_SECONDS 60
#define MAX_SECONDS 86400
#define ROUND_MS 1000 /* how long one question waits in the engine */

/* The picture's bytes; caller frees. */
static guchar *take_picture(struct client *client, size_t *ret_size, GError **err)
{
    json_t *result = client_call(client, "screendump", NULL, CLIENT_TIMEOUT_MS, err);
    guchar *png = result != NULL ? g_base64_decode(remote_string(result, "png"), ret_size) : NULL;

    json_decref(result);
    return png;
}

static bool write_picture(struct client *client, const char *file, GError **err)
{
    size_t size;
    g_autofree guchar *png = take_picture(client, &size, err);
    g_autoptr(GError) error = NULL;

    if (png == NULL)
        return false;
    if (strcmp(file, "-") == 0)
        return fwrite(png, 1, size, stdout) == size ||
               vmdesk_fail(err, VMDESK_ERROR_IO, "Cannot write the picture to standard output");
    if (!g_file_set_contents(file, (const char *)png, size, &error))
        return vmdesk_fail(err, VMDESK_ERROR_IO, "Cannot save the picture: %s", error->message);
    return true;
}

bool verb_screenshot(const struct verb_call *call, GError **err)
{
    struct client *client = remote_connect(call->store, call->arguments[0], err);
    bool done = client != NULL && write_picture(client, call->arguments[1], err);

    client_free(client);
    return done;
}

static bool has_text(const struct screen_text *screen, const char *text)
{
    for (unsigned y = 0; y < screen->rows; y++) {
        g_autofree char *row = screen_text_row(screen, y);

        if (strstr(row, text) != NULL)
            return true;
    }
    return false;
}

/* Fills *screen with one that has text (NULL: with the one there is). */
static bool find_screen(struct client *client, const char *text, unsigned seconds,
                        struct screen_text *screen, GError **err)
{
    gint64 end = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
    int64_t since = -1;

    for (;;) {
        json_t *answer = client_call(client, "query-screen", screen_text_question(since, ROUND_MS),
                                     CLIENT_TIMEOUT_MS + ROUND_MS, err);
        bool understood = answer != NULL && screen_text_init(screen, answer, err);

        json_decref(answer);
        if (!understood)
            return false;
        if (!screen->unchanged && (text == NULL || has_text(screen, text)))
            return true;
        since = screen->generation;
        screen_text_finish(screen);
        if (g_get_monotonic_time() >= end)
            return vmdesk_fail(err, VMDESK_ERROR_TIMEOUT,
                               "The screen did not show \"%s\" within %u s: look at it with "
                               "\"vmdesk screen\"",
                               text, seconds);
    }
}

static void print_json(const struct screen_text *screen)
{
    json_t *object = json_pack("{s:o, s:i, s:i}", "mode", output_string(screen->mode), "width",
                               screen->guest_width, "height", screen->guest_height);
    json_t *rows = json_array();

    for (unsigned y = 0; y < screen->rows; y++) {
        g_autofree char *row = screen_text_row(screen, y);
        json_array_append_new(rows, json_string(row));
    }
    json_object_set_new(object, "text", rows);
    if (screen->cursor)
        json_object_set_new(object, "cursor",
                            json_pack("{s:i, s:i}", "x", screen->cursor_x, "y", screen->cursor_y));
    output_json(object);
}

static bool print_rows(const struct screen_text *screen, GError **err)
{
    if (screen->rows == 0)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The screen shows no text (mode %s, %ux%u): use \"vmdesk screenshot\"",
                           screen->mode, screen->guest_width, screen->guest_height);
    for (unsigned y = 0; y < screen->rows; y++) {
        g_autofree char *row = screen_text_row(screen, y);
        puts(row);
    }
    return true;
}

bool verb_screen(const struct verb_call *call, GError **err)
{
    struct client *client;
    struct screen_text screen;
    unsigned seconds;
    bool done = false;

    if (!verb_number(call, "timeout", 0, MAX_SECONDS, WAIT_SECONDS, &seconds, err))
        return false;
    client = remote_connect(call->store, call->arguments[0], err);
    if (client != NULL && find_screen(client, verb_value(call, "wait"), seconds, &screen, err)) {
        done = true;
        if (verb_has(call, "json"))
            print_json(&screen);
        else
            done = print_rows(&screen, err);
        screen_text_finish(&screen);
    }
    client_free(client);
    return done;
}
