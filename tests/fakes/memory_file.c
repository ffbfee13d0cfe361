/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/memory_file.h"

#include <errno.h>
#include <string.h>

/* Counts the call; 0, or the negative errno with which it is to fail. Keeps the lock. */
static int enter(struct memory_file *memory, enum file_call call)
{
    g_mutex_lock(&memory->lock);
    while (memory->hold && call <= FILE_WRITE)
        g_cond_wait(&memory->released, &memory->lock);
    g_string_append_c(memory->log, "rwfds"[call]);
    return ++memory->calls[call] == memory->fail_call[call] ? -memory->fail_errno : 0;
}

static ssize_t move(struct file *file, enum file_call call, const struct iovec *iov, unsigned count,
                    uint64_t offset)
{
    struct memory_file *memory = (struct memory_file *)file;
    ssize_t moved = enter(memory, call);

    for (unsigned i = 0; moved >= 0 && i < count; i++) {
        size_t left = offset < memory->size ? memory->size - offset : 0;
        size_t size = MIN(iov[i].iov_len, left);

        if (memory->max_move > 0)
            size = MIN(size, memory->max_move - moved);
        if (size > 0 && call == FILE_READ)
            memcpy(iov[i].iov_base, memory->data + offset, size);
        else if (size > 0)
            memcpy(memory->data + offset, iov[i].iov_base, size);
        moved += size;
        offset += size;
        if (size < iov[i].iov_len)
            break;
    }
    g_mutex_unlock(&memory->lock);
    return moved;
}

static ssize_t memory_read(struct file *file, const struct iovec *iov, unsigned count,
                           uint64_t offset)
{
    return move(file, FILE_READ, iov, count, offset);
}

static ssize_t memory_write(struct file *file, const struct iovec *iov, unsigned count,
                            uint64_t offset)
{
    return move(file, FILE_WRITE, iov, count, offset);
}

static int memory_flush(struct file *file)
{
    struct memory_file *memory = (struct memory_file *)file;
    int result = enter(memory, FILE_FLUSH);

    g_mutex_unlock(&memory->lock);
    return result;
}

static int memory_discard(struct file *file, uint64_t offset, uint64_t length)
{
    struct memory_file *memory = (struct memory_file *)file;
    int result = enter(memory, FILE_DISCARD);

    if (result == 0 && offset < memory->size)
        memset(memory->data + offset, 0, MIN(length, memory->size - offset));
    g_mutex_unlock(&memory->lock);
    return result;
}

static int memory_size(struct file *file, uint64_t *ret_size)
{
    struct memory_file *memory = (struct memory_file *)file;
    int result = enter(memory, FILE_SIZE);

    *ret_size = memory->size;
    g_mutex_unlock(&memory->lock);
    return result;
}

static int memory_truncate(struct file *file, uint64_t size)
{
    struct memory_file *memory = (struct memory_file *)file;

    if (memory->max_size > 0 && size > memory->max_size)
        return -ENOSPC;
    g_mutex_lock(&memory->lock);
    memory->data = g_realloc(memory->data, size);
    if (size > memory->size)
        memset(memory->data + memory->size, 0, size - memory->size);
    memory->size = size;
    g_mutex_unlock(&memory->lock);
    return 0;
}

static void memory_close(struct file *file)
{
    struct memory_file *memory = (struct memory_file *)file;

    g_mutex_lock(&memory->lock);
    g_string_append_c(memory->log, 'c');
    g_mutex_unlock(&memory->lock);
}

struct memory_file *memory_file_new(uint64_t size)
{
    static const struct file_ops ops = {
        .read = memory_read,
        .write = memory_write,
        .flush = memory_flush,
        .discard = memory_discard,
        .size = memory_size,
        .truncate = memory_truncate,
        .close = memory_close,
    };
    struct memory_file *memory = g_new0(struct memory_file, 1);

    memory->file.ops = &ops;
    memory->file.path = g_strdup("memory");
    g_mutex_init(&memory->lock);
    g_cond_init(&memory->released);
    memory->data = g_malloc0(size);
    memory->size = size;
    memory->log = g_string_new(NULL);
    return memory;
}

void memory_file_free(struct memory_file *memory)
{
    g_string_free(memory->log, TRUE);
    g_mutex_clear(&memory->lock);
    g_cond_clear(&memory->released);
    g_free(memory->file.path);
    g_free(memory->data);
    g_free(memory);
}

void memory_file_hold(struct memory_file *memory)
{
    g_mutex_lock(&memory->lock);
    memory->hold = true;
    g_mutex_unlock(&memory->lock);
}

void memory_file_release(struct memory_file *memory)
{
    g_mutex_lock(&memory->lock);
    memory->hold = false;
    g_cond_broadcast(&memory->released);
    g_mutex_unlock(&memory->lock);
}
