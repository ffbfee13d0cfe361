/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The buses: memory map, ports, PCI and guest time. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bus/board.h"
#include "tests/suite.h"

#define PAGE 4096
#define SPACE_PAGES 64

/* A region whose reads tell which region answered, and which remembers its last write. */
struct probe {
    struct region region;
    uint8_t id;
    uint64_t last_offset, last_value;
    unsigned last_size, writes;
};

static uint64_t probe_read(void *opaque, uint64_t offset, unsigned size)
{
    struct probe *p = opaque;

    return size == 1 ? p->id : UINT64_C(0x0101010101010101) * p->id;
}

static void probe_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct probe *p = opaque;

    p->last_offset = offset;
    p->last_value = value;
    p->last_size = size;
    p->writes++;
}

static const struct region_ops probe_ops = {probe_read, probe_write, .max_access = 4};

static void probe_init(struct probe *p, uint8_t id, uint64_t size)
{
    memset(p, 0, sizeof(*p));
    p->id = id;
    p->region = (struct region){.name = "probe", .size = size, .ops = &probe_ops, .opaque = p};
}

/* The host memory that the listener was told of, page by page. */
static const uint8_t *announced[SPACE_PAGES];

static void on_add(void *opaque, const struct memory_section *s)
{
    for (uint64_t i = 0; i < s->size / PAGE; i++) {
        ck_assert_ptr_null(announced[s->base / PAGE + i]);
        announced[s->base / PAGE + i] = s->region->host + s->offset + i * PAGE;
    }
}

static void on_remove(void *opaque, const struct memory_section *s)
{
    for (uint64_t i = 0; i < s->size / PAGE; i++) {
        ck_assert_ptr_nonnull(announced[s->base / PAGE + i]);
        announced[s->base / PAGE + i] = NULL;
    }
}

static uint8_t dirty_answer;

static void on_fetch_dirty(void *opaque, const struct memory_section *s, uint8_t *bitmap)
{
    bitmap[0] |= dirty_answer;
}

static const struct memory_listener listener = {on_add, on_remove, on_fetch_dirty, NULL};

enum { REGIONS = 12 };

/* Which region should answer at address: the highest priority, of equals the newest. */
static struct probe *best_at(struct probe *probes, const unsigned *order, uint64_t address)
{
    struct probe *best = NULL;

    for (unsigned i = 0; i < REGIONS; i++) {
        struct region *r = &probes[i].region;

        if (!r->mapped || address < r->base || address >= r->base + r->size)
            continue;
        if (best == NULL || r->priority > best->region.priority ||
            (r->priority == best->region.priority && order[i] > order[best->id - 1]))
            best = &probes[i];
    }
    return best;
}

START_TEST(memory_map_follows_priorities)
{
    static uint8_t host[REGIONS][SPACE_PAGES * PAGE] __attribute__((aligned(PAGE)));
    struct memory_map *map = memory_map_new();
    struct probe probes[REGIONS];
    unsigned order[REGIONS] = {0};

    srand(7);
    memset(announced, 0, sizeof(announced));
    memory_map_set_listener(map, &listener, NULL);
    for (unsigned i = 0; i < REGIONS; i++) {
        probe_init(&probes[i], i + 1, (1 + rand() % 16) * PAGE);
        memset(host[i], i + 1, sizeof(host[i]));
        if (i % 2 == 0)
            probes[i].region.host = host[i];
    }
    for (unsigned step = 1; step <= 2000; step++) {
        unsigned n = rand() % REGIONS;

        if (rand() % 3 == 0)
            memory_map_remove(map, &probes[n].region);
        else
            memory_map_add(map, &probes[n].region, rand() % (SPACE_PAGES - 16) * PAGE, rand() % 3);
        order[n] = step;
        for (uint64_t at = 0; at < SPACE_PAGES * PAGE; at += PAGE) {
            struct probe *best = best_at(probes, order, at);
            const uint8_t *want = NULL;

            if (best != NULL && best->region.host != NULL)
                want = best->region.host + at - best->region.base;
            ck_assert_uint_eq(memory_map_read(map, at + 8, 1), best != NULL ? best->id : 0xff);
            ck_assert_ptr_eq(announced[at / PAGE], want);
        }
    }
    memory_map_free(map);
    for (unsigned page = 0; page < SPACE_PAGES; page++)
        ck_assert_ptr_null(announced[page]);
}
END_TEST

START_TEST(memory_map_splits_wide_and_crossing_accesses)
{
    struct memory_map *map = memory_map_new();
    struct probe a, b;

    probe_init(&a, 0xa1, PAGE);
    probe_init(&b, 0xb2, PAGE);
    memory_map_add(map, &a.region, 0x1000, 0);
    memory_map_add(map, &b.region, 0x2000, 0);
    ck_assert_uint_eq(memory_map_read(map, 0x1ffe, 4), 0xb2b2a1a1);
    ck_assert_uint_eq(memory_map_read(map, 0x1000, 8), 0xa1a1a1a1a1a1a1a1);
    ck_assert_uint_eq(memory_map_read(map, 0x2ffc, 8), 0xffffffffb2b2b2b2);
    memory_map_write(map, 0x1000, 0x1122334455667788, 8);
    ck_assert_uint_eq(a.writes, 2);
    ck_assert_uint_eq(a.last_offset, 4);
    ck_assert_uint_eq(a.last_value, 0x11223344);
    memory_map_write(map, 0x1fff, 0xbbaa, 2);
    ck_assert_uint_eq(a.last_value, 0xaa);
    ck_assert_uint_eq(b.last_value, 0xbb);
    ck_assert_uint_eq(memory_map_read(map, UINT64_MAX - 1, 4), 0xffffffff);
    memory_map_write(map, UINT64_MAX - 1, 1, 4);
    memory_map_free(map);
}
END_TEST

START_TEST(memory_map_batches_changes)
{
    struct memory_map *map = memory_map_new();
    struct probe a;

    probe_init(&a, 1, PAGE);
    memory_map_begin(map);
    memory_map_begin(map);
    memory_map_add(map, &a.region, 0, 0);
    memory_map_commit(map);
    ck_assert_ptr_null(memory_map_find(map, 0));
    memory_map_commit(map);
    ck_assert_ptr_nonnull(memory_map_find(map, 0));
    memory_map_free(map);
}
END_TEST

START_TEST(dirty_pages_are_never_lost)
{
    static uint8_t host[4 * PAGE] __attribute__((aligned(PAGE)));
    struct memory_map *map = memory_map_new();
    struct region ram = {.name = "vram", .size = sizeof(host), .host = host, .log_dirty = true};
    uint8_t bitmap = 0;

    memset(announced, 0, sizeof(announced));
    memory_map_set_listener(map, &listener, NULL);
    memory_map_add(map, &ram, 0x4000, 0);
    dirty_answer = 0x2;
    memory_map_fetch_dirty(map, &ram, &bitmap);
    ck_assert_uint_eq(bitmap, 0x2);
    dirty_answer = bitmap = 0;
    ck_assert(guest_memory_write(map, 0x5ffe, "abcd", 4)); /* DMA into it */
    memory_map_fetch_dirty(map, &ram, &bitmap);
    ck_assert_uint_eq(bitmap & 0x6, 0x6);
    bitmap = 0;
    memory_map_fetch_dirty(map, &ram, &bitmap);
    ck_assert_uint_eq(bitmap, 0);
    memory_map_add(map, &ram, 0x8000, 0); /* moved: the old place's log is gone */
    memory_map_fetch_dirty(map, &ram, &bitmap);
    ck_assert_uint_eq(bitmap & 0xf, 0xf);
    memory_map_free(map);
}
END_TEST

START_TEST(dma_reaches_only_ram)
{
    static uint8_t low[2 * PAGE] __attribute__((aligned(PAGE)));
    static uint8_t rom[PAGE] __attribute__((aligned(PAGE)));
    struct memory_map *map = memory_map_new();
    struct region ram = {.name = "ram", .size = sizeof(low), .host = low};
    struct region bios = {.name = "rom", .size = PAGE, .host = rom, .readonly = true};
    struct probe mmio;
    struct iovec iov[4];
    unsigned count = 0;
    char buffer[16] = "";

    probe_init(&mmio, 9, PAGE);
    memory_map_add(map, &ram, 0, 0);
    memory_map_add(map, &bios, 0x1000, 1);
    memory_map_add(map, &mmio.region, 0x2000, 0);
    ck_assert(guest_memory_write(map, 0xff0, "0123456789abcdef", 16));
    ck_assert(guest_memory_read(map, 0xff8, buffer, 16)); /* across RAM into ROM */
    ck_assert_mem_eq(buffer, "89abcdef", 8);
    ck_assert(!guest_memory_write(map, 0xff8, "XXXXXXXXXXXXXXXX", 16));
    ck_assert_mem_eq(low + 0xff8, "89abcdef", 8); /* all or nothing */
    ck_assert(!guest_memory_read(map, 0x1ff8, buffer, 16));
    ck_assert(!guest_memory_read(map, 0x2000, buffer, 1));
    ck_assert(!guest_memory_read(map, UINT64_MAX - 3, buffer, 8));
    ck_assert(guest_memory_iov(map, 0xf00, 0x200, false, iov, &count, 4));
    ck_assert_uint_eq(count, 2);
    ck_assert(!guest_memory_iov(map, 0xf00, 0x200, false, iov, &count, 3));
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(mmio.writes, 0);
    memory_map_free(map);
}
END_TEST

START_TEST(ports_dispatch)
{
    struct pio_bus *bus = pio_bus_new();
    struct probe a, b, c;

    probe_init(&a, 0x11, 4);
    probe_init(&b, 0x22, 1);
    probe_init(&c, 0x33, 2);
    ck_assert(pio_bus_add(bus, &a.region, 0x70));
    ck_assert(pio_bus_add(bus, &b.region, 0x74));
    ck_assert(!pio_bus_add(bus, &c.region, 0x73));
    ck_assert(!pio_bus_add(bus, &c.region, 0xffff));
    ck_assert(pio_bus_add(bus, &c.region, 0xfffe));
    ck_assert_uint_eq(pio_bus_read(bus, 0x70, 4), 0x11111111);
    ck_assert_uint_eq(pio_bus_read(bus, 0x72, 4), 0xff221111);
    ck_assert_uint_eq(pio_bus_read(bus, 0x60, 2), 0xffff);
    ck_assert_uint_eq(pio_bus_read(bus, 0xffff, 1), 0x33);
    pio_bus_write(bus, 0x73, 0xaabb, 2);
    ck_assert_uint_eq(a.last_value, 0xbb);
    ck_assert_uint_eq(b.last_value, 0xaa);
    pio_bus_remove(bus, &b.region);
    ck_assert_uint_eq(pio_bus_read(bus, 0x74, 1), 0xff);
    pio_bus_free(bus);
}
END_TEST

static unsigned routed_pin, routes, msi_count;
static bool routed_level;

static void on_route(void *opaque, uint8_t devfn, unsigned pin, bool level)
{
    routed_pin = pin;
    routed_level = level;
    routes++;
}

static void on_msi(void *opaque, uint64_t address, uint32_t data)
{
    ck_assert_uint_eq(address, 0xfee00000);
    ck_assert_uint_eq(data, 0x41);
    msi_count++;
}

static void config_write(struct board *b, unsigned devfn, unsigned reg, uint32_t v, unsigned size)
{
    pio_bus_write(b->pio, 0xcf8, 0x80000000 | devfn << 8 | (reg & 0xfc), 4);
    pio_bus_write(b->pio, 0xcfc + (reg & 3), v, size);
}

static uint32_t config_read(struct board *b, unsigned devfn, unsigned reg, unsigned size)
{
    pio_bus_write(b->pio, 0xcf8, 0x80000000 | devfn << 8 | (reg & 0xfc), 4);
    return pio_bus_read(b->pio, 0xcfc + (reg & 3), size);
}

struct pci_fixture {
    struct board board;
    struct pci_device pci;
    struct probe mmio, io;
};

#define TEST_DEVFN PCI_DEVFN(3, 0)

static struct pci_fixture *pci_fixture_new(void)
{
    static const struct device_class class = {.name = "test"};
    static const struct pci_ids ids = {.vendor = 0x1234,
                                       .device = 0x5678,
                                       .class_device = 0x0106,
                                       .class_prog = 1};
    struct pci_fixture *f = g_new0(struct pci_fixture, 1);

    routes = msi_count = 0;
    board_init(&f->board, NULL);
    f->board.send_msi = on_msi;
    pci_bus_set_router(f->board.pci, on_route, NULL);
    probe_init(&f->mmio, 0x77, 0x2000);
    probe_init(&f->io, 0x66, 32);
    pci_device_init(&f->pci, &f->board, &class, "test0", &ids);
    pci_device_add_bar(&f->pci, 0, PCI_BAR_MEM32, &f->mmio.region, false);
    pci_device_add_bar(&f->pci, 1, PCI_BAR_IO, &f->io.region, false);
    pci_device_add_msi(&f->pci);
    pci_device_set_pin(&f->pci, 1);
    ck_assert(pci_bus_plug(f->board.pci, &f->pci, TEST_DEVFN));
    return f;
}

static void pci_fixture_free(struct pci_fixture *f)
{
    pci_device_finish(&f->pci);
    board_finish(&f->board);
    g_free(f);
}

START_TEST(pci_configuration)
{
    struct pci_fixture *f = pci_fixture_new();
    struct board *b = &f->board;

    ck_assert(!pci_bus_plug(b->pci, &f->pci, TEST_DEVFN));
    ck_assert_uint_eq(config_read(b, TEST_DEVFN, 0, 4), 0x56781234);
    ck_assert_uint_eq(config_read(b, PCI_DEVFN(4, 0), 0, 4), 0xffffffff);
    config_write(b, TEST_DEVFN, 0, 0, 4); /* read-only */
    ck_assert_uint_eq(config_read(b, TEST_DEVFN, 2, 2), 0x5678);

    config_write(b, TEST_DEVFN, PCI_BAR0, 0xffffffff, 4);
    ck_assert_uint_eq(config_read(b, TEST_DEVFN, PCI_BAR0, 4), 0xffffe000);
    config_write(b, TEST_DEVFN, PCI_BAR0, 0xfe000000, 4);
    config_write(b, TEST_DEVFN, PCI_BAR0 + 4, 0xc000, 4);
    ck_assert(!f->mmio.region.mapped);
    config_write(b, TEST_DEVFN, PCI_COMMAND, 7, 2);
    ck_assert_uint_eq(memory_map_read(b->memory, 0xfe001ffc, 4), 0x77777777);
    ck_assert_uint_eq(pio_bus_read(b->pio, 0xc004, 1), 0x66);
    config_write(b, TEST_DEVFN, PCI_BAR0, 0xffffffff, 4);
    ck_assert(!f->mmio.region.mapped); /* sizing maps nothing over the firmware */
    config_write(b, TEST_DEVFN, PCI_BAR0, 0xfd000000, 4);
    ck_assert_uint_eq(f->mmio.region.base, 0xfd000000);

    memory_map_add(b->memory, pci_bus_ecam(b->pci), 0xb0000000, 1);
    ck_assert_uint_eq(memory_map_read(b->memory, 0xb0000000 + (TEST_DEVFN << 12), 4), 0x56781234);
    ck_assert_uint_eq(memory_map_read(b->memory, 0xb0100000 + (TEST_DEVFN << 12), 4), 0xffffffff);

    pci_device_reset(&f->pci);
    ck_assert(!f->mmio.region.mapped && !f->io.region.mapped);
    ck_assert_uint_eq(config_read(b, TEST_DEVFN, PCI_COMMAND, 2), 0);
    pci_fixture_free(f);
}
END_TEST

START_TEST(pci_interrupts)
{
    struct pci_fixture *f = pci_fixture_new();
    struct board *b = &f->board;
    unsigned msi = config_read(b, TEST_DEVFN, PCI_CAPABILITY_LIST, 1);

    config_write(b, TEST_DEVFN, PCI_COMMAND, 7, 2);
    pci_device_set_irq(&f->pci, true);
    ck_assert(routed_level && routed_pin == 0 && routes == 1);
    config_write(b, TEST_DEVFN, PCI_COMMAND, 7 | PCI_COMMAND_INTX_DISABLE, 2);
    ck_assert(!routed_level);
    pci_device_set_irq(&f->pci, false);
    ck_assert_uint_eq(config_read(b, TEST_DEVFN, msi, 1), 5);
    config_write(b, TEST_DEVFN, msi + 4, 0xfee00000, 4);
    config_write(b, TEST_DEVFN, msi + 12, 0x41, 2);
    config_write(b, TEST_DEVFN, msi + 2, 1, 2);
    pci_device_set_irq(&f->pci, true);
    pci_device_set_irq(&f->pci, true);
    ck_assert_uint_eq(msi_count, 1);
    ck_assert_uint_eq(routes, 2);
    pci_fixture_free(f);
}
END_TEST

static void on_expired(void *opaque)
{
    ++*(unsigned *)opaque;
}

START_TEST(manual_time)
{
    struct board board;
    struct vm_timer early, late;
    unsigned early_count = 0, late_count = 0;

    board_init(&board, NULL);
    vm_timer_init(&early, board.clock, on_expired, &early_count);
    vm_timer_init(&late, board.clock, on_expired, &late_count);
    vm_timer_set(&late, 300);
    vm_timer_set(&early, 100);
    clock_advance(board.clock, 99);
    ck_assert_uint_eq(early_count, 0);
    clock_advance(board.clock, 1);
    ck_assert_uint_eq(early_count, 1);
    vm_timer_cancel(&late);
    clock_advance(board.clock, 1000);
    ck_assert_uint_eq(late_count, 0);
    ck_assert_uint_eq(clock_now(board.clock), 1100);
    board_finish(&board);
}
END_TEST

/* Real time: stands still while stopped, and a timer comes after its deadline. */
START_TEST(real_time)
{
    GMainContext *context = g_main_context_new();
    struct board board;
    struct vm_timer timer;
    unsigned count = 0;
    uint64_t stopped;

    board_init(&board, context);
    ck_assert_uint_eq(clock_now(board.clock), 0);
    vm_timer_init(&timer, board.clock, on_expired, &count);
    vm_timer_set(&timer, 2000000);
    clock_start(board.clock);
    while (count == 0)
        g_main_context_iteration(context, TRUE);
    ck_assert_uint_ge(clock_now(board.clock), 2000000);
    clock_stop(board.clock);
    stopped = clock_now(board.clock);
    g_usleep(2000);
    ck_assert_uint_eq(clock_now(board.clock), stopped);
    board_finish(&board);
    g_main_context_unref(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bus");
    TCase *tc = tcase_create("bus");

    tcase_add_test(tc, memory_map_follows_priorities);
    tcase_add_test(tc, memory_map_splits_wide_and_crossing_accesses);
    tcase_add_test(tc, memory_map_batches_changes);
    tcase_add_test(tc, dirty_pages_are_never_lost);
    tcase_add_test(tc, dma_reaches_only_ram);
    tcase_add_test(tc, ports_dispatch);
    tcase_add_test(tc, pci_configuration);
    tcase_add_test(tc, pci_interrupts);
    tcase_add_test(tc, manual_time);
    tcase_add_test(tc, real_time);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
