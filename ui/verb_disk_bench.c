/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast an image is, without a guest. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "disks/image_bench.h"
#include "ui/disk_verbs.h"
#include "ui/output.h"

#define MAX_BLOCK (16 * 1024 * 1024)
#define DEFAULT_COUNT 75000
#define DEFAULT_DEPTH 32
#define DEFAULT_BLOCK 4096

static bool cache_option(const struct verb_call *call, enum image_cache *ret_cache, GError **err)
{
    static const char *const names[] = {"writeback", "writethrough", "direct"};
    const char *value = verb_value(call, "cache");

    *ret_cache = IMAGE_CACHE_WRITE_BACK;
    for (unsigned i = 0; value != NULL && i < G_N_ELEMENTS(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            *ret_cache = i;
            return true;
        }
    }
    return value == NULL ||
           verb_misused(err, "--cache: there is no \"%s\": use writeback, writethrough or direct",
                        value);
}

static bool bench_options(const struct verb_call *call, struct image_bench *bench, GError **err)
{
    const char *block = verb_value(call, "block");
    unsigned flush;

    *bench = (struct image_bench){
        .write = verb_has(call, "write"),
        .random = verb_has(call, "random"),
        .block = DEFAULT_BLOCK,
    };
    if (block != NULL && !disk_parse_size("--block", block, &bench->block, err))
        return false;
    if (bench->block > MAX_BLOCK)
        return verb_misused(err, "--block: at most 16M");
    if (!verb_number(call, "depth", 1, IMAGE_BENCH_MAX_DEPTH, DEFAULT_DEPTH, &bench->depth, err) ||
        !verb_number(call, "count", 1, G_MAXUINT, DEFAULT_COUNT, &bench->count, err) ||
        !verb_number(call, "flush", 1, G_MAXUINT, 0, &flush, err))
        return false;
    if (flush > 0 && !bench->write)
        return verb_misused(err, "--flush goes with --write");
    bench->flush_after = flush;
    return true;
}

bool verb_disk_bench(const struct verb_call *call, GError **err)
{
    struct image_options options = {.format = verb_value(call, "format")};
    struct disk_progress *progress;
    struct image_bench bench;
    struct disk_image disk;
    double seconds;
    bool done;

    if (!bench_options(call, &bench, err) || !cache_option(call, &options.cache, err))
        return false;
    if (!disk_open_with(&disk, call, call->arguments[0], bench.write ? DISK_WRITE : DISK_READ,
                        &options, err))
        return false;
    progress = disk_progress_new("Measuring");
    done = image_bench(disk.image, &bench, &seconds, disk_progress_of(progress), err);
    disk_progress_free(progress);
    if (!disk_close(&disk, done, err))
        return false;
    if (verb_has(call, "json"))
        output_json(json_pack("{s:f, s:f, s:f}", "seconds", seconds, "requests-per-second",
                              bench.count / seconds, "bytes-per-second",
                              (double)bench.count * bench.block / seconds));
    else
        printf("%u requests of %" PRIu64 " bytes in %.3f s: %.0f requests/s, %.1f MiB/s\n",
               bench.count, bench.block, seconds, bench.count / seconds,
               (double)bench.count * bench.block / seconds / (1 << 20));
    return true;
}
