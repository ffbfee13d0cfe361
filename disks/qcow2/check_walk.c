/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts what all tables refer to. An L2 table that several L1 tables share is read once, whatever
 * their number. */
#include <errno.h>
#include <inttypes.h>

#include "disks/bytes.h"
#include "disks/qcow2/check.h"

#define BITMAP_ENTRY_FIXED 24
#define L1_RESERVED 0x7f000000000001ffULL
#define L2_RESERVED 0x3f000000000001feULL /* but for compressed clusters */

static bool repairs(const struct qcow2_checker *checker)
{
    return checker->flags & IMAGE_REPAIR_ERRORS;
}

/* Whether a table may be repaired: nothing else has its place, as a damaged entry may have it that
 * leads to what is no table. */
static bool repairs_at(const struct qcow2_checker *checker, uint64_t offset, uint64_t length,
                       uint64_t references)
{
    struct qcow2 *q = checker->q;

    if (!repairs(checker) || qcow2_is_main_table(q, offset, length))
        return false;
    for (uint64_t at = 0; at < length; at += q->cluster_size)
        if (qcow2_counted_before(checker, (offset + at) >> q->cluster_bits) != references)
            return false;
    return true;
}

/* An entry that leads nowhere becomes zeros. */
static struct qcow2_entry no_entry(const struct qcow2 *q)
{
    struct qcow2_entry entry = {0, 0};

    if (q->subclusters > 1)
        entry.bitmap = QCOW2_ALL_ZERO;
    else if (q->header.version >= 3)
        entry.word = QCOW2_ZERO;
    return entry;
}

static bool count_entry(struct qcow2_checker *checker, struct qcow2_entry entry,
                        const struct qcow2_checked_table *table)
{
    struct qcow2 *q = checker->q;
    uint64_t host = entry.word & QCOW2_OFFSET_MASK, size;

    if (entry.word & QCOW2_COMPRESSED) {
        uint64_t end;

        if (q->data_file != q->file)
            return false;
        qcow2_compressed_place(q, entry.word, &host, &size);
        if (table->active)
            checker->result->compressed_clusters++;
        /* Its last sector may reach past the end of the file. */
        end = checker->file_clusters << q->cluster_bits;
        if (host < end && host + size > end)
            size = end - host;
        return qcow2_count(checker, host, size, table->references);
    }
    if (q->subclusters > 1 && (entry.bitmap & entry.bitmap >> 32 & QCOW2_ALL_DATA) != 0)
        return false;
    if (host == 0)
        return true;
    return host % q->cluster_size == 0 &&
           (q->data_file != q->file ||
            qcow2_count(checker, host, q->cluster_size, table->references));
}

static void note_place(struct qcow2_checker *checker, struct qcow2_entry entry, uint64_t *next)
{
    struct qcow2 *q = checker->q;
    uint64_t host = entry.word & QCOW2_OFFSET_MASK;

    if (!(entry.word & QCOW2_COMPRESSED) && host == 0)
        return;
    checker->result->allocated_clusters++;
    if (entry.word & QCOW2_COMPRESSED) {
        checker->result->fragmented_clusters++;
        return;
    }
    if (*next != 0 && host != *next)
        checker->result->fragmented_clusters++;
    *next = host + q->cluster_size;
}

/* The bits that have no meaning there, and must be 0. */
static struct qcow2_entry meaningless(const struct qcow2 *q, struct qcow2_entry entry)
{
    struct qcow2_entry bits = {L2_RESERVED, 0};

    if (entry.word & QCOW2_COMPRESSED)
        return (struct qcow2_entry){0, entry.bitmap};
    if (q->header.version < 3 || q->subclusters > 1)
        bits.word |= QCOW2_ZERO;
    /* There is no data without a place for it. */
    if ((entry.word & QCOW2_OFFSET_MASK) == 0 && q->data_file == q->file)
        bits.bitmap = QCOW2_ALL_DATA;
    return (struct qcow2_entry){entry.word & bits.word, entry.bitmap & bits.bitmap};
}

/* true: the entry has changed. */
static bool check_bits(struct qcow2_checker *checker, struct qcow2_checked_table *table,
                       unsigned index, struct qcow2_entry *entry, bool repair)
{
    struct qcow2_entry bits = meaningless(checker->q, *entry);

    if (bits.word == 0 && bits.bitmap == 0)
        return false;
    qcow2_check_corrupt(checker,
                        "Entry %u of the L2 table at 0x%" PRIx64 " is 0x%" PRIx64
                        ", with bits that have no meaning.",
                        index, table->offset, entry->word);
    table->bad = true;
    if (!repair)
        return false;
    entry->word &= ~bits.word;
    entry->bitmap &= ~bits.bitmap;
    checker->result->corruptions--;
    checker->result->corruptions_fixed++;
    return true;
}

/* The file may end inside of what is taken for a table. */
static int read_table(const struct qcow2 *q, uint64_t offset, uint8_t *buffer)
{
    uint64_t size;
    int result = q->file->ops->size(q->file, &size);

    if (result < 0)
        return result;
    if (offset >= size)
        return -EIO;
    memset(buffer, 0, q->cluster_size);
    return file_read_buffer(q->file, buffer, MIN(q->cluster_size, size - offset), offset);
}

static int walk_table(struct qcow2_checker *checker, struct qcow2_checked_table *table,
                      uint8_t *buffer, uint64_t *next)
{
    struct qcow2 *q = checker->q;
    int result = read_table(q, table->offset, buffer);
    bool repair = repairs_at(checker, table->offset, q->cluster_size, table->references);
    bool changed = false;

    if (result < 0) {
        checker->result->errors++;
        image_check_add_message(checker->result,
                                "The L2 table at 0x%" PRIx64 " cannot be read: %s.", table->offset,
                                g_strerror(-result));
        return 0;
    }
    for (unsigned i = 0; i < 1U << q->l2_bits; i++) {
        struct qcow2_entry entry = qcow2_entry_load(q, buffer, i);

        if (check_bits(checker, table, i, &entry, repair)) {
            qcow2_entry_store(q, buffer, i, entry);
            changed = true;
        }
        if (count_entry(checker, entry, table)) {
            if (table->active)
                note_place(checker, entry, next);
            continue;
        }
        qcow2_check_corrupt(checker,
                            "Entry %u of the L2 table at 0x%" PRIx64 " is 0x%" PRIx64
                            ", which is no place in the file.",
                            i, table->offset, entry.word);
        table->bad = true;
        if (repair) {
            qcow2_entry_store(q, buffer, i, no_entry(q));
            checker->result->corruptions--;
            checker->result->corruptions_fixed++;
            changed = true;
        }
    }
    return changed ? file_write_buffer(q->file, buffer, q->cluster_size, table->offset) : 0;
}

/* An L1 table that is walked. */
struct walked {
    uint64_t *entries;
    uint64_t count;
    bool active, repair, changed;
};

/* An entry that is wrong, and what a repair makes of it. */
static void correct_l1(struct qcow2_checker *checker, struct walked *l1, uint64_t index,
                       uint64_t corrected, const char *what)
{
    qcow2_check_corrupt(checker, "Entry %" PRIu64 " of an L1 table is 0x%" PRIx64 ", %s.", index,
                        l1->entries[index], what);
    if (!l1->repair)
        return;
    l1->entries[index] = corrected;
    checker->result->corruptions--;
    checker->result->corruptions_fixed++;
    l1->changed = true;
}

/* Notes the L2 tables of an L1 table. */
static void note_tables(struct qcow2_checker *checker, struct walked *l1)
{
    struct qcow2 *q = checker->q;

    for (uint64_t i = 0; i < l1->count; i++) {
        uint64_t word = l1->entries[i], offset = word & QCOW2_OFFSET_MASK;
        struct qcow2_checked_table *table;

        if (word == 0)
            continue;
        if ((word & L1_RESERVED) != 0 || offset == 0)
            correct_l1(checker, l1, i, offset != 0 ? word & ~L1_RESERVED : 0,
                       "with bits that have no meaning");
        if (offset == 0)
            continue;
        if (checker->false_tables != NULL &&
            g_hash_table_contains(checker->false_tables, &offset)) {
            correct_l1(checker, l1, i, 0, "which leads to what is no table");
            continue;
        }
        if (offset % q->cluster_size != 0 || !qcow2_count(checker, offset, q->cluster_size, 1)) {
            correct_l1(checker, l1, i, 0, "which is no place in the file");
            continue;
        }
        table = g_hash_table_lookup(checker->tables, &offset);
        if (table == NULL) {
            table = g_new0(struct qcow2_checked_table, 1);
            table->offset = offset;
            g_hash_table_insert(checker->tables, &table->offset, table);
        }
        table->references++;
        table->active |= l1->active;
    }
}

static int walk_active(struct qcow2_checker *checker)
{
    struct qcow2 *q = checker->q;
    struct walked l1 = {
        .entries = q->l1,
        .count = q->header.l1_size,
        .active = true,
        .repair = repairs(checker),
    };

    if (!qcow2_count(checker, q->header.l1_offset, (uint64_t)q->header.l1_size * 8, 1))
        qcow2_check_corrupt(checker, "The L1 table reaches past the end of the file.");
    note_tables(checker, &l1);
    return l1.changed ? qcow2_table_write(q, q->header.l1_offset, q->l1, q->header.l1_size) : 0;
}

/* Whether anything that was counted before lies there. */
static bool is_taken(struct qcow2_checker *checker, uint64_t offset, uint64_t length)
{
    uint64_t cluster = offset >> checker->q->cluster_bits;
    uint64_t end = cluster + qcow2_clusters(checker->q, length);

    end = MIN(end, checker->file_clusters);
    while ((cluster = qcow2_count_next(checker, cluster, end)) < end)
        if (qcow2_counted(checker, cluster++) > 0)
            return true;
    return false;
}

static int walk_snapshot(struct qcow2_checker *checker, const struct qcow2_snapshot *snapshot)
{
    struct qcow2 *q = checker->q;
    uint64_t bytes = (uint64_t)snapshot->l1_size * 8;
    g_autofree uint64_t *entries = NULL;
    struct walked l1 = {.count = snapshot->l1_size};
    int result;

    /* Else many large ones, each a little further than the last, would make the check endless. */
    if (is_taken(checker, snapshot->l1_offset, bytes)) {
        checker->result->errors++;
        image_check_add_message(checker->result,
                                "The table of the snapshot \"%s\" lies where another is.",
                                snapshot->name);
        return 0;
    }
    if (!qcow2_count(checker, snapshot->l1_offset, bytes, 1)) {
        qcow2_check_corrupt(checker, "The table of the snapshot \"%s\" is not in the file.",
                            snapshot->name);
        return 0;
    }
    l1.entries = entries = g_try_new(uint64_t, MAX(l1.count, 1));
    if (entries == NULL)
        return -ENOMEM;
    result = qcow2_table_read(q, snapshot->l1_offset, entries, l1.count);
    if (result < 0) {
        checker->result->errors++;
        image_check_add_message(checker->result, "The snapshot \"%s\" cannot be read: %s.",
                                snapshot->name, g_strerror(-result));
        return 0;
    }
    l1.repair = repairs_at(checker, snapshot->l1_offset, bytes, 1);
    note_tables(checker, &l1);
    return l1.changed ? qcow2_table_write(q, snapshot->l1_offset, entries, l1.count) : 0;
}

/* Snapshots may lie about their tables, and all name the same one: each place is walked once. */
static int walk_snapshots(struct qcow2_checker *checker)
{
    struct qcow2 *q = checker->q;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_int64_hash, g_int64_equal);
    int result = 0;

    if (!qcow2_count(checker, q->header.snapshots_offset, q->snapshots_stored, 1))
        qcow2_check_corrupt(checker, "The table of snapshots reaches past the end of the file.");
    for (guint i = 0; i < q->snapshots->len && result == 0; i++) {
        struct qcow2_snapshot *snapshot = q->snapshots->pdata[i];

        if (!image_step(checker->progress, i, q->snapshots->len, NULL))
            return -ECANCELED;
        if (snapshot->l1_size > 0 && !g_hash_table_add(seen, &snapshot->l1_offset)) {
            qcow2_check_corrupt(checker, "The snapshot \"%s\" has the table of another.",
                                snapshot->name);
            continue;
        }
        result = walk_snapshot(checker, snapshot);
    }
    return result;
}

/* The tables and data of one bitmap. */
static int walk_bitmap(struct qcow2_checker *checker, uint64_t table, uint32_t entries)
{
    struct qcow2 *q = checker->q;
    uint64_t part[512];
    int result = 0;

    if (table % q->cluster_size != 0 || !qcow2_count(checker, table, (uint64_t)entries * 8, 1)) {
        qcow2_check_corrupt(checker, "The table of a bitmap is not in the file.");
        return 0;
    }
    for (uint32_t at = 0; at < entries && result == 0; at += G_N_ELEMENTS(part)) {
        uint32_t count = MIN(entries - at, G_N_ELEMENTS(part));

        result = qcow2_table_read(q, table + (uint64_t)at * 8, part, count);
        for (uint32_t i = 0; i < count && result == 0; i++) {
            uint64_t data = part[i] & QCOW2_OFFSET_MASK;

            if (data != 0 &&
                (data % q->cluster_size != 0 || !qcow2_count(checker, data, q->cluster_size, 1)))
                qcow2_check_corrupt(checker, "Data of a bitmap is not in the file.");
        }
    }
    return result;
}

static int walk_bitmaps(struct qcow2_checker *checker)
{
    struct qcow2 *q = checker->q;
    uint64_t size = q->header.bitmap_directory_size, at = 0;
    uint64_t offset = q->header.bitmap_directory_offset;
    g_autofree uint8_t *directory = NULL;
    int result;

    if (!q->header.has_bitmaps || !(q->header.autoclear & QCOW2_AUTOCLEAR_BITMAPS))
        return 0;
    if (size > QCOW2_MAX_BITMAP_DIRECTORY || q->header.bitmap_count > QCOW2_MAX_BITMAPS ||
        offset % q->cluster_size != 0 || !qcow2_count(checker, offset, size, 1)) {
        qcow2_check_corrupt(checker, "The directory of bitmaps is not in the file.");
        return 0;
    }
    directory = g_try_malloc(MAX(size, 1));
    if (directory == NULL)
        return -ENOMEM;
    result = size > 0 ? file_read_buffer(q->file, directory, size, offset) : 0;
    for (uint32_t i = 0; i < q->header.bitmap_count && result == 0; i++) {
        uint64_t rest;

        if (size - at < BITMAP_ENTRY_FIXED) {
            qcow2_check_corrupt(checker, "The directory of bitmaps is cut short.");
            break;
        }
        result = walk_bitmap(checker, get_be64(directory + at), get_be32(directory + at + 8));
        rest = BITMAP_ENTRY_FIXED + (uint64_t)get_be16(directory + at + 18) +
               get_be32(directory + at + 20);
        rest = (rest + 7) & ~7ULL;
        if (rest > size - at)
            break;
        at += rest;
    }
    return result;
}

static int by_offset(const void *a, const void *b)
{
    const struct qcow2_checked_table *const *one = a, *const *two = b;

    return (*one)->offset < (*two)->offset ? -1 : (*one)->offset > (*two)->offset;
}

static int walk_tables(struct qcow2_checker *checker)
{
    struct qcow2 *q = checker->q;
    g_autofree uint8_t *buffer = g_try_malloc(q->cluster_size);
    g_autoptr(GPtrArray) tables = g_ptr_array_new();
    GHashTableIter iter;
    void *table;
    uint64_t next = 0;
    int result = buffer != NULL ? 0 : -ENOMEM;

    g_hash_table_iter_init(&iter, checker->tables);
    while (g_hash_table_iter_next(&iter, NULL, &table))
        g_ptr_array_add(tables, table);
    g_ptr_array_sort(tables, by_offset);
    for (guint i = 0; i < tables->len && result == 0; i++) {
        if (!image_step(checker->progress, i, tables->len, NULL))
            return -ECANCELED;
        result = walk_table(checker, tables->pdata[i], buffer, &next);
    }
    return result;
}

static int walk(struct qcow2_checker *checker)
{
    int result;

    qcow2_count(checker, 0, 1, 1); /* the header */
    result = walk_active(checker);
    if (result == 0)
        result = walk_snapshots(checker);
    if (result == 0)
        result = walk_tables(checker);
    return result == 0 ? walk_bitmaps(checker) : result;
}

/* Tables with bad entries that lie where something else does, too: what leads there is wrong. */
static GHashTable *find_false_tables(struct qcow2_checker *checker)
{
    GHashTable *found = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    struct qcow2 *q = checker->q;
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, checker->tables);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const struct qcow2_checked_table *table = value;

        if (table->bad &&
            (qcow2_is_main_table(q, table->offset, q->cluster_size) ||
             qcow2_counted(checker, table->offset >> q->cluster_bits) != table->references))
            g_hash_table_add(found, g_memdup2(&table->offset, sizeof(table->offset)));
    }
    return found;
}

int qcow2_check_walk(struct qcow2_checker *checker)
{
    struct image_check_result before = *checker->result;
    unsigned flags = checker->flags;
    guint messages = before.messages->len;
    GHashTable *false_tables;
    int result;

    if (!repairs(checker))
        return walk(checker);
    /* Once to see what lies where. */
    checker->flags = 0;
    result = walk(checker);
    checker->flags = flags;
    if (result < 0)
        return result;
    *checker->result = before;
    g_ptr_array_set_size(before.messages, messages);
    false_tables = find_false_tables(checker);
    qcow2_count_again(checker);
    checker->false_tables = false_tables;
    return walk(checker);
}

int qcow2_check_refcount_tables(struct qcow2_checker *checker)
{
    struct qcow2 *q = checker->q;
    uint64_t size = (uint64_t)q->header.reftable_clusters << q->cluster_bits;

    if (!qcow2_count(checker, q->header.reftable_offset, size, 1)) {
        qcow2_check_corrupt(checker, "The refcount table reaches past the end of the file.");
        checker->bad_refcounts = true;
    }
    for (uint64_t i = 0; i < q->reftable_entries; i++) {
        uint64_t block = q->reftable[i];

        if (block == 0)
            continue;
        if (block % q->cluster_size == 0 && block >> q->cluster_bits < checker->file_clusters &&
            qcow2_counted(checker, block >> q->cluster_bits) == 0) {
            qcow2_count(checker, block, q->cluster_size, 1);
            continue;
        }
        qcow2_check_corrupt(checker,
                            "Entry %" PRIu64 " of the refcount table is 0x%" PRIx64
                            ", which is no place for a block.",
                            i, q->reftable[i]);
        checker->bad_refcounts = true;
    }
    return 0;
}

/* A flag that is missing costs a copy; one too many, the data of a snapshot. */
static void check_flag(struct qcow2_checker *checker, uint64_t *word, const char *what,
                       bool *changed)
{
    struct qcow2 *q = checker->q;
    uint64_t host = *word & QCOW2_OFFSET_MASK;
    bool own = q->data_file != q->file && what[0] != 'L'
                   ? true
                   : qcow2_counted(checker, host >> q->cluster_bits) == 1;
    bool flag = *word & QCOW2_COPIED;

    if (own == flag)
        return;
    if (!own)
        qcow2_check_corrupt(checker, "A %s at 0x%" PRIx64 " is shared but marked as not.", what,
                            host);
    else {
        checker->result->leaks++;
        image_check_add_message(checker->result,
                                "A %s at 0x%" PRIx64 " is marked as shared but is not.", what,
                                host);
    }
    if (!(checker->flags & (own ? IMAGE_REPAIR_LEAKS : IMAGE_REPAIR_ERRORS)))
        return;
    *word ^= QCOW2_COPIED;
    *changed = true;
    if (own) {
        checker->result->leaks--;
        checker->result->leaks_fixed++;
    } else {
        checker->result->corruptions--;
        checker->result->corruptions_fixed++;
    }
}

static int check_table_flags(struct qcow2_checker *checker, uint64_t offset, uint8_t *buffer)
{
    struct qcow2 *q = checker->q;
    int result = read_table(q, offset, buffer);
    bool changed = false;

    for (unsigned n = 0; n < 1U << q->l2_bits && result == 0; n++) {
        struct qcow2_entry entry = qcow2_entry_load(q, buffer, n);

        if ((entry.word & QCOW2_COMPRESSED) || (entry.word & QCOW2_OFFSET_MASK) == 0 ||
            (entry.word & QCOW2_OFFSET_MASK) % q->cluster_size != 0)
            continue;
        check_flag(checker, &entry.word, "cluster", &changed);
        qcow2_entry_store(q, buffer, n, entry);
    }
    if (result == 0 && changed)
        result = file_write_buffer(q->file, buffer, q->cluster_size, offset);
    return result;
}

int qcow2_check_copied(struct qcow2_checker *checker)
{
    struct qcow2 *q = checker->q;
    g_autofree uint8_t *buffer = g_try_malloc(q->cluster_size);
    bool changed = false;
    int result = buffer != NULL ? 0 : -ENOMEM;

    for (uint32_t i = 0; i < q->header.l1_size && result == 0; i++) {
        uint64_t offset = q->l1[i] & QCOW2_OFFSET_MASK;

        if (offset == 0 || g_hash_table_lookup(checker->tables, &offset) == NULL)
            continue;
        result = check_table_flags(checker, offset, buffer);
        check_flag(checker, &q->l1[i], "L2 table", &changed);
    }
    if (result == 0 && changed)
        result = qcow2_table_write(q, q->header.l1_offset, q->l1, q->header.l1_size);
    return result;
}
