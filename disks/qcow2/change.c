/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which guest clusters get new places now. There are as many at once as requests in flight, so a
 * list does. */
#include "disks/qcow2/qcow2.h"

struct qcow2_change *qcow2_change_find(struct qcow2 *q, uint64_t first, uint64_t count)
{
    for (GList *link = q->changes.head; link != NULL; link = link->next) {
        struct qcow2_change *change = link->data;

        if (first < change->first + change->count && change->first < first + count)
            return change;
    }
    return NULL;
}

void qcow2_change_begin(struct qcow2 *q, struct qcow2_change *change, uint64_t first,
                        uint64_t count)
{
    *change = (struct qcow2_change){.first = first, .count = count};
    g_queue_init(&change->waiting);
    change->link.data = change;
    g_queue_push_tail_link(&q->changes, &change->link);
}

void qcow2_change_end(struct qcow2 *q, struct qcow2_change *change)
{
    g_queue_unlink(&q->changes, &change->link);
    while (change->waiting.head != NULL)
        qcow2_run_again(q, g_queue_pop_head(&change->waiting));
    g_cond_broadcast(&q->changed);
}
