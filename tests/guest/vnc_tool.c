/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VNC viewer for tests, on a stock client library:
 *
 *   vnc_tool [-p PASSWORD] ADDRESS ACTION...
 *
 * ADDRESS is a Unix socket's path or HOST:PORT. It connects, prints "size WxH" then and whenever
 * the screen's size changes, and does one action after the other:
 *
 *   type TEXT     press and release a key for each character; "\n" is Return
 *   move X Y      move the pointer there, in pixels
 *   click         press and release the left button
 *   run SECONDS   look on
 *   save FILE     write the screen as a PPM picture
 *   region X Y WIDTH HEIGHT
 *                 print "region COLOUR PERCENT COLOURS SUM" of a part of the screen: the colour
 *                 that most of it has, how many there are, and a number that tells pictures apart
 *   stall SECONDS ask for the whole screen again and again and read nothing; print "dropped" as
 *                 soon as the server has hung up, and fail when it has not by then
 *   garbage       send random bytes until the server hangs up; print "dropped"
 *
 * "raw" as the first action connects without a word of the protocol, for garbage from the start.
 */
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <rfb/rfbclient.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define KEY_PAUSE_MS 30
#define GARBAGE_SECONDS 30

struct viewer {
    const char *password;
    rfbClient *client;
    int x, y;
};

G_NORETURN static void die(const char *message)
{
    fprintf(stderr, "vnc_tool: %s\n", message);
    exit(1);
}

static char *get_password(rfbClient *client)
{
    const struct viewer *viewer = rfbClientGetClientData(client, get_password);

    return strdup(viewer->password != NULL ? viewer->password : "");
}

static rfbBool resize(rfbClient *client)
{
    printf("size %dx%d\n", client->width, client->height);
    fflush(stdout);
    free(client->frameBuffer);
    client->frameBuffer = calloc((size_t)client->width * client->height, 4);
    return client->frameBuffer != NULL;
}

/* Handles what the server sends, for so long. */
static void look_on(struct viewer *viewer, unsigned ms)
{
    gint64 end = g_get_monotonic_time() + (gint64)ms * 1000;

    for (gint64 left = (gint64)ms * 1000; left >= 0; left = end - g_get_monotonic_time()) {
        int ready = WaitForMessage(viewer->client, MIN(left, 100000));

        if (ready < 0 || (ready > 0 && !HandleRFBServerMessage(viewer->client)))
            die("the server hung up");
        if (left == 0)
            return;
    }
}

static void connect_viewer(struct viewer *viewer, const char *address)
{
    rfbClient *client = rfbGetClient(8, 3, 4);
    const char *colon = strrchr(address, ':');

    rfbClientSetClientData(client, get_password, viewer);
    client->GetPassword = get_password;
    client->MallocFrameBuffer = resize;
    client->canHandleNewFBSize = TRUE;
    client->appData.encodingsString = "zrle hextile raw";
    client->appData.useRemoteCursor = FALSE;
    free(client->serverHost);
    client->serverHost = strdup(address);
    if (address[0] != '/' && colon != NULL) {
        client->serverHost[colon - address] = '\0';
        client->serverPort = atoi(colon + 1);
    }
    viewer->client = client;
    if (!rfbInitClient(client, NULL, NULL)) {
        viewer->client = NULL; /* the library has freed it */
        die("cannot connect");
    }
}

static void type_text(struct viewer *viewer, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        uint32_t keysym = (unsigned char)*p;

        if (p[0] == '\\' && p[1] == 'n') {
            keysym = 0xff0d;
            p++;
        }
        SendKeyEvent(viewer->client, keysym, TRUE);
        look_on(viewer, KEY_PAUSE_MS);
        SendKeyEvent(viewer->client, keysym, FALSE);
        look_on(viewer, KEY_PAUSE_MS);
    }
}

static void save(const struct viewer *viewer, const char *path)
{
    const rfbClient *client = viewer->client;
    size_t count = (size_t)client->width * client->height;
    FILE *file = fopen(path, "wb");

    if (file == NULL)
        die(g_strerror(errno));
    fprintf(file, "P6\n%d %d\n255\n", client->width, client->height);
    /* The library's default format: red in the lowest byte. */
    for (size_t i = 0; i < count; i++)
        fwrite(client->frameBuffer + i * 4, 3, 1, file);
    if (fclose(file) != 0)
        die(g_strerror(errno));
}

/* args: X Y WIDTH HEIGHT */
static void show_region(const struct viewer *viewer, char **args)
{
    const rfbClient *client = viewer->client;
    int x = atoi(args[0]), y = atoi(args[1]), width = atoi(args[2]), height = atoi(args[3]);
    GHashTable *counts = g_hash_table_new(NULL, NULL);
    unsigned most = 0, most_colour = 0;
    uint32_t sum = 0;

    if (x < 0 || y < 0 || width <= 0 || height <= 0 || width > client->width - x ||
        height > client->height - y)
        die("the region is not in the screen");
    for (int i = 0; i < width * height; i++) {
        const uint8_t *p =
            client->frameBuffer + ((size_t)(y + i / width) * client->width + x + i % width) * 4;
        unsigned colour = p[0] << 16 | p[1] << 8 | p[2];
        unsigned count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, GUINT_TO_POINTER(colour)));

        g_hash_table_insert(counts, GUINT_TO_POINTER(colour), GUINT_TO_POINTER(++count));
        if (count > most) {
            most = count;
            most_colour = colour;
        }
        sum = sum * 31 + colour;
    }
    printf("region %06x %u %u %08x\n", most_colour, most * 100 / (width * height),
           g_hash_table_size(counts), sum);
    fflush(stdout);
    g_hash_table_unref(counts);
}

static bool hung_up(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void stall(struct viewer *viewer, unsigned seconds)
{
    gint64 start = g_get_monotonic_time(), end = start + seconds * G_USEC_PER_SEC;
    int fd = viewer->client->sock;

    while (g_get_monotonic_time() < end) {
        uint8_t request[10] = {3, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};

        request[6] = viewer->client->width >> 8;
        request[7] = viewer->client->width & 0xff;
        request[8] = viewer->client->height >> 8;
        request[9] = viewer->client->height & 0xff;
        if (hung_up(fd) || (send(fd, request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
                            errno != EAGAIN)) {
            printf("dropped after %.1f s\n",
                   (g_get_monotonic_time() - start) / (double)G_USEC_PER_SEC);
            return;
        }
        g_usleep(20 * 1000);
    }
    die("the server did not drop a viewer that reads nothing");
}

static void garbage(int fd)
{
    gint64 end = g_get_monotonic_time() + GARBAGE_SECONDS * G_USEC_PER_SEC;
    uint8_t bytes[4096];
    GRand *rand = g_rand_new_with_seed(1);

    while (g_get_monotonic_time() < end) {
        ssize_t n;

        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = g_rand_int(rand);
        n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (hung_up(fd) || (n < 0 && errno != EAGAIN)) {
            printf("dropped\n");
            g_rand_free(rand);
            return;
        }
        while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            ;
        g_usleep(1000);
    }
    die("the server did not drop a viewer that sends garbage");
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

/* Does the action that *args starts with and returns what follows it. */
static char **act(struct viewer *viewer, char **args)
{
    const char *action = args[0], *value = args[1];

    if (strcmp(action, "click") == 0) {
        SendPointerEvent(viewer->client, viewer->x, viewer->y, 1);
        look_on(viewer, KEY_PAUSE_MS);
        SendPointerEvent(viewer->client, viewer->x, viewer->y, 0);
        return args + 1;
    }
    if (strcmp(action, "garbage") == 0) {
        garbage(viewer->client->sock);
        return args + 1;
    }
    if (value == NULL)
        die("unknown action, or one without its argument");
    if (strcmp(action, "move") == 0 && args[2] != NULL) {
        viewer->x = atoi(value);
        viewer->y = atoi(args[2]);
        SendPointerEvent(viewer->client, viewer->x, viewer->y, 0);
        return args + 3;
    }
    if (strcmp(action, "region") == 0 && g_strv_length(args) > 4) {
        show_region(viewer, args + 1);
        return args + 5;
    }
    if (strcmp(action, "type") == 0)
        type_text(viewer, value);
    else if (strcmp(action, "run") == 0)
        look_on(viewer, g_ascii_strtod(value, NULL) * 1000);
    else if (strcmp(action, "save") == 0)
        save(viewer, value);
    else if (strcmp(action, "stall") == 0)
        stall(viewer, atoi(value));
    else
        die("unknown action");
    return args + 2;
}

int main(int argc, char **argv)
{
    struct viewer viewer = {0};
    char **args = argv + 1;
    const char *address;

    if (argc > 3 && strcmp(args[0], "-p") == 0) {
        viewer.password = args[1];
        args += 2;
    }
    if (args[0] == NULL || args[1] == NULL)
        die("usage: vnc_tool [-p PASSWORD] ADDRESS ACTION...");
    address = *args++;
    if (strcmp(args[0], "raw") == 0) {
        garbage(connect_raw(address));
        return 0;
    }
    rfbEnableClientLogging = FALSE;
    connect_viewer(&viewer, address);
    while (*args != NULL)
        args = act(&viewer, args);
    free(viewer.client->frameBuffer);
    rfbClientCleanup(viewer.client);
    return 0;
}
