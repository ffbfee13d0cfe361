/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmdesk-engine without a guest, for tests of what stands before an engine: the real lock, sockets
 * and control server around a machine whose screen shows what is typed, and whose serial port
 * answers each byte with itself. Words in machine.description choose what goes wrong:
 *
 *   refuses   it reports an error instead of starting
 *   dies      it ends without a word
 *   deaf      it ignores the power button
 *   hangs     it stops answering once it is ready
 *   graphics  its screen is in a graphics mode
 */
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/keys.h"
#include "core/paths.h"
#include "core/store.h"
#include "engine/control/server.h"
#include "engine/dev/serial_backend.h"
#include "tests/fakes/fake_machine.h"

#define COLUMNS 80
#define ROWS 25
#define FIRST_ROW 2 /* of what is typed */
#define TICK_MS 10
#define KEY_SHIFT 0x2a

static const char banner[] = "The fake engine of ";

/* An 1 x 1 picture. */
static const uint8_t png[] = {0x89, 'P', 'N', 'G',  '\r', '\n', 0x1a, '\n', 0,    0, 0, 13,
                              'I',  'H', 'D', 'R',  0,    0,    0,    1,    0,    0, 0, 1,
                              8,    0,   0,   0,    0,    0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0,
                              10,   'I', 'D', 'A',  'T',  0x78, 0x9c, 0x63, 0x60, 0, 0, 0,
                              2,    0,   1,   0x48, 0xaf, 0xa4, 0x71, 0,    0,    0, 0, 'I',
                              'E',  'N', 'D', 0xae, 0x42, 0x60, 0x82};

struct engine {
    GMainLoop *loop;
    struct machine_config *config;
    struct machine *machine;
    struct control_server *control;
    char typed[COLUMNS * (ROWS - FIRST_ROW)];
    unsigned typed_len;
    bool shift;
    uint64_t generation;
};

static bool behaves(const struct engine *engine, const char *word)
{
    return engine->config->description != NULL && strstr(engine->config->description, word) != NULL;
}

static char character_of(uint8_t qnum, bool shift)
{
    for (char c = ' '; c < 0x7f; c++) {
        uint8_t key;
        bool shifted;

        if (key_from_char(c, &key, &shifted) && key == qnum && shifted == shift)
            return c;
    }
    return '\0';
}

static void on_key(void *opaque, uint8_t qnum, bool down)
{
    struct engine *engine = opaque;
    char c = character_of(qnum, engine->shift);

    if (qnum == KEY_SHIFT)
        engine->shift = down;
    else if (down && c != '\0' && engine->typed_len < sizeof(engine->typed))
        engine->typed[engine->typed_len++] = c;
    engine->generation++;
}

static void on_pointer(void *opaque, unsigned x, unsigned y, unsigned width, unsigned height,
                       unsigned buttons)
{
}

static void on_motion(void *opaque, int dx, int dy, unsigned buttons)
{
}

static void on_wheel(void *opaque, int steps)
{
}

static void put_text(struct text_screen *screen, unsigned row, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        screen->cells[row * COLUMNS + i].code = text[i];
}

static void answer_screen(struct engine *engine)
{
    g_autofree struct text_screen *screen = g_new0(struct text_screen, 1);
    const char *name = engine->config->name;
    struct screen_answer answer = {
        .generation = engine->generation,
        .mode = DISPLAY_GRAPHICS,
        .guest_width = 640,
        .guest_height = 480,
    };

    if (!behaves(engine, "graphics")) {
        answer.mode = DISPLAY_TEXT;
        answer.text = screen;
        answer.guest_width = 720;
        answer.guest_height = 400;
    }
    screen->columns = COLUMNS;
    screen->rows = ROWS;
    screen->cursor_visible = true;
    screen->cursor_x = engine->typed_len % COLUMNS;
    screen->cursor_y = FIRST_ROW + engine->typed_len / COLUMNS;
    for (size_t i = 0; i < COLUMNS * ROWS; i++)
        screen->cells[i] = (struct text_cell){' ', 0x07};
    put_text(screen, 0, banner, strlen(banner));
    for (size_t i = 0; name[i] != '\0'; i++)
        screen->cells[strlen(banner) + i].code = name[i];
    put_text(screen, FIRST_ROW, engine->typed, engine->typed_len);
    fake_machine_answer(engine->machine, &answer);
}

/* Answers each question that can be answered; one for a newer screen waits for it. */
static void answer_queries(struct engine *engine)
{
    GQueue *queries = &engine->machine->queries;

    for (unsigned count = queries->length; count > 0; count--) {
        struct fake_query *query = g_queue_peek_head(queries);

        if (query->png_done != NULL) {
            g_autoptr(GBytes) bytes = g_bytes_new_static(png, sizeof(png));
            fake_machine_answer_png(engine->machine, bytes, NULL);
        } else if (query->done == NULL || query->query.since != engine->generation) {
            answer_screen(engine);
        } else if (query->query.wait_ms > TICK_MS) {
            query->query.wait_ms -= TICK_MS;
            g_queue_push_tail(queries, g_queue_pop_head(queries));
        } else {
            const struct screen_answer answer = {.generation = engine->generation,
                                                 .unchanged = true};
            fake_machine_answer(engine->machine, &answer);
        }
    }
}

static gboolean tick(gpointer opaque)
{
    struct engine *engine = opaque;

    answer_queries(engine);
    if (strstr(engine->machine->log->str, "power;") != NULL && !behaves(engine, "deaf"))
        machine_quit(engine->machine);
    return G_SOURCE_CONTINUE;
}

static void on_state(void *opaque, enum machine_state state, const char *detail)
{
    control_server_state_changed(((struct engine *)opaque)->control, state, detail);
}

static void on_reset(void *opaque, const char *by)
{
    struct engine *engine = opaque;

    engine->typed_len = 0;
    engine->generation++;
    control_server_was_reset(engine->control, by);
}

static void on_ending(void *opaque, int exit_code, const char *reason)
{
    struct engine *engine = opaque;

    control_server_ending(engine->control, exit_code, reason);
    g_main_loop_quit(engine->loop);
}

static size_t serial_room(void *opaque)
{
    return 16;
}

static void serial_input(void *opaque, const uint8_t *bytes, size_t size)
{
    struct engine *engine = opaque;

    serial_backend_output(engine->machine->serial, bytes, size);
}

/* Ends at once: what is allocated goes with the process. */
static G_NORETURN void fail(int ready_fd, struct machine_lock *lock, const char *reason)
{
    machine_lock_release(lock);
    dprintf(ready_fd, "ERROR %s\n", reason);
    fprintf(stderr, "%s\n", reason);
    _exit(EXIT_FAILURE);
}

static void run(struct engine *engine, int ready_fd)
{
    fprintf(stderr, "The fake engine runs %s.\n", engine->config->name);
    dprintf(ready_fd, "READY\n");
    close(ready_fd);
    if (behaves(engine, "hangs"))
        raise(SIGSTOP);
    g_timeout_add(TICK_MS, tick, engine);
    g_main_loop_run(engine->loop);
}

int main(int argc, char **argv)
{
    static const struct machine_observer observer = {.state_changed = on_state,
                                                     .was_reset = on_reset,
                                                     .ending = on_ending};
    static const struct input_ops input_ops = {on_key, on_pointer, on_motion, on_wheel};
    static const struct serial_backend_input serial_ops = {serial_room, serial_input};
    struct engine engine = {.generation = 1};
    const char *folder = argv[2];
    g_autofree char *name = NULL, *store_path = NULL, *runtime = NULL, *control = NULL,
                    *serial = NULL;
    struct machine_lock *lock;
    struct store *store;
    struct store_machine *machine;
    GError *err = NULL;
    int ready_fd;

    if (argc != 3 || sscanf(argv[1], "--ready-fd=%d", &ready_fd) != 1)
        return EXIT_FAILURE;
    signal(SIGPIPE, SIG_IGN);
    name = g_path_get_basename(folder);
    store_path = g_path_get_dirname(folder);
    store = store_new(store_path);
    machine = store_load_valid(store, name, &err);
    runtime = machine != NULL ? paths_runtime(name, &err) : NULL;
    lock = runtime != NULL ? machine_lock_acquire(folder, runtime, &err) : NULL;
    if (lock == NULL || !paths_create_runtime(runtime, &err))
        fail(ready_fd, lock, err->message);
    engine.config = machine->config;
    if (behaves(&engine, "refuses"))
        fail(ready_fd, lock, "The fake engine refuses: choose another description");
    if (behaves(&engine, "dies"))
        raise(SIGKILL);
    engine.loop = g_main_loop_new(NULL, FALSE);
    engine.machine = fake_machine_new(&observer, &engine);
    engine.machine->sink = (struct input_sink){&input_ops, &engine};
    engine.machine->cd = g_strdup(engine.config->cdrom_file);
    control = paths_socket(runtime, PATHS_CONTROL_SOCKET, NULL);
    serial = paths_socket(runtime, PATHS_SERIAL_SOCKET, NULL);
    engine.machine->serial = serial_backend_new(NULL, serial, NULL, &err);
    if (engine.machine->serial == NULL)
        fail(ready_fd, lock, err->message);
    serial_backend_set_input(engine.machine->serial, &serial_ops, &engine);
    engine.control = control_server_new(&(struct control_options){.path = control,
                                                                  .machine = engine.machine,
                                                                  .config = engine.config,
                                                                  .folder = folder},
                                        &err);
    if (engine.control == NULL)
        fail(ready_fd, lock, err->message);
    run(&engine, ready_fd);
    control_server_free(engine.control);
    serial_backend_free(engine.machine->serial);
    machine_free(engine.machine);
    g_main_loop_unref(engine.loop);
    store_machine_free(machine);
    store_free(store);
    machine_lock_release(lock);
    return EXIT_SUCCESS;
}
