/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPUs of one accelerator: tiny real-mode programs on a board with nothing but RAM. Built for KVM
 * and, with TEST_ACCEL, for the software CPU.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/cpu/accel.h"
#include "engine/cpu/vcpu_set.h"
#include "tests/suite.h"

#ifndef TEST_ACCEL
#define TEST_ACCEL ACCEL_KVM
#endif

#define RAM_SIZE 0x10000
#define CODE 0x1000
#define LOGGED 0x8000 /* to the end of RAM: pages are logged */
#define PAUSE_PORT 0xf4
#define NOTE_PORT 0xf5
#define RESET_VECTOR_PAGE UINT64_C(0xfffff000)

struct guest {
    struct board board;
    struct accel *accel;
    struct vcpu_set *vcpus;
    struct region ram, logged, rom, ports;
    uint8_t *memory, *rom_page;

    GMutex lock; /* what follows */
    GCond changed;
    unsigned pauses, notes;
    uint8_t note;
    bool stopped;
    enum vcpu_stop stop;
    char *reason;
};

/* The port that pauses the machine from inside the access, and the one that takes a note. */
static void on_port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct guest *g = opaque;

    if (offset == 0)
        vcpu_set_request_pause(g->vcpus);
    g_mutex_lock(&g->lock);
    if (offset == 0)
        g->pauses++;
    else
        g->notes++, g->note = value;
    g_cond_broadcast(&g->changed);
    g_mutex_unlock(&g->lock);
}

static uint64_t on_port_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x5a;
}

static void on_stopped(void *opaque, unsigned index, enum vcpu_stop stop, const char *reason)
{
    struct guest *g = opaque;

    g_mutex_lock(&g->lock);
    g->stopped = true;
    g->stop = stop;
    g->reason = g_strdup(reason);
    g_cond_broadcast(&g->changed);
    g_mutex_unlock(&g->lock);
}

static void *pages(size_t size)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* A machine whose processor jumps from the reset vector to code. */
static struct guest *guest_new(const uint8_t *code, size_t size)
{
    static const uint8_t jump[] = {0xea, CODE & 0xff, CODE >> 8, 0x00, 0x00};
    static const struct region_ops port_ops = {on_port_read, on_port_write, .max_access = 1};
    struct guest *g = g_new0(struct guest, 1);
    g_autoptr(GError) error = NULL;

    board_init(&g->board, NULL);
    g->accel = accel_new(TEST_ACCEL, &g->board, 1, &error);
    ck_assert_msg(g->accel != NULL, "%s", error != NULL ? error->message : "");
    g->memory = pages(RAM_SIZE);
    g->rom_page = pages(4096);
    memcpy(g->memory + CODE, code, size);
    memcpy(g->rom_page + 0xff0, jump, sizeof(jump));
    g->ram = (struct region){.name = "ram", .size = LOGGED, .host = g->memory};
    g->logged = (struct region){.name = "logged",
                                .size = RAM_SIZE - LOGGED,
                                .host = g->memory + LOGGED,
                                .log_dirty = true};
    g->rom = (struct region){.name = "rom", .size = 4096, .host = g->rom_page, .readonly = true};
    g->ports = (struct region){.name = "ports", .size = 2, .ops = &port_ops, .opaque = g};
    memory_map_add(g->board.memory, &g->ram, 0, 0);
    memory_map_add(g->board.memory, &g->logged, LOGGED, 0);
    memory_map_add(g->board.memory, &g->rom, RESET_VECTOR_PAGE, 0);
    pio_bus_add(g->board.pio, &g->ports, PAUSE_PORT);
    g->vcpus = vcpu_set_new(g->accel, on_stopped, g, &error);
    ck_assert_msg(g->vcpus != NULL, "%s", error != NULL ? error->message : "");
    return g;
}

static void guest_free(struct guest *g)
{
    vcpu_set_free(g->vcpus);
    board_finish(&g->board);
    accel_free(g->accel);
    munmap(g->memory, RAM_SIZE);
    munmap(g->rom_page, 4096);
    g_free(g->reason);
    g_free(g);
}

/* Runs until the guest has paused itself once more, and stands still. */
static void run_to_pause(struct guest *g)
{
    unsigned before = g->pauses;

    vcpu_set_resume(g->vcpus);
    g_mutex_lock(&g->lock);
    while (g->pauses == before)
        g_cond_wait(&g->changed, &g->lock);
    g_mutex_unlock(&g->lock);
    vcpu_set_pause(g->vcpus);
}

static void run_to_stop(struct guest *g)
{
    vcpu_set_resume(g->vcpus);
    g_mutex_lock(&g->lock);
    while (!g->stopped)
        g_cond_wait(&g->changed, &g->lock);
    g_mutex_unlock(&g->lock);
    vcpu_set_pause(g->vcpus);
}

static const uint8_t pause_then_note[] = {
    0xb0, 0x01,       /* mov al, 1 */
    0xe6, PAUSE_PORT, /* out */
    0xfe, 0xc0,       /* inc al */
    0xe6, NOTE_PORT,  /* out */
    0xeb, 0xfe,       /* jmp $ */
};

START_TEST(no_instruction_follows_a_pause_from_inside)
{
    struct guest *g = guest_new(pause_then_note, sizeof(pause_then_note));
    struct x86_state state;
    struct vcpu *vcpu = (struct vcpu *)vcpu_set_get(g->vcpus, 0);

    run_to_pause(g);
    ck_assert_uint_eq(g->notes, 0);
    ck_assert(vcpu->ops->get_state(vcpu, &state));
    ck_assert_uint_eq(state.rip, CODE + 4);
    ck_assert_uint_eq(state.gpr[X86_RAX] & 0xff, 1);
    vcpu_set_resume(g->vcpus);
    g_mutex_lock(&g->lock);
    while (g->notes == 0)
        g_cond_wait(&g->changed, &g->lock);
    g_mutex_unlock(&g->lock);
    ck_assert_uint_eq(g->note, 2);
    vcpu_set_pause(g->vcpus); /* from its endless loop */
    guest_free(g);
}
END_TEST

START_TEST(reset_starts_over)
{
    struct guest *g = guest_new(pause_then_note, sizeof(pause_then_note));
    struct vcpu *vcpu = (struct vcpu *)vcpu_set_get(g->vcpus, 0);
    struct x86_state state;

    run_to_pause(g);
    vcpu_set_reset(g->vcpus);
    g->accel->ops->reset(g->accel);
    ck_assert(vcpu->ops->get_state(vcpu, &state));
    ck_assert_uint_eq(state.rip, 0xfff0);
    ck_assert_uint_eq(state.segment[X86_CS].base, 0xffff0000);
    ck_assert_str_eq(x86_state_mode(&state), "real mode");
    run_to_pause(g);
    ck_assert_uint_eq(g->pauses, 2);
    ck_assert_uint_eq(g->notes, 0);
    guest_free(g);
}
END_TEST

START_TEST(state_can_be_set)
{
    struct guest *g = guest_new(pause_then_note, sizeof(pause_then_note));
    struct vcpu *vcpu = (struct vcpu *)vcpu_set_get(g->vcpus, 0);
    struct x86_state state, again;

    run_to_pause(g);
    ck_assert(vcpu->ops->get_state(vcpu, &state));
    state.rip = CODE; /* once more from the start */
    state.gpr[X86_RBX] = 0x1234;
    ck_assert(vcpu->ops->set_state(vcpu, &state));
    ck_assert(vcpu->ops->get_state(vcpu, &again));
    ck_assert_uint_eq(again.rip, CODE);
    ck_assert_uint_eq(again.gpr[X86_RBX], 0x1234);
    ck_assert_uint_eq(again.segment[X86_SS].attributes, state.segment[X86_SS].attributes);
    ck_assert_uint_eq(again.cr0, state.cr0);
    run_to_pause(g);
    ck_assert_uint_eq(g->pauses, 2);
    guest_free(g);
}
END_TEST

START_TEST(written_pages_are_told)
{
    static const uint8_t code[] = {
        0xc6, 0x06,       0x00, 0xa0, 0xaa, /* mov byte [0xa000], 0xaa */
        0xe6, PAUSE_PORT,                   /* out */
        0xeb, 0xf7,                         /* jmp back */
    };
    struct guest *g = guest_new(code, sizeof(code));
    uint8_t bitmap = 0;

    run_to_pause(g);
    memory_map_fetch_dirty(g->board.memory, &g->logged, &bitmap);
    ck_assert_uint_eq(bitmap, 1 << 2);
    ck_assert_uint_eq(g->memory[0xa000], 0xaa);
    bitmap = 0;
    memory_map_fetch_dirty(g->board.memory, &g->logged, &bitmap);
    ck_assert_uint_eq(bitmap, 0);
    guest_free(g);
}
END_TEST

START_TEST(failure_names_address)
{
    static const uint8_t code[] = {0xea, 0x00, 0x00, 0x00, 0xd0}; /* jmp 0xd000:0, nothing there */
    struct guest *g = guest_new(code, sizeof(code));

    run_to_stop(g);
    ck_assert_int_eq(g->stop, VCPU_FAILED);
    ck_assert_msg(strstr(g->reason, "could not run this instruction") != NULL, "%s", g->reason);
    ck_assert_msg(strstr(g->reason, "0xd0000") != NULL, "%s", g->reason);
    ck_assert_msg(strstr(g->reason, "real mode") != NULL, "%s", g->reason);
    guest_free(g);
}
END_TEST

START_TEST(reads_and_mmio_reach_the_board)
{
    static const uint8_t code[] = {
        0xe4, PAUSE_PORT,                   /* in al, PAUSE_PORT: 0x5a */
        0xe6, NOTE_PORT,                    /* out */
        0xa0, 0x00,       0xc0,             /* mov al, [0xc000]: logged RAM, 0 */
        0xb8, 0x00,       0xf0, 0x8e, 0xd8, /* mov ax, 0xf000; mov ds, ax */
        0xa0, 0x00,       0x10,             /* mov al, [0xf1000]: nothing there, 0xff */
        0xe6, PAUSE_PORT,                   /* out */
        0xeb, 0xfe,
    };
    struct guest *g = guest_new(code, sizeof(code));
    struct vcpu *vcpu = (struct vcpu *)vcpu_set_get(g->vcpus, 0);
    struct x86_state state;

    run_to_pause(g);
    ck_assert_uint_eq(g->note, 0x5a);
    ck_assert(vcpu->ops->get_state(vcpu, &state));
    ck_assert_uint_eq(state.gpr[X86_RAX] & 0xff, 0xff);
    ck_assert_uint_ge(vcpu->exits[VCPU_EXIT_PIO], 3);
    ck_assert_uint_ge(vcpu->exits[VCPU_EXIT_MMIO], 1);
    guest_free(g);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vcpu");
    TCase *tc = tcase_create("vcpu");

    if (TEST_ACCEL == ACCEL_KVM && access("/dev/kvm", R_OK | W_OK) != 0) {
        puts("SKIP: /dev/kvm cannot be opened here");
        return 77;
    }
    tcase_add_test(tc, no_instruction_follows_a_pause_from_inside);
    tcase_add_test(tc, reset_starts_over);
    tcase_add_test(tc, state_can_be_set);
    tcase_add_test(tc, written_pages_are_told);
    if (TEST_ACCEL == ACCEL_KVM)
        tcase_add_test(tc, failure_names_address);
    tcase_add_test(tc, reads_and_mmio_reach_the_board);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
