/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Four vCPUs of the software CPU at work together: locked instructions, code that one changes while
 * others run it, a memory map that changes, and pauses. The thread sanitizer watches.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/cpu/accel.h"
#include "engine/cpu/vcpu_set.h"
#include "tests/suite.h"

#define CPUS 4
#define RAM_SIZE 0x10000
#define CODE 0x1000
#define SHARED 0x2000 /* where the locked counter is */
#define CROSSING 0x4ffe
#define ROUNDS 2000
#define DONE_PORT 0xf5
#define TOP UINT64_C(0xfffff000)
#define MOVING UINT64_C(0x20000) /* a page that comes and goes */

struct guest {
    struct board board;
    struct accel *accel;
    struct vcpu_set *vcpus;
    struct region ram, rom, ports, moving;
    uint8_t *memory, *rom_page, *moving_page;

    GMutex lock; /* what follows */
    GCond changed;
    unsigned done;
    bool stopped;
};

static void on_port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct guest *g = opaque;

    g_mutex_lock(&g->lock);
    g->done++;
    g_cond_broadcast(&g->changed);
    g_mutex_unlock(&g->lock);
}

static uint64_t on_port_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void on_stopped(void *opaque, unsigned index, enum vcpu_stop stop, const char *reason)
{
    struct guest *g = opaque;

    g_mutex_lock(&g->lock);
    g->stopped = true;
    g_cond_broadcast(&g->changed);
    g_mutex_unlock(&g->lock);
}

static uint8_t *pages(size_t size)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/*
 * All start here, the first one by the reset vector; 16-bit code at 0:CODE. Each counts SHARED up
 * by ROUNDS with LOCK INC and SHARED + 4 with LOCK XADD, takes turns in a spin lock at SHARED + 8
 * to count SHARED + 12 without LOCK, changes the immediates of two instructions that all execute,
 * one of them across two pages, and reads the page that comes and goes.
 */
asm(".pushsection .rodata\n"
    ".code16\n"
    "smp_start:\n"
    "    cli\n"
    "    xorw %ax, %ax\n"
    "    movw %ax, %ds\n"
    "    movw %ax, %ss\n"
    "    movw $1, %bx\n"
    "    lock xaddw %bx, 0x2010\n" /* its number */
    "    movw %bx, %sp\n"
    "    incw %sp\n"
    "    shlw $8, %sp\n"
    "    addw $0x8000, %sp\n"
    "    testw %bx, %bx\n"
    "    jnz 1f\n"
    /* The first one wakes the others: INIT and start-up IPIs, with its APIC in 4 GiB reach. */
    "    call smp_unreal\n"
    "    movl $0xfee00000, %esi\n"
    "    movl $0x1ff, %fs:0xf0(%esi)\n"
    "    movl $0x000c4500, %fs:0x300(%esi)\n"
    "    movl $0x000c4601, %fs:0x300(%esi)\n"
    "1:  movw $2000, %cx\n"
    "2:  lock incl 0x2000\n"
    "    movl $1, %eax\n"
    "    lock xaddl %eax, 0x2004\n"
    "3:  movb $1, %al\n"
    "    xchgb %al, 0x2008\n"
    "    testb %al, %al\n"
    "    jz 4f\n"
    "    pause\n"
    "    jmp 3b\n"
    "4:  incl 0x200c\n"
    "    movb $0, 0x2008\n"
    "    movb %cl, smp_patched - smp_start + 0x1001\n"
    "    .byte 0xeb, 0\n"
    "smp_patched:\n"
    "    movb $0, %dl\n"
    "    movb %cl, 0x5000\n" /* of the instruction across two pages */
    "    .byte 0xe8\n"
    "    .word 0x4ffe - (smp_patched - smp_start + 0x1000 + 9)\n"
    "    cmpb $0x55, %dl\n"
    "    jne 5f\n"
    "    movw $0x2000, %di\n"
    "    movw %di, %es\n"
    "    movw %es:0, %di\n"
    "    decw %cx\n"
    "    jnz 2b\n"
    "    outb %al, $0xf5\n"
    "5:  hlt\n"
    "    jmp 5b\n"
    "smp_unreal:\n" /* FS with a limit of 4 GiB, through protected mode */
    "    lgdtw smp_table - smp_start + 0x1000\n"
    "    movl %cr0, %eax\n"
    "    orb $1, %al\n"
    "    movl %eax, %cr0\n"
    "    movw $8, %dx\n"
    "    movw %dx, %fs\n"
    "    andb $0xfe, %al\n"
    "    movl %eax, %cr0\n"
    "    ret\n"
    "smp_table:\n"
    "    .word 15\n"
    "    .long smp_gdt - smp_start + 0x1000\n"
    "smp_gdt:\n"
    "    .quad 0\n"
    "    .quad 0x00cf93000000ffff\n"
    "smp_end:\n"
    ".code64\n"
    ".popsection\n");
extern const uint8_t smp_start[], smp_end[];

static struct guest *guest_new(void)
{
    static const uint8_t crossing[] = {0xba, 0x55, 0x00, 0xc3}; /* mov dx, 0x55; ret */
    static const uint8_t jump[] = {0xea, CODE & 0xff, CODE >> 8, 0x00, 0x00};
    static const struct region_ops port_ops = {on_port_read, on_port_write, .max_access = 1};
    struct guest *g = g_new0(struct guest, 1);
    g_autoptr(GError) error = NULL;

    board_init(&g->board, NULL);
    g->accel = accel_new(ACCEL_SOFT, &g->board, CPUS, &error);
    ck_assert_msg(g->accel != NULL, "%s", error != NULL ? error->message : "");
    g->memory = pages(RAM_SIZE);
    g->rom_page = pages(4096);
    g->moving_page = pages(4096);
    memcpy(g->memory + CODE, smp_start, smp_end - smp_start);
    memcpy(g->memory + CROSSING, crossing, sizeof(crossing));
    memcpy(g->rom_page + 0xff0, jump, sizeof(jump));
    g->ram = (struct region){.name = "ram", .size = RAM_SIZE, .host = g->memory};
    g->rom = (struct region){.name = "rom", .size = 4096, .host = g->rom_page, .readonly = true};
    g->moving = (struct region){.name = "moving", .size = 4096, .host = g->moving_page};
    g->ports = (struct region){.name = "ports", .size = 1, .ops = &port_ops, .opaque = g};
    memory_map_add(g->board.memory, &g->ram, 0, 0);
    memory_map_add(g->board.memory, &g->rom, TOP, 0);
    pio_bus_add(g->board.pio, &g->ports, DONE_PORT);
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
    munmap(g->moving_page, 4096);
    g_free(g);
}

static bool all_done(struct guest *g)
{
    bool done;

    g_mutex_lock(&g->lock);
    done = g->stopped || g->done == CPUS;
    g_mutex_unlock(&g->lock);
    return done;
}

static uint32_t counter(const struct guest *g, unsigned offset)
{
    uint32_t value;

    memcpy(&value, g->memory + SHARED + offset, sizeof(value));
    return value;
}

START_TEST(four_at_work)
{
    struct guest *g = guest_new();
    bool there = false;

    vcpu_set_resume(g->vcpus);
    for (unsigned i = 0; !all_done(g); i++) {
        g_usleep(1000);
        if (i % 8 == 7) {
            vcpu_set_pause(g->vcpus);
            vcpu_set_resume(g->vcpus);
        }
        g_mutex_lock(&g->board.lock);
        if (there)
            memory_map_remove(g->board.memory, &g->moving);
        else
            memory_map_add(g->board.memory, &g->moving, MOVING, 0);
        there = !there;
        g_mutex_unlock(&g->board.lock);
    }
    vcpu_set_pause(g->vcpus);
    ck_assert(!g->stopped);
    ck_assert_uint_eq(counter(g, 0), CPUS * ROUNDS);
    ck_assert_uint_eq(counter(g, 4), CPUS * ROUNDS);
    ck_assert_uint_eq(counter(g, 12), CPUS * ROUNDS);
    guest_free(g);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft-smp");
    TCase *test = tcase_create("smp");

    tcase_add_test(test, four_at_work);
    suite_add_tcase(suite, test);
    return run_suite(suite);
}
