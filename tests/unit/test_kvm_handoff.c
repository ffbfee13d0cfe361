/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that a KVM may lack and the software CPU then executes for it: programs in 64-bit
 * mode at CPL 0 under KVM, from the same state as under the software CPU, come to the same end.
 * Which of them are handed over depends on the host; where the processor runs guests, none is.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/cpu/kvm_internal.h"
#include "engine/cpu/soft/x86.h"
#include "engine/cpu/vcpu_set.h"
#include "tests/suite.h"

#define RAM_SIZE 0x20000
#define TABLES 0x1000 /* three levels; the last maps 2 MiB to themselves */
#define CODE 0x8000
#define DATA 0x10000 /* random bytes, which programs change */
#define DATA_SIZE 0x4000
#define STACK 0x1f000
#define PAUSE_PORT 0xf4

#define XCR0_AVX_TOO 7u

static uint8_t *memory;

struct side {
    struct board board;
    struct accel *accel;
    struct vcpu_set *vcpus;
    struct region ram, port;
    GMutex lock;
    GCond changed;
    bool paused, stopped;
};

static void on_port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct side *s = opaque;

    vcpu_set_request_pause(s->vcpus);
    g_mutex_lock(&s->lock);
    s->paused = true;
    g_cond_broadcast(&s->changed);
    g_mutex_unlock(&s->lock);
}

static void on_stopped(void *opaque, unsigned index, enum vcpu_stop stop, const char *reason)
{
    struct side *s = opaque;

    fprintf(stderr, "vCPU %u stopped (%d): %s\n", index, stop, reason != NULL ? reason : "");
    g_mutex_lock(&s->lock);
    s->stopped = true;
    g_cond_broadcast(&s->changed);
    g_mutex_unlock(&s->lock);
}

static struct side *side_new(enum config_accel kind)
{
    static const struct region_ops ops = {.write = on_port_write, .max_access = 1};
    struct side *s = g_new0(struct side, 1);
    g_autoptr(GError) error = NULL;

    board_init(&s->board, NULL);
    s->accel = accel_new(kind, &s->board, 1, &error);
    ck_assert_msg(s->accel != NULL, "%s", error != NULL ? error->message : "");
    s->ram = (struct region){.name = "ram", .size = RAM_SIZE, .host = memory};
    s->port = (struct region){.name = "port", .size = 1, .ops = &ops, .opaque = s};
    g_mutex_lock(&s->board.lock);
    memory_map_add(s->board.memory, &s->ram, 0, 0);
    pio_bus_add(s->board.pio, &s->port, PAUSE_PORT);
    g_mutex_unlock(&s->board.lock);
    s->vcpus = vcpu_set_new(s->accel, on_stopped, s, &error);
    ck_assert_msg(s->vcpus != NULL, "%s", error != NULL ? error->message : "");
    return s;
}

static void side_free(struct side *s)
{
    vcpu_set_free(s->vcpus);
    board_finish(&s->board);
    accel_free(s->accel);
    g_free(s);
}

static struct vcpu *vcpu_of(struct side *s)
{
    return (struct vcpu *)vcpu_set_get(s->vcpus, 0);
}

/* 64-bit mode at CPL 0 with all that programs here need. */
static void make_state(struct x86_state *s, GRand *dice, bool avx)
{
    const uint32_t code = 0xa09b, data = 0xc093;

    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        s->segment[i] = (struct x86_segment){.limit = UINT32_MAX,
                                             .attributes = i == X86_CS ? code : data,
                                             .selector = i == X86_CS ? 8 : 16};
    for (unsigned i = 0; i < 16; i++)
        s->gpr[i] = (uint64_t)g_rand_int(dice) << 32 | g_rand_int(dice);
    s->gpr[X86_RBX] = DATA + 0x1000;
    s->gpr[X86_RSI] = DATA + 0x2003;
    s->gpr[X86_RDI] = DATA + 0x2801;
    s->gpr[X86_RCX] = 37;
    s->gpr[X86_RSP] = STACK;
    s->rip = CODE;
    s->rflags = X86_FLAG_1;
    s->cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_MP | CR0_ET | CR0_WP;
    s->cr3 = TABLES;
    s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | (avx ? CR4_OSXSAVE : 0);
    s->xcr0 = avx ? XCR0_AVX_TOO : 1;
    s->efer = EFER_LME | EFER_LMA;
    memset(s->xsave, 0, sizeof(s->xsave));
    memcpy(s->xsave, "\x7f\x03", 2);
    memcpy(s->xsave + 24, "\x80\x1f\0\0\xff\xff", 6);
    for (unsigned i = 0; i < 16 * 16; i++)
        s->xsave[160 + i] = g_rand_int(dice);
    for (unsigned i = 0; avx && i < 16 * 16; i++)
        s->xsave[576 + i] = g_rand_int(dice);
    s->xsave[X86_XSAVE_LEGACY_SIZE] = avx ? 7 : 3;
}

static void fill_memory(GRand *dice, const char *program)
{
    static const uint8_t end[] = {0xe6, PAUSE_PORT, 0xeb, 0xfe}; /* out; jmp $ */
    uint64_t entries[3] = {(TABLES + 0x1000) | 3, (TABLES + 0x2000) | 3, 0x83};
    uint8_t *to = memory + CODE;

    memset(memory, 0, RAM_SIZE);
    for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++)
        memcpy(memory + TABLES + i * 0x1000, &entries[i], 8);
    for (unsigned i = 0; i < DATA_SIZE; i++)
        memory[DATA + i] = g_rand_int(dice);
    /* An area that XRSTOR and FXRSTOR take, without FOP, FIP and FDP. */
    memset(memory + DATA + 0x1000 + 6, 0, 18);
    memset(memory + DATA + 0x1000 + 512, 0, 64);
    memcpy(memory + DATA + 0x1000 + 24, "\x80\x1f\0\0", 4);
    memory[DATA + 0x1000 + 512] = 7;
    for (; *program != '\0'; program++) {
        if (*program == ' ')
            continue;
        *to++ = g_ascii_xdigit_value(program[0]) << 4 | g_ascii_xdigit_value(program[1]);
        program++;
    }
    memcpy(to, end, sizeof(end));
}

/* Runs the program to its end; the number of times that the software CPU helped. */
static uint64_t run(enum config_accel kind, const char *program, bool avx, unsigned seed,
                    struct x86_state *ret, uint8_t *ret_memory)
{
    struct side *s = side_new(kind);
    GRand *dice = g_rand_new_with_seed(seed);
    uint64_t handed;

    fill_memory(dice, program);
    ck_assert(vcpu_of(s)->ops->get_state(vcpu_of(s), ret));
    make_state(ret, dice, avx);
    ck_assert(vcpu_of(s)->ops->set_state(vcpu_of(s), ret));
    g_rand_free(dice);
    vcpu_set_resume(s->vcpus);
    g_mutex_lock(&s->lock);
    while (!s->paused && !s->stopped)
        g_cond_wait(&s->changed, &s->lock);
    g_mutex_unlock(&s->lock);
    vcpu_set_pause(s->vcpus);
    ck_assert_msg(!s->stopped, "\"%s\" ends the vCPU of %s", program,
                  kind == ACCEL_KVM ? "KVM" : "the software CPU");
    ck_assert(vcpu_of(s)->ops->get_state(vcpu_of(s), ret));
    handed = vcpu_of(s)->exits[VCPU_EXIT_HANDED_OFF];
    memcpy(ret_memory, memory, RAM_SIZE);
    side_free(s);
    return handed;
}

static void compare(const char *program, bool avx)
{
    g_autofree struct x86_state *a = g_new0(struct x86_state, 1), *b = g_new0(struct x86_state, 1);
    g_autofree uint8_t *a_memory = g_malloc(RAM_SIZE), *b_memory = g_malloc(RAM_SIZE);

    for (unsigned seed = 1; seed <= 2; seed++) {
        uint64_t handed;

        run(ACCEL_SOFT, program, avx, seed, a, a_memory);
        handed = run(ACCEL_KVM, program, avx, seed, b, b_memory);
        if (seed == 1)
            printf("%s: handed over %" G_GUINT64_FORMAT " times\n", program, handed);
        fflush(stdout);
        for (unsigned i = 0; i < 16; i++)
            ck_assert_msg(a->gpr[i] == b->gpr[i], "\"%s\": register %u is %#lx, under KVM %#lx",
                          program, i, a->gpr[i], b->gpr[i]);
        ck_assert_msg(a->rflags == b->rflags, "\"%s\": flags %#lx, under KVM %#lx", program,
                      a->rflags, b->rflags);
        for (unsigned i = DATA; i < DATA + DATA_SIZE; i++)
            ck_assert_msg(a_memory[i] == b_memory[i], "\"%s\": memory at %#x differs", program, i);
        /* x87 and SSE, without FOP, FIP and FDP: processors differ. */
        ck_assert_mem_eq(a->xsave, b->xsave, 6);
        ck_assert_mem_eq(a->xsave + 24, b->xsave + 24, 4);
        ck_assert_mem_eq(a->xsave + 32, b->xsave + 32, 128 + 256);
        if (avx)
            ck_assert_mem_eq(a->xsave + 576, b->xsave + 576, 256);
    }
}

/* What an interpreting KVM's guests are not offered: it may fail at each of these instructions. */
START_TEST(features)
{
    struct kvm_cpuid2 *cpuid = g_malloc0(sizeof(*cpuid) + 4 * sizeof(cpuid->entries[0]));
    struct kvm_cpuid_entry2 *e = cpuid->entries;

    cpuid->nent = 4;
    memset(e, 0xff, 4 * sizeof(*e));
    e[0].function = 0x1;
    e[0].index = 0;
    e[1].function = 0x7;
    e[2].function = 0xd;
    e[2].index = 1;
    e[3].function = 0x80000001;
    e[3].index = 0;
    kvm_cpuid_limit(cpuid);
    ck_assert_uint_eq(cpuid->nent, 3);
    ck_assert_uint_eq(e[0].ecx & (1u << 12 | 1u << 28 | 1u << 29), 0); /* FMA, AVX, F16C */
    ck_assert_uint_eq(e[0].ecx & 1u << 13, 1u << 13);                  /* CMPXCHG16B */
    ck_assert_uint_eq(e[0].edx, UINT32_MAX);
    ck_assert_uint_eq(e[1].function, 0xd);
    ck_assert_uint_eq(e[1].eax, 3); /* no XSAVES */
    ck_assert_uint_eq(e[1].ebx, UINT32_MAX);
    ck_assert_uint_eq(e[2].ecx & 1u << 5, 0);         /* LZCNT */
    ck_assert_uint_eq(e[2].edx & 1u << 29, 1u << 29); /* long mode */
    g_free(cpuid);
}
END_TEST

/* mov eax, 7; xor ecx, ecx; cpuid: neither BMI nor AVX where KVM interprets. */
START_TEST(features_seen)
{
    g_autofree struct x86_state *state = g_new0(struct x86_state, 1);
    g_autofree uint8_t *after = g_malloc(RAM_SIZE);
    g_autofree char *reason = NULL;

    run(ACCEL_KVM, "b807000000 31c9 0fa2", false, 1, state, after);
    if (!kvm_is_native(&reason))
        ck_assert_uint_eq(state->gpr[X86_RBX] & (1u << 3 | 1u << 5 | 1u << 8 | 1u << 16), 0);
}
END_TEST

START_TEST(integer)
{
    static const char *const programs[] = {
        /* CMPXCHG16B that fails, and then that does not */
        "480fc70b 480fc70b f0480fc70b",
        "f00fc70b 0fc70b",
        "f0480fb10b f0480fc103",
        "f20f38f1c3 f3480fb8c3 0fbcc3 0fbdd0 480fc8",
        "0fa4d805 480fadd8 0fba2307 480fba2b11",
        "c8200200 c9 0fb60b 480fbe0b d7",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++)
        compare(programs[i], false);
}
END_TEST

START_TEST(strings)
{
    static const char *const programs[] = {
        "f3a4",
        "f348a5",
        "fd f3a4 fc", /* backwards */
        "f3ab 66ab aa",
        "b880000000 f2ae 9c 58",
        "4889fe f3a6 9c 58",
        "ac 66ad 48ad a4 a5",
        "4889df 488d7308 b940000000 f348a5", /* source behind the destination by less than a page */
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++)
        compare(programs[i], false);
}
END_TEST

START_TEST(floating_point)
{
    static const char *const programs[] = {
        "9b dbe3 d9e8 d9eb dec9 d9fa db3b",            /* fld1; fldpi; fmulp; fsqrt; fstp m80 */
        "dbe3 db03 dd4308 dec1 df7b10 dd7b20 9b dfe0", /* integers and doubles */
        "dbe3 d9ee d9e8 d8f1 d97b02 d93b d96b02",
        "dbe3 d9e8 d9eb dd33 dd23 9bd93b", /* fnsave and frstor */
        "dbe3 d9eb d9fe 0f77",             /* fsin; emms */
        "0fefc0 0f6f4b08 0ffec8 0f7f0b 0f77",
        "0f2803 0f58c1 0f2903 660f7f4320 f20f51d3 f20f2ac1",
        "660f380003 f30f6f4b01 660fefc8 660f7f4b10",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++)
        compare(programs[i], false);
}
END_TEST

/* Behind FXSAVE: the image without its reserved end, which some KVMs write, goes elsewhere. */
#define TAKE_IMAGE " 4889de bf00200100 b9a0010000 f3a4 4889df b900020000 31c0 f3aa"

START_TEST(fxsave)
{
    compare("dbe3 d9e8 d9eb 4881c300080000 480fae03 0fefc0 dbe3 480fae0b" TAKE_IMAGE, false);
    compare("480fae0b 488d9b00080000 480fae03" TAKE_IMAGE, false);
    compare("0fae5b10 c74310a01f0000 0fae5310", false); /* stmxcsr, ldmxcsr */
}
END_TEST

/* XSAVE and XRSTOR, with a component that the software CPU only keeps. */
START_TEST(xsave)
{
    static const char *const programs[] = {
        "b807000000 31d2 480fae2b",                                        /* xrstor */
        "b807000000 31d2 480fae2b 4881c300080000 480fae23",                /* and xsave elsewhere */
        "b804000000 31d2 480fae2b b803000000 4881c300080000 480fae23",     /* AVX alone */
        "c6830002000003 b807000000 31d2 480fae2b 4881c300080000 480fae23", /* AVX becomes initial */
        "b807000000 31d2 480fae33 31c9 0f01d0",                            /* xsaveopt; xgetbv */
        /* xsavec of all to an area whose header is clear, AVX from there, xsave */
        "b807000000 31d2 480fae2b 4881c300080000 31c0 8dbb00020000 b940000000 f3aa b807000000 "
        "480fc723"
        "b804000000 480fae2b b807000000 4881c300080000 480fae23",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++)
        compare(programs[i], true);
    ck_assert_mem_eq(memory + DATA + 0x2000 + 576, memory + DATA + 0x1000 + 576, 256);
    ck_assert_uint_eq(memory[DATA + 0x1800 + 512 + 15], 0x80);
    compare(programs[1], true);
    ck_assert_mem_eq(memory + DATA + 0x1800 + 576, memory + DATA + 0x1000 + 576, 256);
    ck_assert_uint_eq(memory[DATA + 0x1800 + 512] & 7, 7);
    compare(programs[3], true);
    for (unsigned i = 0; i < 256; i++)
        ck_assert_uint_eq(memory[DATA + 0x1800 + 576 + i], 0);
    ck_assert_uint_eq(memory[DATA + 0x1800 + 512] & 7, 3);
}
END_TEST

static void setup(void)
{
    memory = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void teardown(void)
{
    munmap(memory, RAM_SIZE);
}

int main(void)
{
    Suite *suite = suite_create("kvm_handoff");
    TCase *tc = tcase_create("kvm_handoff");

    if (access("/dev/kvm", R_OK | W_OK) != 0) {
        puts("SKIP: /dev/kvm cannot be opened here");
        return 77;
    }
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, features);
    tcase_add_test(tc, features_seen);
    tcase_add_test(tc, integer);
    tcase_add_test(tc, strings);
    tcase_add_test(tc, floating_point);
    tcase_add_test(tc, fxsave);
    if (__builtin_cpu_supports("avx"))
        tcase_add_test(tc, xsave);
    tcase_set_timeout(tc, 240);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
