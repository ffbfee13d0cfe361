/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the parts of the software CPU. */
#ifndef ENGINE_CPU_SOFT_INTERNAL_H
#define ENGINE_CPU_SOFT_INTERNAL_H

#include "engine/cpu/accel.h"
#include "engine/cpu/soft/core.h"
#include "engine/cpu/soft/access.h"
#include "engine/cpu/soft/decode.h"
#include "engine/cpu/soft/map.h"

struct soft_accel {
    struct accel accel;
    struct soft_decoder *decoder;
    struct soft_maps *maps;
    struct soft_irqchip *irqchip;
    const struct soft_owner *owner;          /* core.h; NULL: this is the machine's accelerator */
    struct soft_cpu *cpus[MACHINE_MAX_CPUS]; /* written while all stand still */
    GMutex locked; /* held over locked accesses that the host cannot make atomic */
};

/* soft.c. All but interrupt controllers and ops. */
void soft_accel_init(struct soft_accel *accel, struct board *board, unsigned cpus);
void soft_accel_finish(struct soft_accel *accel);
/* Any thread. */
void soft_accel_request_all(struct soft_accel *accel, uint32_t bits);
void soft_accel_page_news(struct soft_accel *accel, const struct soft_cpu *but,
                          const uint8_t *host_page, enum soft_page_news news);
/* Memory was written: translated code of it is stale for all vCPUs. */
void soft_code_written(struct soft_accel *accel, const struct soft_section *section,
                       const uint8_t *host, unsigned size);

/*
 * mmu.c. Accesses of the processor itself (descriptor tables, TSS) are supervisor accesses
 * whatever the CPL.
 */
uint64_t soft_load_system(struct soft_cpu *cpu, uint64_t linear, unsigned size);
void soft_store_system(struct soft_cpu *cpu, uint64_t linear, uint64_t value, unsigned size);
/* The value of a memory operand that is going to be written: faults as a store. */
uint64_t soft_load_for_store(struct soft_cpu *cpu, uint64_t linear, unsigned size);
/* Host memory for an atomic access of the host, or NULL: take accel->locked and the slow way. */
uint8_t *soft_atomic_host(struct soft_cpu *cpu, uint64_t linear, unsigned size);
/* Host memory to execute from, up to the page's end; NULL: it is not memory of the host. */
const uint8_t *soft_fetch_host(struct soft_cpu *cpu, uint64_t linear, uint64_t *ret_physical);
/* For bulk copies: host memory of a part of one page that may be read or written freely. NULL: it
 * is not that simple. Raises as the access would. */
uint8_t *soft_bulk_host(struct soft_cpu *cpu, uint64_t linear, enum soft_access access);

/* tlb.c */
void soft_tlb_init(struct soft_cpu *cpu); /* empties it and tells nobody */
void soft_tlb_flush(struct soft_cpu *cpu);
void soft_tlb_flush_local(struct soft_cpu *cpu); /* all but global pages: a load of CR3 */
void soft_tlb_flush_page(struct soft_cpu *cpu, uint64_t linear);

struct soft_tlb_page {
    uint8_t *host;
    struct soft_ram *ram; /* that host is in */
    bool global, large;
};

/* Makes the entry of linear's page for one kind of access. */
void soft_tlb_set(struct soft_cpu *cpu, enum soft_privilege privilege, enum soft_access access,
                  uint64_t linear, const struct soft_tlb_page *page);
/* The page holds translated code now: no fast stores to it. True: there may have been some. */
bool soft_tlb_close_page(struct soft_cpu *cpu, const uint8_t *host_page);
/* Others' news (SOFT_REQUEST_MAP, _PAGES, _DIRTY). */
void soft_tlb_requests(struct soft_cpu *cpu, uint32_t requests);

/* CPL, RFLAGS.AC, CR0, CR4, EFER or a segment changed: brings what follows from them up to date. */
void soft_mode_changed(struct soft_cpu *cpu);

/* Guest time in ns; the guest's TSC counts the same. */
static inline uint64_t soft_guest_time(struct soft_cpu *cpu)
{
    return clock_now(cpu->accel->accel.board->clock);
}

/* A vCPU of its machine or a core that is lent, standing at the reset vector. */
bool soft_cpu_init(struct soft_cpu *cpu, struct soft_accel *accel, struct vcpu *vcpu,
                   size_t arena_size, GError **err);
void soft_cpu_finish(struct soft_cpu *cpu);

static inline void soft_count_exit(struct soft_cpu *cpu, enum vcpu_exit_kind kind)
{
    vcpu_count_exit(cpu->vcpu, kind);
}

#endif
