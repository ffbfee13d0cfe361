/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target without libFuzzer: first each file of its corpus, then mutations of them.
 *
 * "fuzz_foo" takes its corpus from FUZZ_CORPUS, or $srcdir/tests/fuzz/corpus/foo. FUZZ_RUNS is the
 * number of mutations (default: as many as fit in a second), FUZZ_SEED (seed.h) where they start.
 * Run n uses seed + n and nothing else, so the seed that a failure prints repeats it with
 * FUZZ_RUNS=1. Files given as arguments run alone.
 */
#include <glib.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tests/seed.h"

#define FUZZ_MAX_INPUT (64 * 1024)
#define FUZZ_MAX_INPUT_SECONDS 20
#define FUZZ_DEFAULT_USEC G_USEC_PER_SEC

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* What is running: printed by the handlers when it is the last thing to run. */
static char running[512];

static void print_running(void)
{
    if (write(STDERR_FILENO, running, strlen(running)) < 0)
        _exit(2);
}

static void on_signal(int number)
{
    print_running();
    signal(number, SIG_DFL);
    raise(number);
}

static void watch_for_failures(void)
{
    static const int signals[] = {SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV};

    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(print_running);
        signal(SIGALRM, on_signal);
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
        signal(signals[i], on_signal);
}

/* The input is given in a block of its exact size, so that ASan sees a read past its end. */
static void run_one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size);

    if (size > 0)
        memcpy(copy, data, size);
    alarm(FUZZ_MAX_INPUT_SECONDS);
    LLVMFuzzerTestOneInput(copy, size);
    alarm(0);
    free(copy);
}

static void run_file(const char *path, GPtrArray *corpus)
{
    g_autofree char *contents = NULL;
    g_autoptr(GError) error = NULL;
    gsize size;

    if (!g_file_get_contents(path, &contents, &size, &error)) {
        fprintf(stderr, "%s\n", error->message);
        exit(2);
    }
    snprintf(running, sizeof(running), "failed on the file %s\n", path);
    run_one((const uint8_t *)contents, size);
    if (size <= FUZZ_MAX_INPUT)
        g_ptr_array_add(corpus, g_bytes_new(contents, size));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void run_corpus(const char *folder, GPtrArray *corpus)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    if (dir == NULL) {
        fprintf(stderr, "%s\n", error->message);
        exit(2);
    }
    while ((name = g_dir_read_name(dir)) != NULL)
        g_ptr_array_add(names, g_build_filename(folder, name, NULL));
    /* The order decides what a seed means. */
    g_ptr_array_sort(names, by_name);
    for (guint i = 0; i < names->len; i++)
        run_file(names->pdata[i], corpus);
}

static uint32_t interesting(GRand *rand)
{
    static const uint32_t values[] = {0,      1,      2,       4,          7,          8,
                                      0x10,   0x1f,   0x20,    0x7f,       0x80,       0xff,
                                      0x100,  0x1ff,  0x200,   0xfff,      0x1000,     0x7fff,
                                      0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};

    if (g_rand_boolean(rand))
        return g_rand_int(rand);
    return values[g_rand_int_range(rand, 0, G_N_ELEMENTS(values))];
}

static GBytes *pick(GRand *rand, GPtrArray *corpus)
{
    return corpus->pdata[g_rand_int_range(rand, 0, corpus->len)];
}

/* Copies a piece of some corpus file, or random bytes, over or into the input. */
static void splice(GRand *rand, GPtrArray *corpus, GByteArray *input, guint at)
{
    gsize size;
    const uint8_t *other = g_bytes_get_data(pick(rand, corpus), &size);
    gsize from = size == 0 ? 0 : g_rand_int(rand) % size;
    gsize wanted = g_rand_int_range(rand, 1, 65), length = MIN(size - from, wanted);
    gsize tail = input->len - at;

    if (length == 0 || input->len + length > FUZZ_MAX_INPUT)
        return;
    if (g_rand_boolean(rand)) {
        memcpy(input->data + at, other + from, MIN(length, tail));
        return;
    }
    g_byte_array_set_size(input, input->len + length);
    memmove(input->data + at + length, input->data + at, tail);
    memcpy(input->data + at, other + from, length);
}

static void mutate(GRand *rand, GPtrArray *corpus, GByteArray *input)
{
    guint at, width = 1 << g_rand_int_range(rand, 0, 3);
    uint32_t value = interesting(rand);

    if (input->len == 0) {
        g_byte_array_append(input, (const uint8_t *)&value, sizeof(value));
        return;
    }
    at = g_rand_int(rand) % input->len;
    switch (g_rand_int_range(rand, 0, 5)) {
    case 0:
        input->data[at] ^= 1 << g_rand_int_range(rand, 0, 8);
        break;
    case 1:
        memcpy(input->data + at, &value, MIN(input->len - at, width));
        break;
    case 2:
        g_byte_array_remove_range(input, at, MIN(input->len - at, 1 + value % 32));
        break;
    case 3:
        if (g_rand_int_range(rand, 0, 8) == 0)
            g_byte_array_set_size(input, at);
        break;
    default:
        splice(rand, corpus, input, at);
    }
}

static void run_mutation(GPtrArray *corpus, uint32_t seed)
{
    GRand *rand = g_rand_new_with_seed(seed);
    GByteArray *input = g_byte_array_new();
    gsize size;
    const uint8_t *start = g_bytes_get_data(pick(rand, corpus), &size);

    g_byte_array_append(input, start, size);
    for (int n = g_rand_int_range(rand, 1, 16); n > 0; n--)
        mutate(rand, corpus, input);
    snprintf(running, sizeof(running), "failed: repeat with FUZZ_SEED=%u FUZZ_RUNS=1\n", seed);
    run_one(input->data, input->len);
    g_byte_array_free(input, TRUE);
    g_rand_free(rand);
}

static char *corpus_folder(const char *program)
{
    g_autofree char *name = g_path_get_basename(program);
    const char *folder = g_getenv("FUZZ_CORPUS"), *source = g_getenv("srcdir");

    if (folder != NULL)
        return g_strdup(folder);
    return g_build_filename(source != NULL ? source : ".", "tests", "fuzz", "corpus",
                            g_str_has_prefix(name, "fuzz_") ? name + strlen("fuzz_") : name, NULL);
}

int main(int argc, char **argv)
{
    g_autofree char *folder = corpus_folder(argv[0]);
    g_autoptr(GPtrArray) corpus = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    const char *runs_text = g_getenv("FUZZ_RUNS");
    uint32_t seed = test_seed("FUZZ_SEED");
    uint64_t runs = runs_text != NULL ? g_ascii_strtoull(runs_text, NULL, 0) : UINT64_MAX;
    gint64 end = runs_text != NULL ? G_MAXINT64 : g_get_monotonic_time() + FUZZ_DEFAULT_USEC;
    uint64_t run = 0;

    watch_for_failures();
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            run_file(argv[i], corpus);
        return 0;
    }
    run_corpus(folder, corpus);
    if (corpus->len == 0)
        g_ptr_array_add(corpus, g_bytes_new(NULL, 0));
    for (; run < runs && g_get_monotonic_time() < end; run++)
        run_mutation(corpus, seed + run);
    printf("%u corpus files, %" G_GUINT64_FORMAT " mutations from seed %u\n", corpus->len, run,
           seed);
    return 0;
}
