/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The threads on which the disk requests of one machine run. */
#ifndef DISKS_IO_CONTEXT_H
#define DISKS_IO_CONTEXT_H

#include <glib.h>

struct io_context;

/* Threads start when there is work and end after being idle for some seconds. */
struct io_context *io_context_new(unsigned max_threads);
/* Waits for the work in hand. NULL is fine. */
void io_context_free(struct io_context *io);

/* Runs work(opaque) on one of the threads. Any thread may call; of these one, it may have to end
 * what it does first. */
void io_context_run(struct io_context *io, void (*work)(void *opaque), void *opaque);

#endif
