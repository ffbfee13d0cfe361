/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who uses clusters of the file. Time is divided into epochs: a new one begins when the users of
 * the one before have ended, so that there never are any but of two. What was freed in one may be
 * used again when the second after it begins. To end takes no lock, since most requests only read.
 */
#include "disks/qcow2/qcow2.h"

/* false: there are users of the epoch before. */
static bool begin_epoch(struct qcow2 *q)
{
    if (g_atomic_int_get(&q->users[(q->epoch + 1) % 2]) > 0)
        return false;
    q->epoch++;
    return true;
}

void qcow2_user_begin(struct qcow2 *q, struct qcow2_user *user)
{
    begin_epoch(q);
    user->epoch = q->epoch;
    g_atomic_int_inc(&q->users[user->epoch % 2]);
}

void qcow2_user_end(struct qcow2 *q, const struct qcow2_user *user)
{
    /* Who waits for the last one has said so before it looked whether there is any. */
    if (!g_atomic_int_dec_and_test(&q->users[user->epoch % 2]) || g_atomic_int_get(&q->paused) == 0)
        return;
    g_mutex_lock(&q->lock);
    g_cond_broadcast(&q->changed);
    g_mutex_unlock(&q->lock);
}

bool qcow2_has_users(struct qcow2 *q)
{
    return g_atomic_int_get(&q->users[0]) > 0 || g_atomic_int_get(&q->users[1]) > 0;
}

bool qcow2_users_ended(struct qcow2 *q, uint64_t epoch)
{
    while (q->epoch < epoch + 2 && begin_epoch(q))
        ;
    return q->epoch >= epoch + 2;
}
