/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The accelerator: what all vCPUs share. */
#include "engine/cpu/soft/soft.h"

#include "engine/cpu/soft/irqchip.h"
#include "engine/cpu/soft/msr.h"
#include "engine/cpu/soft/soft_vcpu.h"

static struct soft_accel *soft_of_accel(struct accel *accel)
{
    return (struct soft_accel *)accel;
}

void soft_accel_request_all(struct soft_accel *accel, uint32_t bits)
{
    for (unsigned i = 0; i < accel->accel.cpus; i++) {
        struct soft_cpu *cpu = __atomic_load_n(&accel->cpus[i], __ATOMIC_ACQUIRE);

        if (cpu != NULL)
            soft_cpu_request(cpu, bits);
    }
}

void soft_accel_page_news(struct soft_accel *accel, const struct soft_cpu *but,
                          const uint8_t *host_page, enum soft_page_news news)
{
    for (unsigned i = 0; i < accel->accel.cpus; i++) {
        struct soft_cpu *cpu = __atomic_load_n(&accel->cpus[i], __ATOMIC_ACQUIRE);
        struct soft_page_queue *q;

        if (cpu == NULL || cpu == but)
            continue;
        q = &cpu->page_queue;
        g_mutex_lock(&q->lock);
        if (q->count < SOFT_PAGE_QUEUE)
            q->items[q->count] = (struct soft_page_item){host_page, news};
        if (q->count <= SOFT_PAGE_QUEUE)
            q->count++;
        g_mutex_unlock(&q->lock);
        soft_cpu_request(cpu, SOFT_REQUEST_PAGES);
    }
}

void soft_code_written(struct soft_accel *accel, const struct soft_section *section,
                       const uint8_t *host, unsigned size)
{
    uint64_t *code = soft_ram_code(section->ram, host);

    /* Against a vCPU that marks the page and then reads it: the store comes before this load. */
    __builtin_ia32_mfence();
    if ((__atomic_load_n(code, __ATOMIC_RELAXED) & soft_code_pieces(host, size)) == 0)
        return;
    __atomic_exchange_n(code, 0, __ATOMIC_SEQ_CST);
    soft_accel_page_news(accel, NULL, host - (uintptr_t)host % SOFT_PAGE_SIZE, SOFT_PAGE_WRITTEN);
}

static void notify(void *opaque, unsigned index)
{
    struct soft_accel *accel = opaque;
    struct soft_cpu *cpu = __atomic_load_n(&accel->cpus[index], __ATOMIC_ACQUIRE);

    if (cpu != NULL)
        soft_cpu_request(cpu, SOFT_REQUEST_INTERRUPT);
}

static void set_irq(struct accel *accel, unsigned gsi, bool level)
{
    soft_irqchip_set_irq(soft_of_accel(accel)->irqchip, gsi, level);
}

static void send_msi(struct accel *accel, uint64_t address, uint32_t data)
{
    soft_irqchip_send_msi(soft_of_accel(accel)->irqchip, address, data);
}

static void reset(struct accel *accel)
{
    soft_irqchip_reset(soft_of_accel(accel)->irqchip);
}

/* Guest time, which the TSC and all timers follow, is the board's clock. */
static void set_running(struct accel *accel, bool running)
{
}

void soft_accel_init(struct soft_accel *soft, struct board *board, unsigned cpus)
{
    soft->accel = (struct accel){.board = board, .cpus = cpus};
    g_mutex_init(&soft->locked);
    soft->decoder = soft_decoder_new();
    soft->maps = soft_maps_new(soft);
}

void soft_accel_finish(struct soft_accel *soft)
{
    soft_maps_free(soft->maps);
    soft_decoder_free(soft->decoder);
    g_mutex_clear(&soft->locked);
}

static void free_accel(struct accel *accel)
{
    struct soft_accel *soft = soft_of_accel(accel);

    soft_irqchip_free(soft->irqchip);
    soft_accel_finish(soft);
    g_free(soft);
}

static bool get_state(struct accel *accel, struct irqchip_state *ret)
{
    soft_irqchip_get_state(soft_of_accel(accel)->irqchip, ret);
    return true;
}

static bool set_state(struct accel *accel, const struct irqchip_state *state)
{
    soft_irqchip_set_state(soft_of_accel(accel)->irqchip, state);
    return true;
}

static const struct accel_ops soft_accel_ops = {
    .name = "soft",
    .set_irq = set_irq,
    .send_msi = send_msi,
    .reset = reset,
    .set_running = set_running,
    .get_state = get_state,
    .set_state = set_state,
    .vcpu_new = soft_vcpu_new,
    .free = free_accel,
};

struct accel *soft_accel_new(struct board *board, unsigned cpus, GError **err)
{
    struct soft_accel *soft = g_new0(struct soft_accel, 1);

    soft_accel_init(soft, board, cpus);
    soft->accel.ops = &soft_accel_ops;
    soft->irqchip = soft_irqchip_new(board, cpus, SOFT_TSC_HZ, notify, soft);
    memory_map_set_listener(board->memory, &soft_map_listener, soft->maps);
    return &soft->accel;
}
