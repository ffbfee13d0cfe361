/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the control server start from: a machine without a guest, its server, and
 * clients. Server and clients run in turns on one thread. */
#ifndef TESTS_UNIT_CONTROL_FIXTURE_H
#define TESTS_UNIT_CONTROL_FIXTURE_H

#include "core/protocol.h"
#include "engine/control/control_internal.h"
#include "tests/fakes/fake_machine.h"

extern char *folder, *path; /* a private folder, and the socket in it */
extern GMainContext *context;
extern struct machine *machine;
extern struct machine_config config;
extern struct control_server *server;

void setup(void);
void teardown(void);
struct control_server *new_server(const char *socket_path, GError **err);
/* Lets the server do what there is to do. */
void run(void);

struct user {
    int fd;
    struct protocol_reader reader;
    uint8_t bytes[64 * 1024];
    const uint8_t *next;
    size_t left;
};

struct user *connect_raw(void);
struct user *connect_user(void); /* negotiated */
void leave(struct user *user);
bool is_open(struct user *user);

void say(struct user *user, const char *text);
/* The next message; NULL when none has come, or at the end of the connection. */
json_t *take(struct user *user);
/* What another thread has to finish first. */
json_t *take_late(struct user *user);
/* Sends a line and takes the next message. */
json_t *ask(struct user *user, const char *command);

/* What came is expected, as compact JSON with sorted keys; events without their time. */
void assert_took(json_t *message, const char *expected);
void assert_error(json_t *message, const char *class, const char *words);

#endif
