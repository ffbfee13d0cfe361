/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The screen: asked of the display's thread, answered when it replies. */
#include "core/error.h"
#include "display/display.h"
#include "engine/control/control_internal.h"

static json_t *base64(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_base64_encode(data, size);

    return json_string(text);
}

static void add_text(json_t *result, const struct text_screen *screen)
{
    json_t *rows = json_array(), *attributes = json_array();
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) hex = g_string_new(NULL);

    for (unsigned y = 0; y < screen->rows; y++) {
        g_string_truncate(text, 0);
        g_string_truncate(hex, 0);
        for (unsigned x = 0; x < screen->columns; x++) {
            const struct text_cell *cell = &screen->cells[y * screen->columns + x];

            g_string_append_unichar(text, control_cp437_to_unicode(cell->code));
            g_string_append_printf(hex, "%02x", cell->attribute);
        }
        json_array_append_new(rows, json_stringn(text->str, text->len));
        json_array_append_new(attributes, json_string(hex->str));
    }
    json_object_set_new(result, "columns", json_integer(screen->columns));
    json_object_set_new(result, "rows", json_integer(screen->rows));
    if (screen->cursor_visible)
        json_object_set_new(result, "cursor",
                            json_pack("{s:i,s:i}", "x", screen->cursor_x, "y", screen->cursor_y));
    json_object_set_new(result, "text", rows);
    json_object_set_new(result, "attributes", attributes);
}

static void on_screen(const struct screen_answer *answer, void *opaque)
{
    static const char *const modes[] = {"blank", "text", "graphics"};
    struct control_request *request = opaque;
    json_t *result = json_pack("{s:I,s:b}", "generation", (json_int_t)answer->generation,
                               "unchanged", answer->unchanged);

    if (!answer->unchanged) {
        request->server->guest_width = answer->guest_width;
        request->server->guest_height = answer->guest_height;
        json_object_set_new(result, "mode", json_string(modes[answer->mode]));
        json_object_set_new(result, "guest-width", json_integer(answer->guest_width));
        json_object_set_new(result, "guest-height", json_integer(answer->guest_height));
        if (answer->mode == DISPLAY_TEXT)
            add_text(result, answer->text);
    }
    if (!answer->unchanged && answer->mode == DISPLAY_GRAPHICS && answer->rgb != NULL) {
        json_object_set_new(result, "width", json_integer(answer->width));
        json_object_set_new(result, "height", json_integer(answer->height));
        json_object_set_new(result, "rgb",
                            base64(answer->rgb, (size_t)answer->width * answer->height * 3));
    }
    control_return(request, result);
}

static void cancel_query(struct control_request *request)
{
    display_query_cancel(request->work);
}

static void query_screen(struct control_request *request, const json_t *arguments)
{
    const struct screen_query query = {
        .since = json_integer_value(json_object_get(arguments, "since")),
        .wait_ms = json_integer_value(json_object_get(arguments, "wait")),
        .width = json_integer_value(json_object_get(arguments, "width")),
        .height = json_integer_value(json_object_get(arguments, "height")),
    };

    request->cancel = cancel_query;
    request->work = display_query(machine_display(request->server->machine), &query,
                                  request->server->context, on_screen, request);
}

/* A screendump cannot be called back: it outlives a request that is cancelled. */
struct dump {
    struct control_request *request; /* NULL: cancelled */
    GMainContext *context;
    char *filename; /* NULL: return it */
    GBytes *png;
    GThread *writer;
    GError *error; /* the writer's */
};

/* Takes error, or result when there is none. */
static void end_dump(struct dump *dump, json_t *result, GError *error)
{
    if (dump->request != NULL && error != NULL)
        control_fail(dump->request, g_steal_pointer(&error));
    else if (dump->request != NULL)
        control_return(dump->request, g_steal_pointer(&result));
    json_decref(result);
    g_clear_error(&error);
    g_clear_pointer(&dump->png, g_bytes_unref);
    g_free(dump->filename);
    g_free(dump);
}

static gboolean on_written(gpointer opaque)
{
    struct dump *dump = opaque;

    g_thread_join(dump->writer);
    end_dump(dump, NULL, g_steal_pointer(&dump->error));
    return G_SOURCE_REMOVE;
}

/* On a thread of its own: the disk may be slow, and guest timers live on the main loop. */
static void *write_file(void *opaque)
{
    struct dump *dump = opaque;
    g_autoptr(GSource) done = g_idle_source_new();
    g_autoptr(GError) error = NULL;
    gsize size;
    const char *data = g_bytes_get_data(dump->png, &size);

    if (!g_file_set_contents_full(dump->filename, data, size, G_FILE_SET_CONTENTS_CONSISTENT, 0666,
                                  &error))
        vmdesk_fail(&dump->error, VMDESK_ERROR_IO, "Cannot write the picture: %s.",
                    error->message);
    g_source_set_callback(done, on_written, dump, NULL);
    g_source_attach(done, dump->context);
    return NULL;
}

static void on_png(GBytes *png, const GError *error, void *opaque)
{
    struct dump *dump = opaque;
    gsize size;
    const uint8_t *data;

    if (error != NULL) {
        end_dump(dump, NULL, g_error_copy(error));
    } else if (dump->filename == NULL) {
        data = g_bytes_get_data(png, &size);
        end_dump(dump, json_pack("{s:o}", "png", base64(data, size)), NULL);
    } else {
        dump->png = g_bytes_ref(png);
        dump->writer = g_thread_try_new("screendump", write_file, dump, &dump->error);
        if (dump->writer == NULL)
            end_dump(dump, NULL, g_steal_pointer(&dump->error));
    }
}

static void cancel_dump(struct control_request *request)
{
    ((struct dump *)request->work)->request = NULL;
}

static void screendump(struct control_request *request, const json_t *arguments)
{
    const char *filename = json_string_value(json_object_get(arguments, "filename"));
    struct dump *dump;
    GError *error = NULL;

    if (filename != NULL && !g_path_is_absolute(filename)) {
        vmdesk_fail(&error, VMDESK_ERROR_INVALID, "'%s' is not an absolute path: give one.",
                    filename);
        control_fail(request, error);
        return;
    }
    dump = g_new0(struct dump, 1);
    dump->request = request;
    dump->context = request->server->context;
    dump->filename = g_strdup(filename);
    request->cancel = cancel_dump;
    request->work = dump;
    display_screendump(machine_display(request->server->machine), request->server->context, on_png,
                       dump);
}

const struct control_handler control_display_handlers[] = {
    {"query-screen", query_screen},
    {"screendump", screendump},
    {NULL},
};
