/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/machine_internal.h"

#include <stdio.h>
#include <string.h>

G_STATIC_ASSERT(VCPU_EXIT_KINDS <= MACHINE_EXIT_KINDS);

const char *machine_exit_kind_name(unsigned kind)
{
    static const char *const names[VCPU_EXIT_KINDS] = {
        [VCPU_EXIT_PIO] = "io",
        [VCPU_EXIT_MMIO] = "mmio",
        [VCPU_EXIT_HALT] = "halt",
        [VCPU_EXIT_INTERRUPTED] = "interrupted",
        [VCPU_EXIT_SHUTDOWN] = "shutdown",
        [VCPU_EXIT_HANDED_OFF] = "handed-off",
        [VCPU_EXIT_OTHER] = "other",
    };

    return kind < VCPU_EXIT_KINDS ? names[kind] : NULL;
}

/* What /proc/self/smaps says of guest RAM (its resident pages) and of all else (its share). */
static void read_memory(const struct ram *ram, struct machine_stats *stats)
{
    FILE *smaps = fopen("/proc/self/smaps", "re");
    uintptr_t start = (uintptr_t)ram->host, end = start + ram->size;
    bool in_ram = false;
    char line[512];

    if (smaps == NULL)
        return;
    while (fgets(line, sizeof(line), smaps) != NULL) {
        unsigned long from, to, kib;

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            in_ram = from >= start && to <= end;
        else if (in_ram && sscanf(line, "Rss: %lu kB", &kib) == 1)
            stats->memory_resident += (uint64_t)kib << 10;
        else if (!in_ram && sscanf(line, "Pss: %lu kB", &kib) == 1)
            stats->engine_pss += (uint64_t)kib << 10;
    }
    fclose(smaps);
}

void machine_stats(struct machine *machine, struct machine_stats *stats)
{
    gint64 first_exit_us = 0;

    memset(stats, 0, sizeof(*stats));
    stats->guest_time_ns = clock_now(machine->board.clock);
    stats->memory = machine->ram.size;
    stats->cpus = machine->accel->cpus;
    for (unsigned i = 0; i < stats->cpus; i++) {
        const struct vcpu *vcpu = vcpu_set_get(machine->vcpus, i);
        gint64 first = __atomic_load_n(&vcpu->first_exit_us, __ATOMIC_RELAXED);

        stats->vcpu[i].cpu_time_ns = vcpu_set_cpu_time_ns(machine->vcpus, i);
        for (unsigned kind = 0; kind < VCPU_EXIT_KINDS; kind++)
            stats->vcpu[i].exits[kind] = __atomic_load_n(&vcpu->exits[kind], __ATOMIC_RELAXED);
        if (first != 0 && (first_exit_us == 0 || first < first_exit_us))
            first_exit_us = first;
    }
    if (first_exit_us != 0 && machine->started_us != 0)
        stats->start_to_first_exit_ns = (uint64_t)(first_exit_us - machine->started_us) * 1000;
    read_memory(&machine->ram, stats);
}
