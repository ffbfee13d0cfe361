/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fakes/fake_board.h"

static void on_irq(void *opaque, unsigned number, bool level)
{
    struct fake_board *f = opaque;

    f->irq_level[number] = level;
    f->irq_rises[number] += level;
}

static void on_reset(void *opaque, const char *reason)
{
    ((struct fake_board *)opaque)->resets++;
}

static void on_debug_exit(void *opaque, uint32_t code)
{
    struct fake_board *f = opaque;

    f->exits++;
    f->exit_code = code;
}

static const struct board_events events = {.reset = on_reset, .debug_exit = on_debug_exit};

void fake_board_init(struct fake_board *f, size_t ram_size)
{
    *f = (struct fake_board){.ram = {.name = "ram", .size = ram_size}};
    board_init(&f->board, NULL);
    f->board.events = &events;
    f->board.events_opaque = f;
    for (unsigned i = 0; i < FAKE_IRQS; i++)
        f->board.isa_irq[i] = (struct irq_line){.set = on_irq, .opaque = f, .number = i};
    if (ram_size == 0)
        return;
    f->ram.host = g_malloc0(ram_size);
    memory_map_add(f->board.memory, &f->ram, 0, 0);
}

void fake_board_finish(struct fake_board *f)
{
    board_finish(&f->board);
    g_free(f->ram.host);
}

void fake_board_reset(struct fake_board *f)
{
    g_mutex_lock(&f->board.lock);
    board_reset_devices(&f->board);
    g_mutex_unlock(&f->board.lock);
}

void fake_board_advance(struct fake_board *f, uint64_t ns)
{
    clock_advance(f->board.clock, ns);
}

uint32_t fake_in(struct fake_board *f, uint16_t port, unsigned size)
{
    uint32_t value;

    g_mutex_lock(&f->board.lock);
    value = pio_bus_read(f->board.pio, port, size);
    g_mutex_unlock(&f->board.lock);
    return value;
}

void fake_out(struct fake_board *f, uint16_t port, uint32_t value, unsigned size)
{
    g_mutex_lock(&f->board.lock);
    pio_bus_write(f->board.pio, port, value, size);
    g_mutex_unlock(&f->board.lock);
}

uint64_t fake_load(struct fake_board *f, uint64_t gpa, unsigned size)
{
    uint64_t value;

    g_mutex_lock(&f->board.lock);
    value = memory_map_read(f->board.memory, gpa, size);
    g_mutex_unlock(&f->board.lock);
    return value;
}

void fake_store(struct fake_board *f, uint64_t gpa, uint64_t value, unsigned size)
{
    g_mutex_lock(&f->board.lock);
    memory_map_write(f->board.memory, gpa, value, size);
    g_mutex_unlock(&f->board.lock);
}
