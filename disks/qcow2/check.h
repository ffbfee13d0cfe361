/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files that check. */
#ifndef DISKS_QCOW2_CHECK_H
#define DISKS_QCOW2_CHECK_H

#include "disks/qcow2/qcow2.h"

struct qcow2_checker {
    struct qcow2 *q;
    unsigned flags;
    struct image_check_result *result;
    const struct image_progress *progress;
    uint64_t file_clusters;
    GHashTable *pages;  /* references found, by cluster / CHECK_PAGE */
    GHashTable *tables; /* L2 tables: uint64_t offset -> struct checked_table */
    GHashTable *kept;   /* as pages, of the walk before a repair; NULL: none */
    /* What L1 tables lead to, and is something else: offsets. NULL: before a repair it is not
     * known. */
    GHashTable *false_tables;
    uint64_t last_page; /* the one looked at last, which is mostly the next one too */
    uint32_t *last_counts;
    uint64_t counted_end; /* no cluster from here on is referred to */
    bool bad_refcounts;   /* blocks or table are where they cannot be */
    bool out_of_memory;
};

struct qcow2_checked_table {
    uint64_t offset;
    uint64_t references;
    bool active;
    bool bad; /* some of its entries are */
};

/* check_count.c */
void qcow2_count_init(struct qcow2_checker *checker);
void qcow2_count_finish(struct qcow2_checker *checker);
/* Begins anew; qcow2_counted_before() has what was counted. */
void qcow2_count_again(struct qcow2_checker *checker);
uint64_t qcow2_counted_before(const struct qcow2_checker *checker, uint64_t cluster);
/* So many references to all clusters of a range. false: part of it lies outside of the file. */
bool qcow2_count(struct qcow2_checker *checker, uint64_t offset, uint64_t length,
                 uint64_t references);
uint64_t qcow2_counted(struct qcow2_checker *checker, uint64_t cluster);
/* The first cluster from this one on that may be referred to; end: none before it. A sparse file
 * may have very many that are not. */
uint64_t qcow2_count_next(struct qcow2_checker *checker, uint64_t cluster, uint64_t end);

/* check_walk.c: counts what tables refer to. A negative errno stops the check. */
int qcow2_check_walk(struct qcow2_checker *checker);
int qcow2_check_refcount_tables(struct qcow2_checker *checker);
/* Compares the copied flags with what was counted. */
int qcow2_check_copied(struct qcow2_checker *checker);

void qcow2_check_corrupt(struct qcow2_checker *checker, const char *message, ...)
    G_GNUC_PRINTF(2, 3);

#endif
