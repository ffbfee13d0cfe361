/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State that moves between the accelerators. First the state alone, random and valid; then a guest
 * that goes from one to the other and back at arbitrary instructions, and comes to its right
 * result. The same guest alone under KVM has the software CPU execute what that KVM lacks.
 */
#include <check.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/cpu/accel.h"
#include "engine/cpu/vcpu_set.h"
#include "tests/suite.h"
#include "tests/unit/move_guest.h"

#define RAM_SIZE 0x10000
#define MAX_CPUS 2
#define STATES 300
#define MOVES 8

#define LAPIC(offset) ((offset) / 16)

extern const uint8_t move_guest[], move_guest_end[], move_guest_tick[];

/* A machine of one accelerator. Several show the same memory, and one at a time runs. */
struct side {
    struct board board;
    struct accel *accel;
    struct vcpu_set *vcpus;
    struct region ram, rom, port;
    gint noted;
};

static uint8_t *memory, *rom_page;
static GRand *dice;
static bool with_32bit_paging; /* not every KVM has it */

static void on_port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    g_atomic_int_set(&((struct side *)opaque)->noted, 1);
}

static void on_stopped(void *opaque, unsigned index, enum vcpu_stop stop, const char *reason)
{
    fprintf(stderr, "vCPU %u stopped (%d): %s\n", index, stop, reason != NULL ? reason : "");
}

static struct side *side_new(enum config_accel kind, unsigned cpus)
{
    static const struct region_ops port_ops = {.write = on_port_write, .max_access = 1};
    struct side *s = g_new0(struct side, 1);
    g_autoptr(GError) error = NULL;

    board_init(&s->board, g_main_context_default());
    s->accel = accel_new(kind, &s->board, cpus, &error);
    ck_assert_msg(s->accel != NULL, "%s", error != NULL ? error->message : "");
    s->ram = (struct region){.name = "ram", .size = RAM_SIZE, .host = memory};
    s->rom = (struct region){.name = "rom", .size = 4096, .host = rom_page, .readonly = true};
    s->port = (struct region){.name = "port", .size = 1, .ops = &port_ops, .opaque = s};
    g_mutex_lock(&s->board.lock);
    memory_map_add(s->board.memory, &s->ram, 0, 0);
    memory_map_add(s->board.memory, &s->rom, UINT64_C(0xfffff000), 0);
    pio_bus_add(s->board.pio, &s->port, MOVE_PORT);
    g_mutex_unlock(&s->board.lock);
    s->vcpus = vcpu_set_new(s->accel, on_stopped, s, &error);
    ck_assert_msg(s->vcpus != NULL, "%s", error != NULL ? error->message : "");
    return s;
}

static void side_free(struct side *s)
{
    if (s == NULL)
        return;
    vcpu_set_free(s->vcpus);
    board_finish(&s->board);
    accel_free(s->accel);
    g_free(s);
}

static struct vcpu *vcpu_of(struct side *s, unsigned index)
{
    return (struct vcpu *)vcpu_set_get(s->vcpus, index);
}

static void get(struct side *s, struct x86_state *ret)
{
    ck_assert(vcpu_of(s, 0)->ops->get_state(vcpu_of(s, 0), ret));
}

static void set(struct side *s, const struct x86_state *state)
{
    ck_assert(vcpu_of(s, 0)->ops->set_state(vcpu_of(s, 0), state));
}

static void start(struct side *s)
{
    g_mutex_lock(&s->board.lock);
    clock_start(s->board.clock);
    g_mutex_unlock(&s->board.lock);
    s->accel->ops->set_running(s->accel, true);
    vcpu_set_resume(s->vcpus);
}

static void stop(struct side *s)
{
    vcpu_set_pause(s->vcpus);
    s->accel->ops->set_running(s->accel, false);
    g_mutex_lock(&s->board.lock);
    clock_stop(s->board.clock);
    g_mutex_unlock(&s->board.lock);
}

static void move(struct side *from, struct side *to)
{
    g_autofree struct x86_state *state = g_new0(struct x86_state, 1);
    struct irqchip_state chip;

    ck_assert(from->accel->ops->get_state(from->accel, &chip));
    ck_assert(to->accel->ops->set_state(to->accel, &chip));
    for (unsigned i = 0; i < from->accel->cpus; i++) {
        ck_assert(vcpu_of(from, i)->ops->get_state(vcpu_of(from, i), state));
        ck_assert(vcpu_of(to, i)->ops->set_state(vcpu_of(to, i), state));
    }
}

static uint64_t rand64(void)
{
    return (uint64_t)g_rand_int(dice) << 32 | g_rand_int(dice);
}

static bool coin(void)
{
    return g_rand_boolean(dice);
}

static uint64_t canonical(void)
{
    return (uint64_t)((int64_t)(rand64() << 16) >> 16);
}

static struct x86_segment segment(uint32_t attributes, bool flat)
{
    return (struct x86_segment){.base = flat ? 0 : g_rand_int(dice),
                                .limit = flat ? UINT32_MAX : 0xffff,
                                .attributes = attributes,
                                .selector = g_rand_int_range(dice, 1, 0x1000) << 3};
}

static void random_mode(struct x86_state *s)
{
    unsigned mode = g_rand_int_range(dice, 0, 3);
    bool flat = mode != 0;
    uint32_t code = mode == 2 ? 0xa09b : mode == 1 ? 0xc09b : 0x9b;

    s->cr0 = 0x10 | (flat ? 1 : 0) |
             (mode == 2 || (mode == 1 && with_32bit_paging) ? 0x80000000 : 0) |
             (coin() ? 0x10000 : 0) | 0x20;
    s->cr3 = 0x5000;
    s->cr4 = 0x600 | (mode == 2 ? 0x20 : 0) | (coin() ? 0x80 : 0);
    s->efer = mode == 2 ? 0x500 | (coin() ? 0x801 : 0) : 0;
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        s->segment[i] = segment(i == X86_CS ? code : flat ? 0xc093 : 0x93, flat);
    s->tr = segment(0x8b, false);
    s->ldtr = segment(0x82, false);
    s->gdt = (struct x86_table){canonical(), g_rand_int(dice)};
    s->idt = (struct x86_table){canonical(), g_rand_int(dice)};
    if (mode != 2) {
        s->gdt.base = (uint32_t)s->gdt.base;
        s->idt.base = (uint32_t)s->idt.base;
    }
    s->rip = mode == 2 ? canonical() : g_rand_int(dice) & 0xffff;
}

static void random_fpu(struct x86_state *s)
{
    uint64_t bv = 3;
    uint16_t control = 0x37f & ~(g_rand_int(dice) & 0xf00), status = g_rand_int(dice) & 0x7f3f;
    uint32_t mxcsr = g_rand_int(dice) & 0xffff, mask = 0xffff;

    s->xcr0 = 3;
    for (unsigned i = 0; i < 416; i++)
        s->xsave[i] = g_rand_int(dice);
    for (unsigned i = 0; i < 8; i++) /* behind the 80 bits of a register */
        memset(s->xsave + 32 + i * 16 + 10, 0, 6);
    memcpy(s->xsave, &control, 2);
    memcpy(s->xsave + 2, &status, 2);
    s->xsave[5] = 0;
    s->xsave[7] &= 7;
    memset(s->xsave + 14, 0, 2); /* offsets are canonical */
    memset(s->xsave + 22, 0, 2);
    s->xsave[13] &= 0x7f;
    s->xsave[21] &= 0x7f;
    memcpy(s->xsave + 24, &mxcsr, 4);
    memcpy(s->xsave + 28, &mask, 4);
    memcpy(s->xsave + 512, &bv, 8);
}

static void random_msrs(struct x86_state *s)
{
    s->star = rand64();
    s->lstar = canonical();
    s->cstar = canonical();
    s->sfmask = g_rand_int(dice);
    s->kernel_gs_base = canonical();
    s->sysenter_cs = g_rand_int(dice) & 0xfff8;
    s->sysenter_esp = canonical();
    s->sysenter_eip = canonical();
    s->pat = UINT64_C(0x0007040600070406) ^ (coin() ? 6 : 0);
    for (unsigned i = 0; i < X86_FIXED_MTRRS; i++)
        s->mtrr_fixed[i] = coin() ? UINT64_C(0x0606060606060606) : UINT64_C(0x0505010104040000);
    for (unsigned i = 0; i < X86_VARIABLE_MTRRS; i++) {
        s->mtrr_base[i] = (uint64_t)(g_rand_int(dice) & 0xfffff) << 12 | 6;
        s->mtrr_mask[i] = UINT64_C(0xff00000800);
    }
    s->mtrr_def_type = 0xc06;
    s->tsc = rand64() >> 8;
    s->misc_enable = 1;
}

static void random_lapic(struct x86_lapic *l)
{
    static const unsigned lvt[] = {0x330, 0x340, 0x360, 0x370};
    bool x2apic = coin();

    l->base = 0xfee00900 | (x2apic ? 0x400 : 0);
    l->reg[LAPIC(0x30)] = 0x50014;
    l->reg[LAPIC(0x80)] = g_rand_int(dice) & 0xff;
    l->reg[LAPIC(0xd0)] = x2apic ? 1 : g_rand_int(dice) & 0xff000000;
    l->reg[LAPIC(0xe0)] = coin() ? UINT32_MAX : 0x0fffffff;
    l->reg[LAPIC(0xf0)] = 0x1ff;
    for (unsigned i = 0; i < 8; i++) {
        l->reg[LAPIC(0x100) + i] = g_rand_int(dice) & (i == 0 ? 0xffff0000 : UINT32_MAX);
        l->reg[LAPIC(0x180) + i] = g_rand_int(dice) & (i == 0 ? 0xffff0000 : UINT32_MAX);
        l->reg[LAPIC(0x200) + i] = g_rand_int(dice) & (i == 0 ? 0xffff0000 : UINT32_MAX);
    }
    l->reg[LAPIC(0x300)] = g_rand_int(dice) & 0xcc7ff;
    l->reg[LAPIC(0x310)] = x2apic ? g_rand_int(dice) : g_rand_int(dice) & 0xff000000;
    for (unsigned i = 0; i < G_N_ELEMENTS(lvt); i++)
        l->reg[LAPIC(lvt[i])] = 0x10000 | (g_rand_int(dice) & 0xff);
    l->reg[LAPIC(0x350)] = 0x10700;
    l->reg[LAPIC(0x320)] = (coin() ? 0x10000 : 0x20000) | g_rand_int_range(dice, 16, 256);
    l->reg[LAPIC(0x380)] = 0x40000000 | g_rand_int(dice) >> 2;
    l->reg[LAPIC(0x390)] = l->reg[LAPIC(0x380)] - 0x10000000;
    l->reg[LAPIC(0x3e0)] = g_rand_int(dice) & 0xb;
}

static void random_state(struct x86_state *s)
{
    memset(s, 0, sizeof(*s));
    for (unsigned i = 0; i < 16; i++)
        s->gpr[i] = rand64();
    s->rflags = 2 | (g_rand_int(dice) & 0x250ed5);
    random_mode(s);
    s->cr2 = rand64();
    for (unsigned i = 0; i < 4; i++)
        s->dr[i] = canonical();
    s->dr[6] = 0xffff0ff0 | (g_rand_int(dice) & 0xe00f);
    s->dr[7] = 0x400 | (g_rand_int(dice) & 0xffff0055);
    random_fpu(s);
    random_msrs(s);
    random_lapic(&s->lapic);
    s->activity = coin() ? X86_RUNNING : X86_HALTED;
    s->interrupt_shadow = coin();
    s->nmi_blocked = coin();
    s->nmi_pending = coin();
    switch (g_rand_int_range(dice, 0, 4)) {
    case 1:
        s->event = (struct x86_event){X86_EVENT_EXCEPTION, 14, true, g_rand_int(dice) & 7};
        break;
    case 2:
        s->event = (struct x86_event){.kind = X86_EVENT_INTERRUPT, .vector = 0x31};
        break;
    case 3:
        s->event = (struct x86_event){.kind = X86_EVENT_NMI, .vector = 2};
        break;
    }
    if (s->event.kind != X86_NO_EVENT)
        s->activity = X86_RUNNING;
}

#define FIELD(name)                                                                    \
    {                                                                                  \
#name, offsetof(struct x86_state, name), sizeof(((struct x86_state *)0)->name) \
    }

static const struct {
    const char *name;
    size_t offset, size;
} fields[] = {
    FIELD(gpr),
    FIELD(rip),
    FIELD(rflags),
    FIELD(cr0),
    FIELD(cr2),
    FIELD(cr3),
    FIELD(cr4),
    FIELD(xcr0),
    FIELD(efer),
    FIELD(dr),
    FIELD(gdt.base),
    FIELD(gdt.limit),
    FIELD(idt.base),
    FIELD(idt.limit),
    FIELD(star),
    FIELD(lstar),
    FIELD(cstar),
    FIELD(sfmask),
    FIELD(kernel_gs_base),
    FIELD(sysenter_cs),
    FIELD(sysenter_esp),
    FIELD(sysenter_eip),
    FIELD(pat),
    FIELD(misc_enable),
    FIELD(mtrr_fixed),
    FIELD(mtrr_base),
    FIELD(mtrr_mask),
    FIELD(mtrr_def_type),
    FIELD(activity),
    FIELD(event.kind),
    FIELD(event.vector),
    FIELD(event.has_error),
    FIELD(event.error),
    FIELD(nmi_pending),
    FIELD(nmi_blocked),
    FIELD(interrupt_shadow),
    FIELD(lapic.base),
};

static uint64_t first_word(const struct x86_state *s, unsigned field)
{
    uint64_t value = 0;

    memcpy(&value, (const char *)s + fields[field].offset, MIN(fields[field].size, 8));
    return value;
}

static void assert_segment(const struct x86_segment *a, const struct x86_segment *b)
{
    ck_assert_uint_eq(a->base, b->base);
    ck_assert_uint_eq(a->limit, b->limit);
    ck_assert_uint_eq(a->attributes, b->attributes);
    ck_assert_uint_eq(a->selector, b->selector);
}

/* Time goes on: the timer's count may only have moved on. Not every KVM lets its TSC be set. */
static void assert_same(const struct x86_state *a, const struct x86_state *b, unsigned number)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
        ck_assert_msg(memcmp((const char *)a + fields[i].offset, (const char *)b + fields[i].offset,
                             fields[i].size) == 0,
                      "state %u: %s differs: %#" PRIx64 ", %#" PRIx64, number, fields[i].name,
                      first_word(a, i), first_word(b, i));
    for (unsigned i = 0; i < X86_SEGMENTS; i++)
        assert_segment(&a->segment[i], &b->segment[i]);
    assert_segment(&a->tr, &b->tr);
    assert_segment(&a->ldtr, &b->ldtr);
    ck_assert_mem_eq(a->xsave, b->xsave, 416);
    for (unsigned i = 0; i < X86_LAPIC_REGISTERS; i++) {
        if (i != LAPIC(0x390) && i != LAPIC(0xa0))
            ck_assert_msg(a->lapic.reg[i] == b->lapic.reg[i], "state %u: APIC %#x: %#x, %#x",
                          number, i * 16, a->lapic.reg[i], b->lapic.reg[i]);
    }
    ck_assert_uint_gt(b->lapic.reg[LAPIC(0x390)], 0);
    ck_assert_uint_le(b->lapic.reg[LAPIC(0x390)], a->lapic.reg[LAPIC(0x390)]);
}

static void round_trips(struct side *soft, struct side *other)
{
    g_autofree struct x86_state *s = g_new(struct x86_state, 1), *a = g_new(struct x86_state, 1);
    g_autofree struct x86_state *b = g_new(struct x86_state, 1);

    for (unsigned i = 0; i < STATES; i++) {
        random_state(s);
        set(soft, s);
        get(soft, a);
        assert_same(s, a, i);
        ck_assert_uint_ge(a->tsc, s->tsc);
        set(other, a);
        get(other, b);
        assert_same(a, b, i);
        set(soft, b);
        get(soft, a);
        assert_same(b, a, i);
    }
}

static bool can_page_in_32bit(struct side *s)
{
    g_autofree struct x86_state *state = g_new(struct x86_state, 1);

    get(s, state);
    state->cr0 = 0x80000011;
    state->cr3 = 0x5000;
    set(s, state);
    get(s, state);
    return state->cr0 & X86_CR0_PG;
}

START_TEST(states_go_round)
{
    struct side *soft = side_new(ACCEL_SOFT, 1), *kvm = side_new(ACCEL_KVM, 1);
    struct side *again = side_new(ACCEL_SOFT, 1);

    with_32bit_paging = true;
    round_trips(soft, again);
    with_32bit_paging = can_page_in_32bit(kvm);
    round_trips(soft, kvm);
    side_free(again);
    side_free(kvm);
    side_free(soft);
}
END_TEST

START_TEST(what_only_kvm_has_is_kept)
{
    struct side *soft = side_new(ACCEL_SOFT, 1), *kvm = side_new(ACCEL_KVM, 1);
    g_autofree struct x86_state *a = g_new(struct x86_state, 1), *b = g_new(struct x86_state, 1);

    get(kvm, a);
    ck_assert_uint_gt(a->other_msrs, 0);
    set(soft, a);
    get(soft, b);
    ck_assert_uint_eq(a->other_msrs, b->other_msrs);
    for (unsigned i = 0; i < a->other_msrs; i++) {
        ck_assert_uint_eq(a->other_msr[i].number, b->other_msr[i].number);
        ck_assert_uint_eq(a->other_msr[i].value, b->other_msr[i].value);
    }
    ck_assert_mem_eq(a->xsave + 576, b->xsave + 576, X86_XSAVE_SIZE - 576);
    side_free(kvm);
    side_free(soft);
}
END_TEST

static void random_pic(struct irqchip_pic *p, bool master)
{
    *p = (struct irqchip_pic){
        .mask = g_rand_int(dice),
        .service = g_rand_int(dice),
        .elcr = g_rand_int(dice) & (master ? 0xf8 : 0xde),
        .vector_base = g_rand_int(dice) & 0xf8,
        .lowest = g_rand_int(dice) & 7,
        .step = coin() ? 0 : g_rand_int_range(dice, 2, 5),
        .has_icw4 = coin(),
        .read_service = coin(),
        .special_mask = coin(),
        .special_nested = coin(),
        .auto_eoi = coin(),
        .rotate_auto_eoi = coin(),
    };
    p->lines = g_rand_int(dice) & (master ? 0xfa : 0xff); /* 0: the PIT's */
    p->edges = p->lines & ~p->elcr & g_rand_int(dice);
    if (!master) /* nothing asks the master: its cascade is quiet */
        p->mask = 0xff;
}

static void random_irqchip(struct irqchip_state *s)
{
    memset(s, 0, sizeof(*s));
    random_pic(&s->pic[0], true);
    random_pic(&s->pic[1], false);
    s->ioapic.id = (g_rand_int(dice) & 0xf) << 24;
    s->ioapic.selected = g_rand_int(dice) & 0x3f;
    for (unsigned i = 0; i < IRQCHIP_PINS; i++)
        s->ioapic.entries[i] = (rand64() & UINT64_C(0xff0000000000afff)) | 0x10000;
    for (unsigned i = 0; i < IRQCHIP_PIT_CHANNELS; i++)
        s->pit[i] = (struct irqchip_pit_channel){
            .programmed = true,
            .mode = g_rand_int_range(dice, 2, 4),
            .access = g_rand_int_range(dice, 1, 4),
            .gate = i != 2 || coin(),
            .loaded = true,
            .count = g_rand_int_range(dice, 0x8000, 0x10001),
        };
    for (unsigned i = 0; i < IRQCHIP_PIT_CHANNELS; i++)
        s->pit[i].counting = s->pit[i].gate;
    s->pit_control = (coin() ? 2 : 0) | s->pit[2].gate;
}

static void assert_same_irqchip(const struct irqchip_state *a, const struct irqchip_state *b)
{
    struct irqchip_pic of_a[2], of_b[2];

    memcpy(of_a, a->pic, sizeof(of_a));
    memcpy(of_b, b->pic, sizeof(of_b));
    of_a[0].edges &= ~1; /* the PIT may have ticked */
    of_b[0].edges &= ~1;
    ck_assert_mem_eq(of_a, of_b, sizeof(of_a));
    ck_assert_uint_eq(a->ioapic.id, b->ioapic.id);
    ck_assert_uint_eq(a->ioapic.selected, b->ioapic.selected);
    ck_assert_uint_eq(a->ioapic.lines, b->ioapic.lines);
    for (unsigned i = 0; i < IRQCHIP_PINS; i++)
        ck_assert_uint_eq(a->ioapic.entries[i], b->ioapic.entries[i]);
    for (unsigned i = 0; i < IRQCHIP_PIT_CHANNELS; i++) {
        ck_assert_uint_eq(a->pit[i].mode, b->pit[i].mode);
        ck_assert_uint_eq(a->pit[i].access, b->pit[i].access);
        ck_assert_uint_eq(a->pit[i].gate, b->pit[i].gate);
        ck_assert_uint_eq(a->pit[i].count, b->pit[i].count);
    }
    ck_assert_uint_eq(a->pit_control, b->pit_control);
}

START_TEST(irqchips_go_round)
{
    struct side *soft = side_new(ACCEL_SOFT, 1), *kvm = side_new(ACCEL_KVM, 1);
    struct irqchip_state s, a, b;

    for (unsigned i = 0; i < STATES; i++) {
        random_irqchip(&s);
        ck_assert(soft->accel->ops->set_state(soft->accel, &s));
        ck_assert(soft->accel->ops->get_state(soft->accel, &a));
        assert_same_irqchip(&s, &a);
        ck_assert(kvm->accel->ops->set_state(kvm->accel, &a));
        ck_assert(kvm->accel->ops->get_state(kvm->accel, &b));
        assert_same_irqchip(&a, &b);
    }
    side_free(kvm);
    side_free(soft);
}
END_TEST

static void put(uint32_t at, const void *bytes, size_t size)
{
    memcpy(memory + at, bytes, size);
}

static uint32_t word(uint32_t at)
{
    return __atomic_load_n((uint32_t *)(memory + at), __ATOMIC_ACQUIRE);
}

static void put_word(uint32_t at, uint32_t value)
{
    __atomic_store_n((uint32_t *)(memory + at), value, __ATOMIC_RELEASE);
}

static void load_guest(unsigned cpus)
{
    static const uint64_t gdt[3] = {0, UINT64_C(0x00cf9b000000ffff), UINT64_C(0x00cf93000000ffff)};
    uint32_t tick = MOVE_CODE + (move_guest_tick - move_guest);
    uint64_t gate = (tick & 0xffff) | 8 << 16 | UINT64_C(0x8e00) << 32;
    uint8_t gdtr[6] = {sizeof(gdt) - 1, 0}, idtr[6] = {(0x21 * 8 - 1) & 0xff, 1};
    const uint32_t gdt_base = MOVE_GDT, idt_base = MOVE_IDT;
    const double half = 0.5;

    memset(memory, 0, RAM_SIZE);
    put(MOVE_CODE, move_guest, move_guest_end - move_guest);
    put(MOVE_GDT, gdt, sizeof(gdt));
    memcpy(gdtr + 2, &gdt_base, 4);
    memcpy(idtr + 2, &idt_base, 4);
    put(MOVE_GDTR, gdtr, 6);
    put(MOVE_IDTR, idtr, 6);
    put(MOVE_IDT + 0x20 * 8, &gate, 8);
    put(MOVE_HALF, &half, 8);
    put_word(MOVE_CPUS, cpus);
}

static void check_results(unsigned cpus)
{
    uint32_t x = 1, sum = 0;
    long double acc = 0;
    double expected;

    for (unsigned i = 0; i < MOVE_ROUNDS; i++) {
        x = x * 1103515245 + 12345;
        acc = (acc + (int32_t)x) * 0.5L;
        sum += x;
    }
    expected = acc;
    for (unsigned i = 0; i < cpus; i++) {
        ck_assert_uint_eq(word(MOVE_INTEGER + i * 8), x);
        ck_assert_uint_eq(word(MOVE_SSE + i * 8), sum);
        ck_assert_mem_eq(memory + MOVE_X87 + i * 8, &expected, 8);
    }
    ck_assert_uint_eq(word(MOVE_COUNTER), cpus * MOVE_ROUNDS);
}

/* Lets the main loop and the guest work for some milliseconds. */
static void wait_ms(unsigned ms)
{
    gint64 end = g_get_monotonic_time() + ms * 1000;

    while (g_get_monotonic_time() < end) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(500);
    }
}

static void run_with_moves(enum config_accel first, enum config_accel second, unsigned cpus,
                           unsigned moves)
{
    struct side *here = side_new(first, cpus), *there = moves > 0 ? side_new(second, cpus) : NULL;

    load_guest(cpus);
    start(here);
    for (unsigned i = 0; i < moves; i++) {
        struct side *from = here;

        wait_ms(g_rand_int_range(dice, 3, 25));
        stop(here);
        move(here, there);
        here = there;
        there = from;
        start(here);
    }
    /* And an interrupt after the last move. */
    for (uint32_t ticks = word(MOVE_TICKS); word(MOVE_TICKS) == ticks;)
        wait_ms(5);
    put_word(MOVE_RELEASED, 1);
    while (!g_atomic_int_get(&here->noted))
        wait_ms(5);
    stop(here);
    check_results(cpus);
    side_free(here);
    side_free(there);
}

START_TEST(guest_alone)
{
    run_with_moves(_i == 0 ? ACCEL_SOFT : ACCEL_KVM, ACCEL_SOFT, 1, 0);
}
END_TEST

START_TEST(two_processors_alone)
{
    run_with_moves(_i == 0 ? ACCEL_SOFT : ACCEL_KVM, ACCEL_SOFT, 2, 0);
}
END_TEST

START_TEST(guest_moves)
{
    run_with_moves(_i == 0 ? ACCEL_SOFT : ACCEL_KVM, _i == 0 ? ACCEL_KVM : ACCEL_SOFT, 1, MOVES);
}
END_TEST

START_TEST(two_processors_move)
{
    run_with_moves(_i == 0 ? ACCEL_SOFT : ACCEL_KVM, _i == 0 ? ACCEL_KVM : ACCEL_SOFT, 2, MOVES);
}
END_TEST

START_TEST(guest_moves_from_soft_to_soft)
{
    run_with_moves(ACCEL_SOFT, ACCEL_SOFT, 2, MOVES);
}
END_TEST

static void setup(void)
{
    static const uint8_t jump[] = {0xea, MOVE_CODE & 0xff, MOVE_CODE >> 8, 0x00, 0x00};

    memory = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    rom_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(rom_page + 0xff0, jump, sizeof(jump));
    dice = g_rand_new_with_seed(3);
}

static void teardown(void)
{
    g_rand_free(dice);
    munmap(memory, RAM_SIZE);
    munmap(rom_page, 4096);
}

int main(void)
{
    Suite *suite = suite_create("cpu_move");
    TCase *tc = tcase_create("cpu_move");

    if (access("/dev/kvm", R_OK | W_OK) != 0) {
        puts("SKIP: /dev/kvm cannot be opened here");
        return 77;
    }
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, states_go_round);
    tcase_add_test(tc, what_only_kvm_has_is_kept);
    tcase_add_test(tc, irqchips_go_round);
    tcase_add_loop_test(tc, guest_alone, 0, 2);
    tcase_add_loop_test(tc, two_processors_alone, 0, 2);
    tcase_add_loop_test(tc, guest_moves, 0, 2);
    tcase_add_loop_test(tc, two_processors_move, 0, 2);
    tcase_add_test(tc, guest_moves_from_soft_to_soft);
    tcase_set_timeout(tc, 240);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
