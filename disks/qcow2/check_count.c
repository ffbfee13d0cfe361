/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often each cluster of the file is referred to, in pages, so that a sparse file takes no more
 * memory than what it has. They are small, since a reference to anywhere makes one. */
#include "disks/qcow2/check.h"

#define CHECK_PAGE 128 /* clusters */

void qcow2_count_init(struct qcow2_checker *checker)
{
    checker->pages = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    checker->tables = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    checker->last_page = UINT64_MAX;
    checker->counted_end = 0;
}

void qcow2_count_finish(struct qcow2_checker *checker)
{
    g_hash_table_unref(checker->pages);
    g_hash_table_unref(checker->tables);
    g_clear_pointer(&checker->kept, g_hash_table_unref);
    g_clear_pointer(&checker->false_tables, g_hash_table_unref);
}

void qcow2_count_again(struct qcow2_checker *checker)
{
    GHashTable *pages = g_hash_table_ref(checker->pages);

    qcow2_count_finish(checker);
    qcow2_count_init(checker);
    checker->kept = pages;
}

uint64_t qcow2_counted_before(const struct qcow2_checker *checker, uint64_t cluster)
{
    const uint32_t *page =
        g_hash_table_lookup(checker->kept, GSIZE_TO_POINTER(cluster / CHECK_PAGE));

    return page != NULL ? page[cluster % CHECK_PAGE] : 0;
}

static uint32_t *page_of(struct qcow2_checker *checker, uint64_t cluster, bool make)
{
    uint64_t number = cluster / CHECK_PAGE;
    uint32_t *page;

    if (number == checker->last_page)
        return checker->last_counts;
    page = g_hash_table_lookup(checker->pages, GSIZE_TO_POINTER(number));
    if (page == NULL && make) {
        page = g_try_new0(uint32_t, CHECK_PAGE);
        if (page == NULL)
            checker->out_of_memory = true;
        else
            g_hash_table_insert(checker->pages, GSIZE_TO_POINTER(number), page);
    }
    if (page != NULL) {
        checker->last_page = number;
        checker->last_counts = page;
    }
    return page;
}

bool qcow2_count(struct qcow2_checker *checker, uint64_t offset, uint64_t length,
                 uint64_t references)
{
    uint64_t first = offset >> checker->q->cluster_bits, last;

    if (length == 0)
        return true;
    if (offset > IMAGE_MAX_SIZE || length > IMAGE_MAX_SIZE)
        return false;
    last = (offset + length - 1) >> checker->q->cluster_bits;
    if (last >= checker->file_clusters)
        return false;
    checker->counted_end = MAX(checker->counted_end, last + 1);
    for (uint64_t cluster = first; cluster <= last; cluster++) {
        uint32_t *page = page_of(checker, cluster, true);

        if (page == NULL)
            return true; /* the check fails for lack of memory */
        page[cluster % CHECK_PAGE] =
            MIN((uint64_t)page[cluster % CHECK_PAGE] + references, UINT32_MAX);
    }
    return true;
}

uint64_t qcow2_count_next(struct qcow2_checker *checker, uint64_t cluster, uint64_t end)
{
    while (cluster < end && page_of(checker, cluster, false) == NULL)
        cluster = (cluster / CHECK_PAGE + 1) * CHECK_PAGE;
    return MIN(cluster, end);
}

uint64_t qcow2_counted(struct qcow2_checker *checker, uint64_t cluster)
{
    uint32_t *page = page_of(checker, cluster, false);

    return page != NULL ? page[cluster % CHECK_PAGE] : 0;
}
