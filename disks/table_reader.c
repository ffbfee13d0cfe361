/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "disks/table_reader.h"

#include <errno.h>
#include <string.h>

struct page {
    uint64_t number; /* of the file's pages */
    size_t size;     /* less than a page where the file ends */
    uint8_t bytes[TABLE_READER_PAGE_SIZE];
};

struct table_reader {
    struct file *file;
    GMutex lock;
    struct page *pages[TABLE_READER_PAGES]; /* under the lock; by number; NULL: none yet */
};

struct table_reader *table_reader_new(struct file *file)
{
    struct table_reader *reader = g_new0(struct table_reader, 1);

    reader->file = file;
    g_mutex_init(&reader->lock);
    return reader;
}

void table_reader_free(struct table_reader *reader)
{
    if (reader == NULL)
        return;
    for (size_t i = 0; i < TABLE_READER_PAGES; i++)
        g_free(reader->pages[i]);
    g_mutex_clear(&reader->lock);
    g_free(reader);
}

static bool copy_from_page(const struct page *page, size_t at, void *bytes, size_t size)
{
    if (size > page->size || at > page->size - size)
        return false;
    memcpy(bytes, page->bytes + at, size);
    return true;
}

/* As much of the page as the file has. */
static int read_page(struct table_reader *reader, struct page *page)
{
    while (page->size < TABLE_READER_PAGE_SIZE) {
        struct iovec iov = {page->bytes + page->size, TABLE_READER_PAGE_SIZE - page->size};
        ssize_t moved = reader->file->ops->read(reader->file, &iov, 1,
                                                page->number * TABLE_READER_PAGE_SIZE + page->size);

        if (moved == -EINTR)
            continue;
        if (moved < 0)
            return moved;
        if (moved == 0)
            return 0;
        page->size += moved;
    }
    return 0;
}

/* A piece that lies in one page. */
static int get_in_page(struct table_reader *reader, uint64_t offset, void *bytes, size_t size)
{
    uint64_t number = offset / TABLE_READER_PAGE_SIZE;
    size_t at = offset % TABLE_READER_PAGE_SIZE;
    struct page **slot = &reader->pages[number % TABLE_READER_PAGES];
    struct page *page;
    bool known, copied = false;
    int result;

    g_mutex_lock(&reader->lock);
    known = *slot != NULL && (*slot)->number == number;
    if (known)
        copied = copy_from_page(*slot, at, bytes, size);
    g_mutex_unlock(&reader->lock);
    if (known)
        return copied ? 0 : -EIO;

    page = g_new(struct page, 1);
    page->number = number;
    page->size = 0;
    result = read_page(reader, page);
    if (result == 0 && !copy_from_page(page, at, bytes, size))
        result = -EIO;
    if (result == 0) {
        struct page *before;

        g_mutex_lock(&reader->lock);
        before = *slot;
        *slot = page;
        g_mutex_unlock(&reader->lock);
        page = before;
    }
    g_free(page);
    return result;
}

int table_reader_get(struct table_reader *reader, uint64_t offset, void *entry, size_t size)
{
    size_t first = MIN(size, TABLE_READER_PAGE_SIZE - offset % TABLE_READER_PAGE_SIZE);
    int result;

    if (size > TABLE_READER_PAGE_SIZE || offset > INT64_MAX - size)
        return -EIO;
    result = get_in_page(reader, offset, entry, first);
    if (result == 0 && first < size)
        result = get_in_page(reader, offset + first, (uint8_t *)entry + first, size - first);
    return result;
}
