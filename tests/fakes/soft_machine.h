/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A board with RAM, a device in memory, ROM at the top and one vCPU of the software CPU, set into
 * a mode of the processor as an operating system would: descriptor tables, page tables and a
 * handler for each exception stand ready.
 *
 * Guest memory, all within the first 2 MiB, mapped to itself when paging is on:
 */
#ifndef TESTS_FAKES_SOFT_MACHINE_H
#define TESTS_FAKES_SOFT_MACHINE_H

#include "engine/cpu/soft/soft_vcpu.h"

#define SOFT_MACHINE_GDT 0x1000
#define SOFT_MACHINE_IDT 0x2000
#define SOFT_MACHINE_TSS 0x3000
#define SOFT_MACHINE_TABLES 0x4000 /* five pages: see soft_machine_pte() */
#define SOFT_MACHINE_HANDLERS 0xa000
#define SOFT_MACHINE_CODE 0x10000
#define SOFT_MACHINE_DATA 0x20000
#define SOFT_MACHINE_STACK0 0x38000 /* tops of stacks */
#define SOFT_MACHINE_STACK3 0x3a000
#define SOFT_MACHINE_RAM 0x40000 /* the size of RAM; the device follows */
#define SOFT_MACHINE_DEVICE SOFT_MACHINE_RAM
#define SOFT_MACHINE_DEVICE_SIZE 0x1000
#define SOFT_MACHINE_ROM UINT64_C(0xfffff000) /* one page */
#define SOFT_MACHINE_EXIT_PORT 0xf4           /* a write stops the vCPU after the instruction */

/* Entries of the GDT, as selectors without RPL. */
enum {
    SOFT_MACHINE_CODE16 = 0x08,
    SOFT_MACHINE_DATA16 = 0x10,
    SOFT_MACHINE_CODE32 = 0x18,
    SOFT_MACHINE_DATA32 = 0x20,
    SOFT_MACHINE_CODE64 = 0x28,
    SOFT_MACHINE_USER_CODE16 = 0x30,
    SOFT_MACHINE_USER_DATA16 = 0x38,
    SOFT_MACHINE_USER_CODE32 = 0x40,
    SOFT_MACHINE_USER_DATA32 = 0x48,
    SOFT_MACHINE_USER_CODE64 = 0x50,
    SOFT_MACHINE_TR = 0x60, /* two entries in 64-bit mode */
    SOFT_MACHINE_FREE = 0x70,
    SOFT_MACHINE_GDT_SIZE = 0x100,
};

enum soft_machine_mode {
    SOFT_MACHINE_REAL,
    SOFT_MACHINE_PROTECTED16,
    SOFT_MACHINE_PROTECTED32,
    SOFT_MACHINE_V86,
    SOFT_MACHINE_COMPAT32,
    SOFT_MACHINE_LONG64,
    SOFT_MACHINE_MODES,
};

enum soft_machine_paging {
    SOFT_MACHINE_UNPAGED,
    SOFT_MACHINE_PAGES32,
    SOFT_MACHINE_PAE,
    SOFT_MACHINE_PAGINGS,
};

struct soft_machine {
    struct board board;
    struct accel *accel;
    struct vcpu *vcpu;
    struct soft_cpu *cpu;
    uint8_t *memory, *rom;
    struct region ram_region, device_region, rom_region, exit_region;
    uint8_t device[SOFT_MACHINE_DEVICE_SIZE]; /* what reads of the device give */
    unsigned exits;                           /* writes to the exit port */
    unsigned device_writes;
    enum soft_machine_mode mode;
    enum soft_machine_paging paging;
    struct x86_state state; /* what soft_machine_enter() sets; a test may change it before */

    GThread *watch;
    GMutex lock; /* what follows: the time limit of a run */
    GCond changed;
    gint64 deadline; /* monotonic time; 0: nothing runs */
    bool quit, late;
};

struct soft_machine *soft_machine_new(void);
void soft_machine_free(struct soft_machine *machine); /* NULL is fine */

/* Clears memory, resets the vCPU and prepares machine->state for this mode at CPL `cpl` (3 in
 * virtual-8086 mode, 0 in real mode), RIP at SOFT_MACHINE_CODE. Compatibility and 64-bit mode have
 * their own paging. Handlers of vector N: a write to the exit port at SOFT_MACHINE_HANDLERS + N *
 * 16, and an IRET. */
void soft_machine_set_mode(struct soft_machine *machine, enum soft_machine_mode mode,
                           enum soft_machine_paging paging, unsigned cpl);
/* The same for a mode with paging; kind: 0 for 32-bit paging, 1 for PAE, 2 for long mode. */
void soft_machine_set_paged(struct soft_machine *machine, int kind, unsigned cpl);
void soft_machine_enter(struct soft_machine *machine);
void soft_machine_put(struct soft_machine *machine, uint64_t at, const void *bytes, size_t size);

/* The entry of the last level for an address below 2 MiB. */
void *soft_machine_pte(struct soft_machine *machine, uint64_t linear);
void soft_machine_set_pte(struct soft_machine *machine, uint64_t linear, uint64_t entry);
/* Puts a descriptor of 8 bytes into the GDT. */
void soft_machine_set_descriptor(struct soft_machine *machine, unsigned selector, uint32_t base,
                                 uint32_t limit, uint32_t attributes);

/* Puts a program written in hexadecimal digits ("90 0f0b") at state.rip, and a write to the exit
 * port behind it; enters and runs it. What the program raised, or -1 when it got to its end. */
int soft_machine_try(struct soft_machine *machine, const char *program);
#define SOFT_MACHINE_TRIPLE_FAULT (-2)
#define SOFT_MACHINE_LATE (-3)

/* Guest memory below 2 MiB. */
uint64_t soft_machine_get(const struct soft_machine *machine, uint64_t at, unsigned size);
/* The same on the stack in use, `index` items from its top. */
uint64_t soft_machine_top(const struct soft_machine *machine, unsigned index, unsigned size);

/* Runs until the exit port, a triple fault, or so many milliseconds are over: machine->late. */
enum vcpu_stop soft_machine_run(struct soft_machine *machine, unsigned limit_ms);

#endif
