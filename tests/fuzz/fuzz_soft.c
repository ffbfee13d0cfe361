/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw bytes executed by the software CPU, in each mode and at each place that can go wrong. However
 * wild it is, the vCPU stops when it is told, its state stays one that a processor can have, and
 * nothing but guest memory is touched.
 *
 * Input: a header of 8 bytes, then the code.
 *   0  mode (low nibble) and paging (high nibble)
 *   1  CPL 3, NX WP SMEP SMAP, handlers that end the run, a broken IDT, a broken GDT, a broken TSS
 *   2  page tables: enum tables_kind
 *   3  where the code is: enum place
 *   4  how many bytes of it lie before the end of that place
 *   5  RFLAGS: TF, IF, DF, IOPL 3, NT, RF, AC, and a debug register on the code
 *   6  registers: where from
 *   7  CR0 and CR4: TS, EM, MP off, PSE, VME, DE, OSXSAVE, TSD
 */
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/soft/flags.h"
#include "engine/cpu/soft/fpu.h"
#include "tests/fakes/soft_machine.h"
#include "tests/fuzz/fuzz.h"

#define HEADER 8
#define RUN_MS 2
#define MAX_CODE 2048
#define OUTSIDE UINT64_C(0x7654321000) /* where there is nothing */

enum option {
    OPTION_CPL3 = 1 << 0,
    OPTION_STRICT = 1 << 1,
    OPTION_END = 1 << 2,
    OPTION_NO_IDT = 1 << 3,
    OPTION_NO_GDT = 1 << 4,
    OPTION_NO_TSS = 1 << 5,
    OPTION_IDT_IN_DEVICE = 1 << 6,
    OPTION_SHORT_IDT = 1 << 7,
};

enum tables_kind {
    TABLES_GOOD,
    TABLES_RECURSIVE, /* each entry of the root is the root */
    TABLES_OUTSIDE,   /* the root is in no memory */
    TABLES_IN_DEVICE,
    TABLES_RANDOM, /* the code stands in them too */
    TABLES_LARGE,  /* leaves above the last level */
    TABLES_IN_ROM,
    TABLES_SHARED, /* the code's page is the last table */
    TABLES_KINDS,
};

enum place { PLACE_CODE, PLACE_PAGE_END, PLACE_RAM_END, PLACE_DEVICE, PLACE_ROM_END, PLACES };

static struct soft_machine *machine;

static void break_tables(struct soft_machine *m, enum tables_kind kind, const uint8_t *code,
                         size_t size)
{
    uint64_t root = m->state.cr3 & ~UINT64_C(0xfff), entry = root | 0x67;

    switch (kind) {
    case TABLES_RECURSIVE:
        if (m->paging == SOFT_MACHINE_PAGES32)
            entry |= entry << 32;
        for (unsigned i = 0; i < 4096; i += 8)
            soft_machine_put(m, root + i, &entry, 8);
        break;
    case TABLES_OUTSIDE:
        m->state.cr3 = OUTSIDE;
        break;
    case TABLES_IN_DEVICE:
        m->state.cr3 = SOFT_MACHINE_DEVICE;
        break;
    case TABLES_RANDOM:
        for (unsigned level = 0; level < 4; level++)
            soft_machine_put(m, SOFT_MACHINE_TABLES + level * 0x1000 + (level == 3 ? 0x80 : 0),
                             code, MIN(size, 0x100));
        break;
    case TABLES_LARGE:
        entry = 0xe7;
        soft_machine_put(m, SOFT_MACHINE_TABLES + (size & 3) * 0x1000, &entry, 8);
        break;
    case TABLES_IN_ROM:
        memcpy(m->rom, m->memory + root, 4096);
        m->state.cr3 = SOFT_MACHINE_ROM;
        break;
    case TABLES_SHARED:
        memcpy(&entry, soft_machine_pte(m, SOFT_MACHINE_TABLES + 0x3000), 8);
        memcpy(soft_machine_pte(m, SOFT_MACHINE_DATA), &entry,
               m->paging == SOFT_MACHINE_PAGES32 ? 4 : 8);
        break;
    default:
        break;
    }
}

static void put_code(struct soft_machine *m, const uint8_t *header, const uint8_t *code,
                     size_t size)
{
    static const uint64_t ends[PLACES] = {
        [PLACE_CODE] = SOFT_MACHINE_CODE + 0x1000,
        [PLACE_PAGE_END] = SOFT_MACHINE_CODE + 0x1000,
        [PLACE_RAM_END] = SOFT_MACHINE_RAM,
        [PLACE_DEVICE] = SOFT_MACHINE_DEVICE + SOFT_MACHINE_DEVICE_SIZE,
        [PLACE_ROM_END] = UINT64_C(1) << 32,
    };
    enum place place = header[3] % PLACES;
    uint64_t at = place == PLACE_CODE ? SOFT_MACHINE_CODE : ends[place] - header[4];

    if (place == PLACE_DEVICE)
        memcpy(m->device + (at - SOFT_MACHINE_DEVICE), code, MIN(size, header[4]));
    else if (place == PLACE_ROM_END)
        memcpy(m->rom + (at - SOFT_MACHINE_ROM), code, MIN(size, header[4]));
    else
        soft_machine_put(m, at, code, size);
    m->state.rip = at - m->state.segment[X86_CS].base;
    if (m->mode != SOFT_MACHINE_LONG64)
        m->state.rip = (uint32_t)m->state.rip;
}

static void set_registers(struct soft_machine *m, const uint8_t *header)
{
    static const uint64_t values[] = {
        SOFT_MACHINE_DATA,
        SOFT_MACHINE_DATA + 0xffe,
        SOFT_MACHINE_RAM - 3,
        SOFT_MACHINE_DEVICE + 8,
        SOFT_MACHINE_CODE,
        SOFT_MACHINE_TABLES,
        0,
        UINT64_MAX,
        UINT64_C(1) << 47,
        SOFT_MACHINE_ROM + 0xffc,
        0x7fffffff,
        OUTSIDE,
        3,
    };

    for (unsigned i = 0; i < 16; i++) {
        if (i != X86_RSP)
            m->state.gpr[i] = values[(header[6] + i * (header[6] >> 4 | 1)) % G_N_ELEMENTS(values)];
    }
    if (header[6] == 0xff)
        m->state.gpr[X86_RSP] = SOFT_MACHINE_DEVICE + 4;
}

static void set_flags(struct soft_machine *m, const uint8_t *header)
{
    static const uint64_t flags[] = {X86_FLAG_TF, X86_FLAG_IF, X86_FLAG_DF, X86_FLAG_IOPL,
                                     X86_FLAG_NT, X86_FLAG_RF, X86_FLAG_AC};
    static const uint64_t cr0[] = {CR0_TS, CR0_EM, CR0_MP};
    static const uint64_t cr4[] = {CR4_PSE, CR4_VME, CR4_DE, CR4_OSXSAVE, CR4_TSD};

    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
        m->state.rflags |= header[5] & 1 << i ? flags[i] : 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(cr0); i++)
        m->state.cr0 ^= header[7] & 1 << i ? cr0[i] : 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(cr4); i++)
        m->state.cr4 |= header[7] & 8 << i ? cr4[i] : 0;
    if (m->state.rflags & X86_FLAG_AC)
        m->state.cr0 |= CR0_AM;
}

static void break_descriptor_tables(struct soft_machine *m, uint8_t options)
{
    if (options & OPTION_NO_IDT)
        m->state.idt.base = OUTSIDE;
    if (options & OPTION_IDT_IN_DEVICE)
        m->state.idt.base = SOFT_MACHINE_DEVICE;
    if (options & OPTION_SHORT_IDT)
        m->state.idt.limit = 8 * X86_GP + 3;
    if (options & OPTION_NO_GDT)
        m->state.gdt.base = OUTSIDE;
    if (options & OPTION_NO_TSS)
        m->state.tr.base = OUTSIDE;
}

static void make_guest(struct soft_machine *m, const uint8_t *header, const uint8_t *code,
                       size_t size)
{
    static const uint8_t iret[] = {0x90, 0x90, 0xcf};

    soft_machine_set_mode(m, (header[0] & 15) % SOFT_MACHINE_MODES,
                          (header[0] >> 4) % SOFT_MACHINE_PAGINGS, header[1] & OPTION_CPL3 ? 3 : 0);
    if (!(header[1] & OPTION_END)) {
        for (unsigned vector = 0; vector < 256; vector++)
            soft_machine_put(m, SOFT_MACHINE_HANDLERS + vector * 16, iret, 2);
    }
    put_code(m, header, code, size);
    set_registers(m, header);
    set_flags(m, header);
    if (header[1] & OPTION_STRICT && m->state.cr0 & CR0_PG) {
        m->state.cr4 |= CR4_SMEP | CR4_SMAP;
        m->state.efer |= m->paging == SOFT_MACHINE_PAE ? EFER_NXE : 0;
    }
    break_descriptor_tables(m, header[1]);
    break_tables(m, header[2] % TABLES_KINDS, code, size);
}

/* What holds of a processor whatever it ran. */
static void check(struct soft_machine *m, enum vcpu_stop stop)
{
    const struct soft_cpu *cpu = m->cpu;
    struct x86_state s;

    m->vcpu->ops->get_state(m->vcpu, &s);
    if (stop == VCPU_FAILED || cpu->cpl > 3 || cpu->gpr[SOFT_REG_ZERO] != 0 ||
        !(s.rflags & X86_FLAG_1) || s.rflags & ~UINT64_C(0x3f7fd7))
        abort();
    if (s.cr0 & CR0_PG && !(s.cr0 & CR0_PE))
        abort();
    if (!(s.efer & EFER_LMA) != !(s.cr0 & CR0_PG && s.efer & EFER_LME))
        abort();
    if (s.rflags & X86_FLAG_VM && (cpu->cpl != 3 || s.efer & EFER_LMA))
        abort();
    if (!(cpu->mode & SOFT_MODE_CODE64) && s.rip > UINT32_MAX)
        abort();
    if (!(cpu->mode & SOFT_MODE_USER) != (cpu->cpl != 3))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= HEADER)
        return 0;
    if (machine == NULL)
        machine = soft_machine_new();
    make_guest(machine, data, data + HEADER, MIN(size - HEADER, MAX_CODE));
    soft_machine_enter(machine);
    if (data[5] & 0x80) {
        machine->cpu->dr[0] = machine->cpu->segment[X86_CS].base + machine->cpu->rip + 1;
        machine->cpu->dr[1] = SOFT_MACHINE_DATA;
        machine->cpu->dr[7] |= 0xf | 0xf << 20;
        soft_mode_changed(machine->cpu);
    }
    check(machine, soft_machine_run(machine, RUN_MS));
    return 0;
}
