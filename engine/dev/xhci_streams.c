/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams: 4.12. Their contexts lie in guest memory; those in use are kept here, and written back
 * when the endpoint stops.
 */
#include "core/log.h"
#include "engine/dev/xhci_internal.h"

#define STREAM_CONTEXT_SIZE 16
#define STREAM_LSA (1u << 15) /* of an endpoint context: the primary array is all there is */
#define POINTER_MASK (~UINT64_C(0xf))
#define DCS 0x1

/* Stream context types: 6.2.4.1 */
enum { SCT_SECONDARY_RING = 0, SCT_PRIMARY_RING = 1, SCT_ARRAY_8 = 2 };
#define SCT_SHIFT 1
#define SCT_MASK 0x7

/* A stream context's pointer and type. */
static enum xhci_code read_context(struct xhci *xhci, uint64_t at, uint64_t *ret_pointer)
{
    uint32_t words[2];

    if (!xhci_read_words(xhci_memory(xhci), at, words, 2)) {
        xhci_host_error(xhci, "stream context", at);
        return CODE_NONE;
    }
    *ret_pointer = words[0] | (uint64_t)words[1] << 32;
    return CODE_SUCCESS;
}

/* 4.12.2: the low bits of an id choose in the primary array, the high ones in a secondary one. */
static enum xhci_code locate(struct xhci_endpoint *endpoint, unsigned id, uint64_t *ret_context,
                             uint64_t *ret_pointer)
{
    struct xhci *xhci = endpoint->slot->xhci;
    unsigned shift = (endpoint->context[0] >> 10 & 0x1f) + 1;
    unsigned primary = id & ((1u << shift) - 1), secondary = id >> shift;
    uint64_t array = (endpoint->context[2] & POINTER_MASK) | (uint64_t)endpoint->context[3] << 32;
    unsigned type, want = SCT_PRIMARY_RING;
    enum xhci_code code;

    *ret_context = array + primary * STREAM_CONTEXT_SIZE;
    code = read_context(xhci, *ret_context, ret_pointer);
    if (code != CODE_SUCCESS)
        return code;
    type = *ret_pointer >> SCT_SHIFT & SCT_MASK;
    if (!(endpoint->context[0] & STREAM_LSA) && type >= SCT_ARRAY_8) {
        unsigned size = 1u << (type + 1);

        if (secondary == 0 || secondary >= size)
            return CODE_INVALID_STREAM_ID;
        *ret_context = (*ret_pointer & POINTER_MASK) + secondary * STREAM_CONTEXT_SIZE;
        want = SCT_SECONDARY_RING;
        code = read_context(xhci, *ret_context, ret_pointer);
        if (code != CODE_SUCCESS)
            return code;
        type = *ret_pointer >> SCT_SHIFT & SCT_MASK;
    } else if (secondary != 0) {
        return CODE_INVALID_STREAM_ID;
    }
    return type == want ? CODE_SUCCESS : CODE_INVALID_STREAM_TYPE;
}

static bool is_idle(const struct xhci_endpoint *endpoint, const struct xhci_stream *stream)
{
    for (const GList *l = endpoint->transfers.head; l != NULL; l = l->next)
        if (((const struct xhci_transfer *)l->data)->stream == stream)
            return false;
    return !stream->rung && stream->ring.skip == 0 && stream->ring.moved == 0;
}

bool xhci_stream_write_back(struct xhci *xhci, const struct xhci_stream *stream)
{
    const uint32_t words[2] = {
        (stream->ring.dequeue & UINT32_MAX) |
            (uint32_t)(stream->secondary ? SCT_SECONDARY_RING : SCT_PRIMARY_RING) << SCT_SHIFT |
            stream->ring.cycle,
        stream->ring.dequeue >> 32};

    if (xhci_write_words(xhci_memory(xhci), stream->context, words, 2))
        return true;
    xhci_host_error(xhci, "stream context", stream->context);
    return false;
}

/* Makes room by forgetting those that have nothing under way: memory has them. */
static void forget_idle(struct xhci_endpoint *endpoint)
{
    GHashTableIter iter;
    gpointer stream;

    g_hash_table_iter_init(&iter, endpoint->streams);
    while (g_hash_table_iter_next(&iter, NULL, &stream)) {
        if (!is_idle(endpoint, stream))
            continue;
        if (!xhci_stream_write_back(endpoint->slot->xhci, stream))
            return;
        g_hash_table_iter_remove(&iter);
    }
}

enum xhci_code xhci_stream_find(struct xhci_endpoint *endpoint, unsigned id,
                                struct xhci_stream **ret_stream)
{
    struct xhci_stream *stream = g_hash_table_lookup(endpoint->streams, GUINT_TO_POINTER(id));
    uint64_t context, pointer;
    enum xhci_code code;

    *ret_stream = stream;
    if (stream != NULL)
        return CODE_SUCCESS;
    if (id == 0 || id > USB_MAX_STREAMS)
        return CODE_INVALID_STREAM_ID;
    code = locate(endpoint, id, &context, &pointer);
    if (code != CODE_SUCCESS)
        return code;
    if (g_hash_table_size(endpoint->streams) >= XHCI_MAX_CACHED_STREAMS)
        forget_idle(endpoint);
    if (g_hash_table_size(endpoint->streams) >= XHCI_MAX_CACHED_STREAMS)
        return CODE_RESOURCE_ERROR;
    stream = g_new0(struct xhci_stream, 1);
    stream->id = id;
    stream->context = context;
    stream->secondary = (pointer >> SCT_SHIFT & SCT_MASK) == SCT_SECONDARY_RING;
    stream->ring.dequeue = pointer & POINTER_MASK;
    stream->ring.cycle = pointer & DCS;
    g_hash_table_insert(endpoint->streams, GUINT_TO_POINTER(id), stream);
    *ret_stream = stream;
    return CODE_SUCCESS;
}

void xhci_streams_write_back(struct xhci_endpoint *endpoint)
{
    GHashTableIter iter;
    gpointer stream;

    if (endpoint->streams == NULL)
        return;
    g_hash_table_iter_init(&iter, endpoint->streams);
    while (g_hash_table_iter_next(&iter, NULL, &stream))
        if (!xhci_stream_write_back(endpoint->slot->xhci, stream))
            return;
}
