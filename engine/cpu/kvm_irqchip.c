/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM's interrupt controllers and interval timer in neutral form. */
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "engine/cpu/kvm_internal.h"

#define PIN_TIMER 2 /* of the I/O APIC; GSI 0 */
#define PIN_CASCADE 2

#define ENTRY_STATUS UINT64_C(0x1000)
#define ENTRY_LEVEL UINT64_C(0x8000)

/* struct kvm_pic_state.init_state */
#define PIC_STEPS 4

/* struct kvm_pit_channel_state: mode before a control word, and the read and write states. */
#define PIT_UNPROGRAMMED 0xff
enum { PIT_STATE_LOW = 1, PIT_STATE_HIGH, PIT_STATE_WORD_LOW, PIT_STATE_WORD_HIGH };

static struct irqchip_pic pic_from_kvm(const struct kvm_pic_state *k)
{
    return (struct irqchip_pic){
        .lines = k->last_irr | (k->irr & k->elcr),
        .edges = k->irr & ~k->elcr,
        .mask = k->imr,
        .service = k->isr,
        .elcr = k->elcr,
        .vector_base = k->irq_base,
        .lowest = (k->priority_add - 1) & 7,
        .step = k->init_state == 0 ? 0 : MIN(k->init_state + 1, PIC_STEPS),
        .has_icw4 = k->init4,
        .read_service = k->read_reg_select,
        .poll = k->poll,
        .special_mask = k->special_mask,
        .special_nested = k->special_fully_nested_mode,
        .auto_eoi = k->auto_eoi,
        .rotate_auto_eoi = k->rotate_on_auto_eoi,
    };
}

/* The PIT's line is low between two of KVM's ticks: were it high, the next one would be lost, and
 * KVM would wait for its end for ever. */
static struct kvm_pic_state pic_to_kvm(const struct irqchip_pic *s, bool master)
{
    return (struct kvm_pic_state){
        .last_irr = master ? s->lines & ~1u : s->lines,
        .irr = s->edges | (s->lines & s->elcr),
        .imr = s->mask,
        .isr = s->service,
        .priority_add = (s->lowest + 1) & 7,
        .irq_base = s->vector_base,
        .read_reg_select = s->read_service,
        .poll = s->poll,
        .special_mask = s->special_mask,
        .init_state = s->step == 0 ? 0 : s->step - 1,
        .auto_eoi = s->auto_eoi,
        .rotate_on_auto_eoi = s->rotate_auto_eoi,
        .special_fully_nested_mode = s->special_nested,
        .init4 = s->has_icw4,
        .elcr = s->elcr,
        .elcr_mask = master ? 0xf8 : 0xde,
    };
}

/* Pins follow their GSIs, which set_irq() notes; KVM itself forgets edges that it delivered. */
static uint32_t pins_of_gsis(struct kvm_accel *kvm, const struct irqchip_state *state)
{
    uint32_t gsis = __atomic_load_n(&kvm->gsi_levels, __ATOMIC_ACQUIRE);

    gsis &= ~(1u | 1u << PIN_CASCADE);
    return gsis | (uint32_t)(state->pic[0].lines & 1) << PIN_TIMER;
}

static struct irqchip_ioapic ioapic_from_kvm(const struct kvm_ioapic_state *k)
{
    struct irqchip_ioapic s = {.id = k->id << 24, .selected = k->ioregsel};

    for (unsigned i = 0; i < IRQCHIP_PINS; i++)
        s.entries[i] = k->redirtbl[i].bits & ~ENTRY_STATUS;
    return s;
}

/* An edge that is asserted was delivered when it rose, and would be once more if KVM knew of it. */
static struct kvm_ioapic_state ioapic_to_kvm(const struct irqchip_ioapic *s)
{
    struct kvm_ioapic_state k = {.base_address = 0xfec00000,
                                 .ioregsel = s->selected,
                                 .id = s->id >> 24};

    for (unsigned i = 0; i < IRQCHIP_PINS; i++) {
        k.redirtbl[i].bits = s->entries[i];
        if (s->entries[i] & ENTRY_LEVEL)
            k.irr |= s->lines & 1u << i;
    }
    return k;
}

static uint64_t host_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

static uint64_t ticks_since(int64_t start_ns)
{
    uint64_t ns = MAX((int64_t)host_ns() - start_ns, 0);

    return ns / NSEC_PER_SEC * IRQCHIP_PIT_HZ + ns % NSEC_PER_SEC * IRQCHIP_PIT_HZ / NSEC_PER_SEC;
}

/* Of channel 0, which counts by a timer of its own, KVM does not tell how far it is. */
static struct irqchip_pit_channel channel_from_kvm(const struct kvm_pit_channel_state *k)
{
    bool programmed = k->mode != PIT_UNPROGRAMMED;
    bool has_start = k->count_load_time != 0;

    return (struct irqchip_pit_channel){
        .programmed = programmed,
        .mode = programmed ? k->mode : 0,
        .access = k->rw_mode == 0 ? 3 : k->rw_mode,
        .bcd = k->bcd,
        .gate = k->gate,
        .loaded = programmed,
        .counting = programmed && (k->gate || k->mode == 1 || k->mode == 5),
        .count = k->count == 0 ? 65536 : k->count,
        .elapsed = programmed && has_start ? ticks_since(k->count_load_time) : 0,
        .write_high_next = k->write_state == PIT_STATE_WORD_HIGH,
        .read_high_next = k->read_state == PIT_STATE_WORD_HIGH,
        .low_written = k->write_latch,
        .count_latched = k->count_latched != 0,
        .status_latched = k->status_latched,
        .latched_count = k->latched_count,
        .latched_status = k->status,
    };
}

static uint8_t access_state(uint8_t access, bool high_next)
{
    if (access != 3)
        return access;
    return high_next ? PIT_STATE_WORD_HIGH : PIT_STATE_WORD_LOW;
}

/* KVM begins each count anew: of one that runs once the rest is left. */
static uint32_t count_left(const struct irqchip_pit_channel *s)
{
    if ((s->mode != 0 && s->mode != 4) || s->elapsed >= s->count)
        return s->count;
    return s->count - s->elapsed;
}

static struct kvm_pit_channel_state channel_to_kvm(const struct irqchip_pit_channel *s)
{
    return (struct kvm_pit_channel_state){
        .count = count_left(s),
        .latched_count = s->latched_count,
        .count_latched = s->count_latched ? s->access : 0,
        .status_latched = s->status_latched,
        .status = s->latched_status,
        .read_state = access_state(s->access, s->read_high_next),
        .write_state = access_state(s->access, s->write_high_next),
        .write_latch = s->low_written,
        .rw_mode = s->access,
        .mode = s->programmed ? s->mode : PIT_UNPROGRAMMED,
        .bcd = s->bcd,
        .gate = s->gate,
    };
}

static bool get_chip(struct kvm_accel *kvm, unsigned id, struct kvm_irqchip *ret)
{
    *ret = (struct kvm_irqchip){.chip_id = id};
    return ioctl(kvm->vm_fd, KVM_GET_IRQCHIP, ret) == 0;
}

bool kvm_irqchip_get_state(struct accel *accel, struct irqchip_state *ret)
{
    struct kvm_accel *kvm = kvm_of_accel(accel);
    struct kvm_irqchip master, slave, ioapic;
    struct kvm_clock_data clock = {0};
    struct kvm_pit_state2 pit;

    if (!get_chip(kvm, KVM_IRQCHIP_PIC_MASTER, &master) ||
        !get_chip(kvm, KVM_IRQCHIP_PIC_SLAVE, &slave) ||
        !get_chip(kvm, KVM_IRQCHIP_IOAPIC, &ioapic) || ioctl(kvm->vm_fd, KVM_GET_PIT2, &pit) != 0)
        return false;
    *ret = (struct irqchip_state){0};
    ret->pic[0] = pic_from_kvm(&master.chip.pic);
    ret->pic[1] = pic_from_kvm(&slave.chip.pic);
    ret->ioapic = ioapic_from_kvm(&ioapic.chip.ioapic);
    ret->ioapic.lines = pins_of_gsis(kvm, ret);
    for (unsigned i = 0; i < IRQCHIP_PIT_CHANNELS; i++)
        ret->pit[i] = channel_from_kvm(&pit.channels[i]);
    ret->pit_control = ret->pit[2].gate ? 1 : 0;
    if (pit.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON)
        ret->pit_control |= 2;
    if (ioctl(kvm->vm_fd, KVM_GET_CLOCK, &clock) == 0)
        ret->clock_ns = clock.clock;
    return true;
}

bool kvm_irqchip_set_state(struct accel *accel, const struct irqchip_state *state)
{
    struct kvm_accel *kvm = kvm_of_accel(accel);
    struct kvm_pit_state2 pit = {0};
    bool ok = true;

    __atomic_store_n(&kvm->gsi_levels, state->ioapic.lines, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < 2; i++) {
        struct kvm_irqchip chip = {
            .chip_id = i == 0 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
            .chip.pic = pic_to_kvm(&state->pic[i], i == 0),
        };

        ok &= ioctl(kvm->vm_fd, KVM_SET_IRQCHIP, &chip) == 0;
    }
    for (unsigned i = 0; i < IRQCHIP_PIT_CHANNELS; i++)
        pit.channels[i] = channel_to_kvm(&state->pit[i]);
    pit.flags = state->pit_control & 2 ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0;
    ok &= ioctl(kvm->vm_fd, KVM_SET_PIT2, &pit) == 0;
    ok &= ioctl(kvm->vm_fd, KVM_SET_IRQCHIP,
                &(struct kvm_irqchip){.chip_id = KVM_IRQCHIP_IOAPIC,
                                      .chip.ioapic = ioapic_to_kvm(&state->ioapic)}) == 0;
    if (state->clock_ns != 0) {
        kvm->clock = (struct kvm_clock_data){.clock = state->clock_ns};
        kvm->clock_taken = ioctl(kvm->vm_fd, KVM_SET_CLOCK, &kvm->clock) == 0;
    }
    return ok;
}
