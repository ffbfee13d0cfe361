/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/recording_file.h"

#include <errno.h>
#include <string.h>

struct recorded_file {
    char *name;
    GByteArray *start; /* before the first event */
    GByteArray *now;
};

struct recording {
    GMutex lock;       /* guards all below */
    GPtrArray *files;  /* struct recorded_file */
    GPtrArray *events; /* struct recorded_event */
    unsigned open;
    unsigned fail_calls, fail_nth, calls;
    int fail_errnum;
    bool fail_for_good;
};

struct recording_handle {
    struct file file;
    struct recording *recording;
    unsigned index;
};

static struct recorded_file *file_at(const struct recording *recording, unsigned index)
{
    return recording->files->pdata[index];
}

/* Grows with zeros. */
static void set_size(GByteArray *bytes, uint64_t size)
{
    guint before = bytes->len;

    g_assert_cmpuint(size, <, G_MAXUINT);
    g_byte_array_set_size(bytes, size);
    if (size > before)
        memset(bytes->data + before, 0, size - before);
}

static void apply(GByteArray *bytes, const struct recorded_event *event)
{
    uint64_t end = event->offset + event->length;

    switch (event->kind) {
    case RECORDED_WRITE:
        if (end > bytes->len)
            set_size(bytes, end);
        memcpy(bytes->data + event->offset, event->data, event->length);
        break;
    case RECORDED_TRUNCATE:
        set_size(bytes, event->offset);
        break;
    case RECORDED_DISCARD:
        end = MIN(end, bytes->len);
        if (event->offset < end)
            memset(bytes->data + event->offset, 0, end - event->offset);
        break;
    case RECORDED_FLUSH:
        break;
    }
}

/* The lock is held. Takes data over. */
static void record(struct recording_handle *handle, enum recorded_kind kind, uint64_t offset,
                   uint64_t length, uint8_t *data)
{
    struct recorded_event *event = g_new(struct recorded_event, 1);

    *event = (struct recorded_event){kind, handle->index, offset, length, data};
    g_ptr_array_add(handle->recording->events, event);
    apply(file_at(handle->recording, handle->index)->now, event);
}

/* Counts the call; 0, or the negative errno with which it is to fail. Takes the lock. */
static int enter(struct recording_handle *handle, enum recording_calls call)
{
    struct recording *recording = handle->recording;

    g_mutex_lock(&recording->lock);
    if ((recording->fail_calls & call) == 0)
        return 0;
    recording->calls++;
    if (recording->fail_nth == 0 || recording->calls < recording->fail_nth)
        return 0;
    return recording->calls == recording->fail_nth || recording->fail_for_good
               ? -recording->fail_errnum
               : 0;
}

static void leave(struct recording_handle *handle)
{
    g_mutex_unlock(&handle->recording->lock);
}

static ssize_t recording_read(struct file *file, const struct iovec *iov, unsigned count,
                              uint64_t offset)
{
    struct recording_handle *handle = (struct recording_handle *)file;
    ssize_t moved = enter(handle, RECORDING_READS);
    const GByteArray *now = file_at(handle->recording, handle->index)->now;

    for (unsigned i = 0; moved >= 0 && i < count; i++) {
        size_t left = offset < now->len ? now->len - offset : 0;
        size_t size = MIN(iov[i].iov_len, left);

        if (size > 0)
            memcpy(iov[i].iov_base, now->data + offset, size);
        moved += size;
        offset += size;
    }
    leave(handle);
    return moved;
}

static ssize_t recording_write(struct file *file, const struct iovec *iov, unsigned count,
                               uint64_t offset)
{
    struct recording_handle *handle = (struct recording_handle *)file;
    g_autoptr(GByteArray) data = g_byte_array_new();
    gsize written;
    int failure;

    if (file->read_only)
        return -EBADF;
    for (unsigned i = 0; i < count; i++)
        g_byte_array_append(data, iov[i].iov_base, iov[i].iov_len);
    failure = enter(handle, RECORDING_WRITES);
    written = failure == 0 ? data->len : data->len / 2;
    if (written > 0)
        record(handle, RECORDED_WRITE, offset, written, g_memdup2(data->data, written));
    leave(handle);
    return failure != 0 ? failure : (ssize_t)written;
}

static int change(struct file *file, enum recording_calls call, enum recorded_kind kind,
                  uint64_t offset, uint64_t length)
{
    struct recording_handle *handle = (struct recording_handle *)file;
    int result = enter(handle, call);

    if (result == 0 && file->read_only)
        result = kind == RECORDED_FLUSH ? 0 : -EBADF;
    else if (result == 0)
        record(handle, kind, offset, length, NULL);
    leave(handle);
    return result;
}

static int recording_flush(struct file *file)
{
    return change(file, RECORDING_FLUSHES, RECORDED_FLUSH, 0, 0);
}

static int recording_discard(struct file *file, uint64_t offset, uint64_t length)
{
    return change(file, RECORDING_DISCARDS, RECORDED_DISCARD, offset, length);
}

static int recording_truncate(struct file *file, uint64_t size)
{
    return change(file, RECORDING_TRUNCATES, RECORDED_TRUNCATE, size, 0);
}

static int recording_size(struct file *file, uint64_t *ret_size)
{
    struct recording_handle *handle = (struct recording_handle *)file;

    g_mutex_lock(&handle->recording->lock);
    *ret_size = file_at(handle->recording, handle->index)->now->len;
    leave(handle);
    return 0;
}

static void recording_close(struct file *file)
{
    struct recording_handle *handle = (struct recording_handle *)file;

    g_mutex_lock(&handle->recording->lock);
    handle->recording->open--;
    leave(handle);
    g_free(file->path);
    g_free(handle);
}

static void free_file(gpointer opaque)
{
    struct recorded_file *file = opaque;

    g_free(file->name);
    g_byte_array_unref(file->start);
    g_byte_array_unref(file->now);
    g_free(file);
}

static void free_event(gpointer opaque)
{
    struct recorded_event *event = opaque;

    g_free(event->data);
    g_free(event);
}

struct recording *recording_new(void)
{
    struct recording *recording = g_new0(struct recording, 1);

    g_mutex_init(&recording->lock);
    recording->files = g_ptr_array_new_with_free_func(free_file);
    recording->events = g_ptr_array_new_with_free_func(free_event);
    return recording;
}

void recording_free(struct recording *recording)
{
    g_assert_cmpuint(recording->open, ==, 0);
    g_ptr_array_unref(recording->files);
    g_ptr_array_unref(recording->events);
    g_mutex_clear(&recording->lock);
    g_free(recording);
}

void recording_add(struct recording *recording, const char *name, const void *data, uint64_t size)
{
    struct recorded_file *file = g_new(struct recorded_file, 1);

    *file = (struct recorded_file){g_strdup(name), g_byte_array_new(), g_byte_array_new()};
    set_size(file->start, size);
    if (data != NULL && size > 0)
        memcpy(file->start->data, data, size);
    g_byte_array_append(file->now, file->start->data, size);
    g_mutex_lock(&recording->lock);
    g_ptr_array_add(recording->files, file);
    g_mutex_unlock(&recording->lock);
}

static bool find(const struct recording *recording, const char *name, unsigned *ret_index)
{
    for (unsigned i = 0; i < recording->files->len; i++) {
        if (strcmp(file_at(recording, i)->name, name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

struct file *recording_open(struct recording *recording, const char *name, bool read_only)
{
    static const struct file_ops ops = {
        .read = recording_read,
        .write = recording_write,
        .flush = recording_flush,
        .discard = recording_discard,
        .size = recording_size,
        .truncate = recording_truncate,
        .close = recording_close,
    };
    struct recording_handle *handle = NULL;
    unsigned index;

    g_mutex_lock(&recording->lock);
    if (find(recording, name, &index)) {
        handle = g_new(struct recording_handle, 1);
        *handle = (struct recording_handle){.file = {&ops, g_strdup(name), read_only},
                                            .recording = recording,
                                            .index = index};
        recording->open++;
    }
    g_mutex_unlock(&recording->lock);
    return handle != NULL ? &handle->file : NULL;
}

GBytes *recording_contents(struct recording *recording, const char *name)
{
    GBytes *bytes = NULL;
    unsigned index;

    g_mutex_lock(&recording->lock);
    if (find(recording, name, &index)) {
        const GByteArray *now = file_at(recording, index)->now;

        bytes = g_bytes_new(now->data, now->len);
    }
    g_mutex_unlock(&recording->lock);
    return bytes;
}

size_t recording_count(const struct recording *recording)
{
    return recording->events->len;
}

const struct recorded_event *recording_event(const struct recording *recording, size_t index)
{
    return recording->events->pdata[index];
}

/* Does to one sector of the file what the event does. */
static void apply_to_sector(GByteArray *bytes, const struct recorded_event *event, uint64_t sector)
{
    uint64_t start = MAX(sector, event->offset);
    uint64_t end = MIN(sector + RECORDING_SECTOR_SIZE, bytes->len);

    if (event->kind != RECORDED_TRUNCATE)
        end = MIN(end, event->offset + event->length);
    if (start >= end)
        return;
    if (event->kind == RECORDED_WRITE)
        memcpy(bytes->data + start, event->data + (start - event->offset), end - start);
    else
        memset(bytes->data + start, 0, end - start);
}

static uint64_t size_after(const struct recorded_event *event, uint64_t size)
{
    if (event->kind == RECORDED_TRUNCATE)
        return event->offset;
    return event->kind == RECORDED_WRITE ? MAX(size, event->offset + event->length) : size;
}

/* One sector stops at a moment of its own between two events. Sizes have their own, size_moment: a
 * sector that was cut off before it is not older than the cut, and a cut after it did not happen.
 */
static void tear_sector(GByteArray *bytes, GPtrArray *events, uint64_t sector, guint size_moment,
                        GRand *rand)
{
    guint first = 0, moment;

    for (guint i = 0; i < size_moment; i++) {
        const struct recorded_event *event = events->pdata[i];

        if (event->kind == RECORDED_TRUNCATE && event->offset < sector + RECORDING_SECTOR_SIZE)
            first = i + 1;
    }
    moment = g_rand_int_range(rand, first, events->len + 1);
    for (guint i = 0; i < moment; i++) {
        const struct recorded_event *event = events->pdata[i];

        if (event->kind != RECORDED_TRUNCATE || i < size_moment)
            apply_to_sector(bytes, event, sector);
    }
}

static void tear(GByteArray *bytes, GPtrArray *events, GRand *rand)
{
    guint size_moment = g_rand_int_range(rand, 0, events->len + 1);
    uint64_t size = bytes->len;

    for (guint i = 0; i < size_moment; i++)
        size = size_after(events->pdata[i], size);
    if (size > bytes->len)
        set_size(bytes, size);
    for (uint64_t sector = 0; sector < size; sector += RECORDING_SECTOR_SIZE)
        tear_sector(bytes, events, sector, size_moment, rand);
    set_size(bytes, size);
}

/* Brings a file from its last flush to the moment of the crash. */
static void lose(GByteArray *bytes, GPtrArray *events, enum recording_loss loss, GRand *rand)
{
    if (loss == RECORDING_LOSE_ALL || events->len == 0)
        return;
    if (loss == RECORDING_LOSE_SECTORS) {
        tear(bytes, events, rand);
        return;
    }
    for (guint i = 0; i < events->len; i++)
        if (loss == RECORDING_LOSE_NOTHING || g_rand_boolean(rand))
            apply(bytes, events->pdata[i]);
}

struct recording *recording_crash(const struct recording *recording, size_t events,
                                  enum recording_loss loss, GRand *rand)
{
    struct recording *crashed = recording_new();

    g_assert_cmpuint(events, <=, recording->events->len);
    for (unsigned index = 0; index < recording->files->len; index++) {
        const struct recorded_file *file = file_at(recording, index);
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_autoptr(GPtrArray) pending = g_ptr_array_new();

        g_byte_array_append(bytes, file->start->data, file->start->len);
        for (size_t i = 0; i < events; i++) {
            struct recorded_event *event = recording->events->pdata[i];

            if (event->file != index)
                continue;
            if (event->kind == RECORDED_FLUSH) {
                lose(bytes, pending, RECORDING_LOSE_NOTHING, NULL);
                g_ptr_array_set_size(pending, 0);
            } else {
                g_ptr_array_add(pending, event);
            }
        }
        lose(bytes, pending, loss, rand);
        recording_add(crashed, file->name, bytes->data, bytes->len);
    }
    return crashed;
}

void recording_fail(struct recording *recording, unsigned calls, unsigned nth, int errnum,
                    bool for_good)
{
    g_mutex_lock(&recording->lock);
    recording->fail_calls = calls;
    recording->fail_nth = nth;
    recording->fail_errnum = errnum;
    recording->fail_for_good = for_good;
    recording->calls = 0;
    g_mutex_unlock(&recording->lock);
}

unsigned recording_calls(struct recording *recording)
{
    unsigned calls;

    g_mutex_lock(&recording->lock);
    calls = recording->calls;
    g_mutex_unlock(&recording->lock);
    return calls;
}
