/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc_handshake.h"

#include <glib.h>
#include <string.h>
#include <sys/random.h>

#include "display/vnc_library.h"

#define SECURITY_NONE 1
#define SECURITY_VNC 2
#define RESULT_OK 0
#define RESULT_FAILED 1
#define VERSION_SIZE 12

static const char version[] = "RFB 003.008\n";

static void add_u32(struct byte_queue *out, uint32_t value)
{
    uint32_t wire = GUINT32_TO_BE(value);

    byte_queue_add(out, &wire, sizeof(wire));
}

static enum vnc_handshake_state fail(struct vnc_handshake *h, const char *reason,
                                     struct byte_queue *out)
{
    add_u32(out, RESULT_FAILED);
    if (h->minor >= 8) {
        add_u32(out, strlen(reason));
        byte_queue_add(out, reason, strlen(reason));
    }
    return HANDSHAKE_FAILED;
}

static enum vnc_handshake_state send_challenge(struct vnc_handshake *h, struct byte_queue *out)
{
    if (getrandom(h->challenge, sizeof(h->challenge), 0) != sizeof(h->challenge))
        return HANDSHAKE_FAILED;
    byte_queue_add(out, h->challenge, sizeof(h->challenge));
    return HANDSHAKE_RESPONSE;
}

/* 7.1.1 and 7.1.2: version 3.3 is told the security type, later ones choose from a list. */
static enum vnc_handshake_state on_version(struct vnc_handshake *h, struct byte_queue *out)
{
    uint8_t security = h->password != NULL ? SECURITY_VNC : SECURITY_NONE;
    uint8_t list[] = {1, security};

    if (memcmp(h->in, "RFB 003.", 8) != 0 || h->in[11] != '\n')
        return HANDSHAKE_FAILED;
    for (unsigned i = 8; i < 11; i++) {
        if (!g_ascii_isdigit(h->in[i]))
            return HANDSHAKE_FAILED;
        h->minor = h->minor * 10 + h->in[i] - '0';
    }
    /* 7.1.1: a version that was never published counts as 3.3, newer ones as ours. */
    if (h->minor >= 7) {
        h->minor = MIN(h->minor, 8);
        byte_queue_add(out, list, sizeof(list));
        return HANDSHAKE_SECURITY;
    }
    h->minor = 3;
    add_u32(out, security);
    return security == SECURITY_VNC ? send_challenge(h, out) : HANDSHAKE_CLIENT_INIT;
}

static enum vnc_handshake_state on_security(struct vnc_handshake *h, struct byte_queue *out)
{
    if (h->in[0] != (h->password != NULL ? SECURITY_VNC : SECURITY_NONE))
        return fail(h, "That security type was not offered", out);
    if (h->password != NULL)
        return send_challenge(h, out);
    if (h->minor >= 8)
        add_u32(out, RESULT_OK);
    return HANDSHAKE_CLIENT_INIT;
}

static size_t wanted(enum vnc_handshake_state state)
{
    switch (state) {
    case HANDSHAKE_VERSION:
        return VERSION_SIZE;
    case HANDSHAKE_SECURITY:
    case HANDSHAKE_CLIENT_INIT:
        return 1;
    case HANDSHAKE_RESPONSE:
        return VNC_CHALLENGE_SIZE;
    default:
        return 0;
    }
}

static enum vnc_handshake_state next_state(struct vnc_handshake *h, struct byte_queue *out)
{
    switch (h->state) {
    case HANDSHAKE_VERSION:
        return on_version(h, out);
    case HANDSHAKE_SECURITY:
        return on_security(h, out);
    case HANDSHAKE_RESPONSE:
        return HANDSHAKE_VERIFY;
    case HANDSHAKE_CLIENT_INIT:
        return HANDSHAKE_DONE; /* the shared flag is not heeded: viewers always share */
    default:
        return h->state;
    }
}

void vnc_handshake_start(struct vnc_handshake *h, const char *password, struct byte_queue *out)
{
    memset(h, 0, sizeof(*h));
    h->password = password;
    byte_queue_add(out, version, VERSION_SIZE);
}

size_t vnc_handshake_feed(struct vnc_handshake *h, const uint8_t *data, size_t size,
                          struct byte_queue *out)
{
    size_t used = 0;

    while (used < size && wanted(h->state) > 0) {
        size_t n = MIN(size - used, wanted(h->state) - h->in_length);

        memcpy(h->in + h->in_length, data + used, n);
        h->in_length += n;
        used += n;
        if (h->in_length == wanted(h->state)) {
            h->state = next_state(h, out);
            if (h->state != HANDSHAKE_VERIFY)
                h->in_length = 0;
        }
    }
    return used;
}

bool vnc_handshake_verify(struct vnc_handshake *h, struct byte_queue *out)
{
    const struct vnc_library *lib = vnc_library();
    char key[VNC_PASSWORD_MAX + 1] = "";
    unsigned difference = 0;

    g_strlcpy(key, h->password, sizeof(key));
    if (lib == NULL) {
        h->state = HANDSHAKE_FAILED;
        return false;
    }
    lib->rfbEncryptBytes(h->challenge, key);
    for (unsigned i = 0; i < VNC_CHALLENGE_SIZE; i++)
        difference |= h->challenge[i] ^ h->in[i];
    h->in_length = 0;
    if (difference != 0) {
        h->state = fail(h, "The password is wrong", out);
        return false;
    }
    add_u32(out, RESULT_OK);
    h->state = HANDSHAKE_CLIENT_INIT;
    return true;
}
