/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serves the scripted device by usbredir, as usbredirect does with a real one:
 *
 *   redir_peer unix PATH | tcp PORT [DISK-FILE]
 *
 * to one client, and ends with it. It says "ready" when it listens. Its end is the device's
 * unplugging.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <usbredirparser.h>

#include "tests/usb/scripted_device.h"

#define DISK_BYTES (16 * 1024 * 1024)
#define ISO_BYTES 64
#define KEY_MS 50

struct peer_urb {
    struct scripted_urb urb; /* must be first */
    uint64_t id;
    struct scripted_packet packet;
};

struct peer {
    struct usbredirparser *parser;
    struct scripted_device device;
    int fd;
    bool over, keys_wanted, iso_wanted;
};

static uint8_t status_of(int status)
{
    switch (status) {
    case 0:
        return usb_redir_success;
    case -EPIPE:
        return usb_redir_stall;
    case -EOVERFLOW:
        return usb_redir_babble;
    case -ENOENT:
        return usb_redir_cancelled;
    default:
        return usb_redir_ioerror;
    }
}

static int on_read(void *opaque, uint8_t *data, int count)
{
    struct peer *peer = opaque;
    ssize_t size = recv(peer->fd, data, count, MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    peer->over = size <= 0;
    return size <= 0 ? -1 : size;
}

static int on_write(void *opaque, uint8_t *data, int count)
{
    struct peer *peer = opaque;
    ssize_t size = send(peer->fd, data, count, MSG_NOSIGNAL);

    peer->over |= size < 0;
    return size;
}

static void on_log(void *opaque, int level, const char *message)
{
    if (level <= usbredirparser_warning)
        fprintf(stderr, "redir_peer: %s\n", message);
}

static void send_endpoints(struct peer *peer)
{
    struct usb_redir_interface_info_header interfaces = {.interface_count = 3};
    struct usb_redir_ep_info_header endpoints;

    memset(&endpoints, 0, sizeof(endpoints));
    memset(endpoints.type, usb_redir_type_invalid, sizeof(endpoints.type));
    endpoints.type[0] = endpoints.type[16] = usb_redir_type_control;
    endpoints.type[17] = endpoints.type[2] = usb_redir_type_bulk;
    endpoints.max_packet_size[17] = endpoints.max_packet_size[2] = 512;
    if (peer->device.configuration == 1)
        endpoints.type[19] = usb_redir_type_interrupt;
    if (peer->device.iso_setting == 1)
        endpoints.type[20] = usb_redir_type_iso;
    if (peer->device.configuration == 2)
        endpoints.max_streams[17] = endpoints.max_streams[2] = SCRIPTED_STREAMS;
    for (unsigned i = 0; i < 3; i++)
        interfaces.interface[i] = i;
    usbredirparser_send_interface_info(peer->parser, &interfaces);
    usbredirparser_send_ep_info(peer->parser, &endpoints);
}

static void on_hello(void *opaque, struct usb_redir_hello_header *hello)
{
    struct usb_redir_device_connect_header connect = {
        .speed = usb_redir_speed_high,
        .vendor_id = SCRIPTED_VENDOR,
        .product_id = SCRIPTED_PRODUCT,
        .device_version_bcd = 0x0100,
    };

    send_endpoints(opaque);
    usbredirparser_send_device_connect(((struct peer *)opaque)->parser, &connect);
}

static struct peer_urb *submit(struct peer *peer, uint64_t id, uint8_t endpoint, uint32_t length)
{
    struct peer_urb *u = g_new0(struct peer_urb, 1);

    u->id = id;
    u->urb.endpoint = endpoint;
    u->urb.length = length;
    u->urb.data = g_malloc0(length + 1);
    return u;
}

static void on_reset(void *opaque)
{
    scripted_device_reset(&((struct peer *)opaque)->device);
}

static void on_control(void *opaque, uint64_t id, struct usb_redir_control_packet_header *header,
                       uint8_t *data, int size)
{
    struct peer *peer = opaque;
    struct peer_urb *u = submit(peer, id, 0, 8 + header->length);
    uint8_t setup[8] = {header->requesttype,   header->request,      header->value & 0xff,
                        header->value >> 8,    header->index & 0xff, header->index >> 8,
                        header->length & 0xff, header->length >> 8};

    if (header->requesttype == 0x02 && header->request == 1)
        peer->device.halted[header->index >> 7 & 1] &= ~(1u << (header->index & 7));
    memcpy(u->urb.data, setup, 8);
    if (data != NULL)
        memcpy(u->urb.data + 8, data, MIN(size, header->length));
    usbredirparser_free_packet_data(peer->parser, data);
    scripted_device_submit(&peer->device, &u->urb);
}

static void on_bulk(void *opaque, uint64_t id, struct usb_redir_bulk_packet_header *header,
                    uint8_t *data, int size)
{
    struct peer *peer = opaque;
    uint32_t length = header->length | (uint32_t)header->length_high << 16;
    struct peer_urb *u = submit(peer, id, header->endpoint, length);

    u->urb.stream = header->stream_id;
    if (data != NULL)
        memcpy(u->urb.data, data, MIN((uint32_t)size, length));
    usbredirparser_free_packet_data(peer->parser, data);
    scripted_device_submit(&peer->device, &u->urb);
}

static void on_set_configuration(void *opaque, uint64_t id,
                                 struct usb_redir_set_configuration_header *header)
{
    struct peer *peer = opaque;
    struct usb_redir_configuration_status_header status = {
        header->configuration <= 2 ? usb_redir_success : usb_redir_stall, header->configuration};

    if (header->configuration <= 2)
        peer->device.configuration = header->configuration;
    peer->device.iso_setting = 0;
    send_endpoints(peer);
    usbredirparser_send_configuration_status(peer->parser, id, &status);
}

static void on_get_configuration(void *opaque, uint64_t id)
{
    struct peer *peer = opaque;
    struct usb_redir_configuration_status_header status = {usb_redir_success,
                                                           peer->device.configuration};

    usbredirparser_send_configuration_status(peer->parser, id, &status);
}

static void on_set_alt(void *opaque, uint64_t id, struct usb_redir_set_alt_setting_header *header)
{
    struct peer *peer = opaque;
    bool known = header->interface == 2 && header->alt <= 1;
    struct usb_redir_alt_setting_status_header status = {known || header->alt == 0
                                                             ? usb_redir_success
                                                             : usb_redir_stall,
                                                         header->interface, header->alt};

    if (known)
        peer->device.iso_setting = header->alt;
    send_endpoints(peer);
    usbredirparser_send_alt_setting_status(peer->parser, id, &status);
}

static void set_streams(struct peer *peer, uint64_t id, uint32_t endpoints, unsigned count)
{
    struct usb_redir_bulk_streams_status_header status = {endpoints, count, usb_redir_success};

    for (unsigned i = 0; i < 32; i++) {
        uint8_t endpoint = i < 16 ? i : (i - 16) | 0x80;

        if ((endpoints >> i & 1) && !scripted_device_set_streams(&peer->device, endpoint, count))
            status.status = usb_redir_inval;
    }
    usbredirparser_send_bulk_streams_status(peer->parser, id, &status);
}

static void on_alloc_streams(void *opaque, uint64_t id,
                             struct usb_redir_alloc_bulk_streams_header *header)
{
    set_streams(opaque, id, header->endpoints, header->no_streams);
}

static void on_free_streams(void *opaque, uint64_t id,
                            struct usb_redir_free_bulk_streams_header *header)
{
    set_streams(opaque, id, header->endpoints, 0);
}

static void on_start_interrupt(void *opaque, uint64_t id,
                               struct usb_redir_start_interrupt_receiving_header *header)
{
    struct peer *peer = opaque;
    struct usb_redir_interrupt_receiving_status_header status = {usb_redir_success,
                                                                 header->endpoint};

    usbredirparser_send_interrupt_receiving_status(peer->parser, id, &status);
    peer->keys_wanted = true;
}

static void on_start_iso(void *opaque, uint64_t id,
                         struct usb_redir_start_iso_stream_header *header)
{
    struct peer *peer = opaque;
    struct usb_redir_iso_stream_status_header status = {usb_redir_success, header->endpoint};

    usbredirparser_send_iso_stream_status(peer->parser, id, &status);
    peer->iso_wanted = true;
}

static void on_cancel(void *opaque, uint64_t id)
{
    struct peer *peer = opaque;

    for (GList *l = peer->device.flying.head; l != NULL; l = l->next) {
        struct peer_urb *u = l->data;

        if (u->id == id && u->urb.packets == NULL) {
            g_queue_delete_link(&peer->device.flying, l);
            g_free(u->urb.data);
            g_free(u);
            return;
        }
    }
}

static void answer(struct peer *peer, struct peer_urb *u)
{
    uint8_t status = status_of(u->urb.status);
    bool in = (u->urb.endpoint == 0 ? u->urb.data[0] : u->urb.endpoint) & 0x80;
    uint32_t actual = u->urb.actual;

    if (u->urb.endpoint == 0) {
        struct usb_redir_control_packet_header header = {
            .endpoint = in ? 0x80 : 0,
            .request = u->urb.data[1],
            .requesttype = u->urb.data[0],
            .status = status,
            .length = actual,
        };
        usbredirparser_send_control_packet(peer->parser, u->id, &header,
                                           in ? u->urb.data + 8 : NULL, in ? actual : 0);
    } else if (u->urb.endpoint == 0x83) {
        struct usb_redir_interrupt_packet_header header = {0x83, status, actual};

        usbredirparser_send_interrupt_packet(peer->parser, u->id, &header, u->urb.data, actual);
    } else if (u->urb.endpoint == 0x84) {
        struct usb_redir_iso_packet_header header = {0x84, status, actual};

        usbredirparser_send_iso_packet(peer->parser, u->id, &header, u->urb.data, actual);
    } else {
        struct usb_redir_bulk_packet_header header = {
            .endpoint = u->urb.endpoint,
            .status = status,
            .length = actual & 0xffff,
            .length_high = actual >> 16,
            .stream_id = u->urb.stream,
        };
        usbredirparser_send_bulk_packet(peer->parser, u->id, &header, in ? u->urb.data : NULL,
                                        in ? actual : 0);
    }
    g_free(u->urb.data);
    g_free(u);
}

/* The endpoints that send by themselves always have a transfer under way. */
static void keep_streams(struct peer *peer)
{
    struct peer_urb *u;

    if (peer->keys_wanted) {
        peer->keys_wanted = false;
        scripted_device_submit(&peer->device, &submit(peer, 0, 0x83, SCRIPTED_KEY_BYTES)->urb);
    }
    if (peer->iso_wanted && peer->device.iso_setting == 1) {
        peer->iso_wanted = false;
        u = submit(peer, 0, 0x84, ISO_BYTES);
        u->packet.length = ISO_BYTES;
        u->urb.packets = &u->packet;
        u->urb.packet_count = 1;
        scripted_device_submit(&peer->device, &u->urb);
    }
}

static void serve(struct peer *peer)
{
    struct scripted_urb *urb;

    while (!peer->over) {
        struct pollfd wait = {peer->fd, POLLIN, 0};

        while (usbredirparser_has_data_to_write(peer->parser) && !peer->over)
            usbredirparser_do_write(peer->parser);
        poll(&wait, 1, scripted_device_due(&peer->device) >= 0 ? 1 : KEY_MS);
        if (wait.revents != 0)
            usbredirparser_do_read(peer->parser);
        keep_streams(peer);
        while ((urb = scripted_device_run(&peer->device)) != NULL) {
            peer->keys_wanted |= urb->endpoint == 0x83;
            peer->iso_wanted |= urb->endpoint == 0x84;
            answer(peer, (struct peer_urb *)urb);
        }
    }
}

static int listen_at(const char *kind, const char *where)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_port = htons(atoi(where))};
    bool is_unix = strcmp(kind, "unix") == 0;
    int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    g_strlcpy(local.sun_path, where, sizeof(local.sun_path));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, is_unix ? (struct sockaddr *)&local : (struct sockaddr *)&inet,
             is_unix ? sizeof(local) : sizeof(inet)) != 0 ||
        listen(fd, 1) != 0) {
        perror(where);
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    uint32_t caps[USB_REDIR_CAPS_SIZE] = {0};
    struct peer peer = {0};
    struct scripted_disk *disk;
    int fd;

    if (argc < 3) {
        fprintf(stderr, "usage: redir_peer unix PATH | tcp PORT [DISK-FILE]\n");
        return 2;
    }
    disk = scripted_disk_new(argc > 3 ? argv[3] : NULL, DISK_BYTES);
    if (disk == NULL) {
        perror(argv[3]);
        return 1;
    }
    fd = listen_at(argv[1], argv[2]);
    puts("ready");
    fflush(stdout);
    scripted_device_init(&peer.device, disk);
    peer.fd = accept(fd, NULL, NULL);
    peer.parser = usbredirparser_create();
    peer.parser->priv = &peer;
    peer.parser->log_func = on_log;
    peer.parser->read_func = on_read;
    peer.parser->write_func = on_write;
    peer.parser->hello_func = on_hello;
    peer.parser->reset_func = on_reset;
    peer.parser->set_configuration_func = on_set_configuration;
    peer.parser->get_configuration_func = on_get_configuration;
    peer.parser->set_alt_setting_func = on_set_alt;
    peer.parser->start_interrupt_receiving_func = on_start_interrupt;
    peer.parser->start_iso_stream_func = on_start_iso;
    peer.parser->cancel_data_packet_func = on_cancel;
    peer.parser->alloc_bulk_streams_func = on_alloc_streams;
    peer.parser->free_bulk_streams_func = on_free_streams;
    peer.parser->control_packet_func = on_control;
    peer.parser->bulk_packet_func = on_bulk;
    usbredirparser_caps_set_cap(caps, usb_redir_cap_connect_device_version);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_ep_info_max_packet_size);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_64bits_ids);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_32bits_bulk_length);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_bulk_streams);
    usbredirparser_init(peer.parser, "redir_peer", caps, USB_REDIR_CAPS_SIZE,
                        usbredirparser_fl_usb_host);
    serve(&peer);
    usbredirparser_destroy(peer.parser);
    scripted_disk_free(disk);
    unlink(argv[2]);
    return 0;
}
