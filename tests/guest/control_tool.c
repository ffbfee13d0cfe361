/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A control client for tests:
 *
 *   control_tool SOCKET call COMMAND [ARGUMENTS]  print the result as JSON
 *
 *   control_tool SOCKET flood BYTES  send a line of so many bytes; print "dropped" when the engine
 *                                    hangs up, fail when it takes them all
 *
 *   control_tool SOCKET deaf         ask and never read; print "dropped", or fail
 */
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/client.h"

#define DEAF_SECONDS 30

G_NORETURN static void die(const char *message)
{
    fprintf(stderr, "control_tool: %s\n", message);
    exit(1);
}

static int connect_raw(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die(g_strerror(errno));
    return fd;
}

static void call(const char *path, const char *command, const char *text)
{
    g_autoptr(GError) error = NULL;
    json_t *arguments = text != NULL ? json_loads(text, 0, NULL) : NULL;
    struct client *client = client_connect(path, CLIENT_TIMEOUT_MS, NULL, NULL, &error);
    json_t *result;

    if (client == NULL)
        die(error->message);
    result = client_call(client, command, arguments, CLIENT_TIMEOUT_MS, &error);
    if (result == NULL)
        die(error->message);
    json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
    json_decref(result);
    client_free(client);
}

static void flood(const char *path, size_t size)
{
    char block[64 * 1024];
    int fd = connect_raw(path);

    memset(block, 'x', sizeof(block));
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, block, MIN(sizeof(block), size - sent), MSG_NOSIGNAL);

        if (n < 0) {
            printf("dropped after %zu bytes\n", sent);
            return;
        }
        sent += n;
    }
    die("the engine took it all");
}

static void be_deaf(const char *path)
{
    static const char negotiate[] = "{\"execute\":\"qmp_capabilities\"}\n",
                      ask[] = "{\"execute\":\"query-commands\"}\n";
    gint64 end = g_get_monotonic_time() + DEAF_SECONDS * G_USEC_PER_SEC;
    int fd = connect_raw(path);
    ssize_t n = send(fd, negotiate, sizeof(negotiate) - 1, MSG_NOSIGNAL);

    while (n > 0 || errno == EAGAIN) {
        if (g_get_monotonic_time() > end)
            die("the engine keeps a client that never reads");
        n = send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    printf("dropped\n");
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[2], "call") == 0)
        call(argv[1], argv[3], argv[4]);
    else if (argc == 4 && strcmp(argv[2], "flood") == 0)
        flood(argv[1], strtoull(argv[3], NULL, 10));
    else if (argc == 3 && strcmp(argv[2], "deaf") == 0)
        be_deaf(argv[1]);
    else
        die("usage: control_tool SOCKET call COMMAND [ARGUMENTS] | flood BYTES | deaf");
    return 0;
}
