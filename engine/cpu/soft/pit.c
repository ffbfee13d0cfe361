/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cpu/soft/pit.h"

#define NEVER UINT64_MAX

/* Control word. */
#define CONTROL_BCD 0x01
#define CONTROL_MODE(v) ((v) >> 1 & 7)
#define CONTROL_ACCESS(v) ((v) >> 4 & 3)
#define CONTROL_CHANNEL(v) ((v) >> 6)
#define ACCESS_LATCH 0
#define CHANNEL_READ_BACK 3
#define READ_BACK_NO_COUNT 0x20
#define READ_BACK_NO_STATUS 0x10
#define STATUS_OUTPUT 0x80
#define STATUS_NULL_COUNT 0x40

/* Port 0x61. */
#define NMI_SC_GATE2 0x01
#define NMI_SC_WRITABLE 0x0f
#define NMI_SC_REFRESH 0x10
#define NMI_SC_OUTPUT2 0x20
#define REFRESH_TICKS 18 /* how long the refresh bit keeps its state: 15 us */

static uint64_t now_ticks(const struct soft_pit *pit)
{
    uint64_t ns = clock_now(pit->clock);

    return ns / NSEC_PER_SEC * PIT_HZ + ns % NSEC_PER_SEC * PIT_HZ / NSEC_PER_SEC;
}

/* The first nanosecond of a tick. */
static uint64_t ns_of_tick(uint64_t tick)
{
    return tick / PIT_HZ * NSEC_PER_SEC + (tick % PIT_HZ * NSEC_PER_SEC + PIT_HZ - 1) / PIT_HZ;
}

static bool is_periodic(const struct soft_pit_channel *c)
{
    return c->mode == 2 || c->mode == 3;
}

/* Modes 1 and 5 count once the gate has risen; in the others the gate holds the count. */
static bool is_triggered(const struct soft_pit_channel *c)
{
    return c->mode == 1 || c->mode == 5;
}

/* How long mode 3's output is high in each period (8254, "Mode 3"). */
static uint32_t high_ticks(uint32_t count)
{
    return (count + 1) / 2;
}

static void begin(struct soft_pit_channel *c, uint64_t origin)
{
    c->counting = true;
    c->origin = origin;
}

static void hold(struct soft_pit_channel *c, uint64_t now)
{
    if (c->counting)
        c->elapsed = now - c->origin;
    c->counting = false;
}

static void take_next(struct soft_pit_channel *c)
{
    c->count = c->has_next ? c->next_count : c->count;
    c->has_next = false;
}

static void catch_up(struct soft_pit_channel *c, uint64_t now)
{
    if (!c->has_next || now < c->switch_at)
        return;
    take_next(c);
    c->origin = c->next_origin;
}

static uint64_t elapsed(const struct soft_pit_channel *c, uint64_t now)
{
    return c->counting ? now - c->origin : c->elapsed;
}

static bool output(const struct soft_pit_channel *c, uint64_t now)
{
    uint64_t t = elapsed(c, now);

    switch (c->mode) {
    case 0:
        return c->loaded && t >= c->count;
    case 1:
        return !c->counting || t >= c->count;
    case 2:
        return !c->counting || t % c->count != c->count - 1;
    case 3:
        return !c->counting || t % c->count < high_ticks(c->count);
    default:
        return !c->counting || t != c->count;
    }
}

static uint16_t to_bcd(uint32_t value)
{
    return value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 | value / 1000 % 10 << 12;
}

static uint16_t counter(const struct soft_pit_channel *c, uint64_t now)
{
    uint32_t modulus = c->bcd ? 10000 : 65536;
    uint64_t t = elapsed(c, now);
    uint32_t value;

    if (c->mode == 2) {
        value = c->count - t % c->count;
    } else if (c->mode == 3) { /* by two, from an even number, twice a period */
        uint32_t phase = t % c->count, high = high_ticks(c->count);

        value = (c->count & ~1u) - 2 * (phase < high ? phase : phase - high);
    } else { /* goes on below 0 */
        value = c->count + modulus - t % modulus;
    }
    return c->bcd ? to_bcd(value % modulus) : value;
}

/* When the output rises first after `tick`. */
static uint64_t next_edge(const struct soft_pit_channel *c, uint64_t tick)
{
    uint64_t t = tick - c->origin, edge;

    if (!c->counting)
        return NEVER;
    if (!is_periodic(c)) {
        uint64_t once = c->count + (c->mode == 4); /* mode 4 is low for a tick, and then rises */

        return is_triggered(c) || t >= once ? NEVER : c->origin + once;
    }
    edge = (int64_t)t < 0 ? c->origin : c->origin + (t / c->count + 1) * c->count;
    if (c->has_next && edge > c->switch_at)
        edge = c->next_origin + c->next_count;
    return edge;
}

/* Sets the timer for the edge, or soon when that is past. */
static void arm(struct soft_pit *pit, uint64_t now, uint64_t earliest)
{
    if (pit->edge == NEVER)
        vm_timer_cancel(&pit->timer);
    else
        vm_timer_set(&pit->timer,
                     ns_of_tick(pit->edge > now ? MAX(pit->edge, earliest)
                                                : MAX(now + pit->channel[0].count / 2, earliest)));
}

static void on_timer(void *opaque)
{
    struct soft_pit *pit = opaque;
    struct soft_pit_channel *c = &pit->channel[0];
    uint64_t now = now_ticks(pit);

    pit->set_output(pit->opaque, false);
    pit->set_output(pit->opaque, true);
    pit->edge = next_edge(c, pit->edge);
    if (pit->edge != NEVER && now > PIT_CATCH_UP && pit->edge < now - PIT_CATCH_UP)
        pit->edge = next_edge(c, now - PIT_CATCH_UP);
    catch_up(c, now);
    arm(pit, now, now + PIT_MIN_SPACING);
}

/* Channel 0 was programmed. */
static void restart_edges(struct soft_pit *pit, uint64_t now)
{
    pit->edge = next_edge(&pit->channel[0], now);
    arm(pit, now, now);
}

/* A count written while a periodic mode counts waits for the end of the cycle, in mode 3 of the
 * half cycle (8254, "Mode 2", "Mode 3"). */
static void schedule_next(struct soft_pit_channel *c, uint64_t now)
{
    uint64_t start = now - (now - c->origin) % c->count;
    uint32_t high = high_ticks(c->count);

    c->switch_at = c->next_origin = start + c->count;
    if (c->mode == 3 && now - start < high) {
        c->switch_at = start + high;
        c->next_origin = c->switch_at - high_ticks(c->next_count);
    }
}

static void load(struct soft_pit_channel *c, uint16_t value, uint64_t now)
{
    uint32_t count = value;

    if (c->bcd)
        count =
            (value >> 12) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 + (value & 15);
    if (count == 0)
        count = c->bcd ? 10000 : 65536;
    if (c->loaded && c->counting && (is_periodic(c) || is_triggered(c))) {
        c->has_next = true;
        c->next_count = count;
        c->switch_at = NEVER; /* the next trigger */
        if (is_periodic(c))
            schedule_next(c, now);
        return;
    }
    c->loaded = true;
    c->count = count;
    c->elapsed = 0;
    c->counting = false;
    if (c->gate && !is_triggered(c))
        begin(c, now);
}

static void write_count(struct soft_pit *pit, struct soft_pit_channel *c, uint8_t value)
{
    uint64_t now = now_ticks(pit);

    catch_up(c, now);
    if (c->access == PIT_ACCESS_BOTH && !c->write_high_next) {
        c->low_written = value;
        c->write_high_next = true;
        if (c->mode == 0) { /* "writing the first byte disables counting" */
            c->loaded = false;
            hold(c, now);
        }
    } else {
        uint8_t low = c->access == PIT_ACCESS_BOTH ? c->low_written : 0;

        c->write_high_next = false;
        load(c, c->access == PIT_ACCESS_LOW ? value : low | value << 8, now);
    }
    if (c != &pit->channel[0])
        return;
    if (c->mode == 0)
        pit->set_output(pit->opaque, false);
    restart_edges(pit, now);
}

static void latch_count(struct soft_pit_channel *c, uint64_t now)
{
    if (c->count_latched)
        return;
    c->latched_count = counter(c, now);
    c->count_latched = true;
}

static void latch_status(struct soft_pit_channel *c, uint64_t now)
{
    if (c->status_latched)
        return;
    c->latched_status = c->bcd | c->mode << 1 | c->access << 4;
    if (output(c, now))
        c->latched_status |= STATUS_OUTPUT;
    if (!c->loaded || c->has_next)
        c->latched_status |= STATUS_NULL_COUNT;
    c->status_latched = true;
}

static void read_back(struct soft_pit *pit, uint8_t command, uint64_t now)
{
    for (unsigned i = 0; i < PIT_CHANNELS; i++) {
        struct soft_pit_channel *c = &pit->channel[i];

        if (!(command >> (i + 1) & 1))
            continue;
        catch_up(c, now);
        if (!(command & READ_BACK_NO_COUNT))
            latch_count(c, now);
        if (!(command & READ_BACK_NO_STATUS))
            latch_status(c, now);
    }
}

static void write_control(struct soft_pit *pit, uint8_t word)
{
    uint64_t now = now_ticks(pit);
    struct soft_pit_channel *c;
    unsigned mode = CONTROL_MODE(word);

    if (CONTROL_CHANNEL(word) == CHANNEL_READ_BACK) {
        read_back(pit, word, now);
        return;
    }
    c = &pit->channel[CONTROL_CHANNEL(word)];
    catch_up(c, now);
    if (CONTROL_ACCESS(word) == ACCESS_LATCH) {
        latch_count(c, now);
        return;
    }
    *c = (struct soft_pit_channel){
        .mode = mode > 5 ? mode - 4 : mode, /* bit 2 of modes 2 and 3 does not count */
        .access = CONTROL_ACCESS(word),
        .bcd = word & CONTROL_BCD,
        .programmed = true,
        .gate = c->gate,
        .count = c->count,
    };
    if (c != &pit->channel[0])
        return;
    if (c->mode == 0)
        pit->set_output(pit->opaque, false);
    restart_edges(pit, now);
}

static uint8_t read_count(struct soft_pit *pit, struct soft_pit_channel *c)
{
    uint64_t now = now_ticks(pit);
    uint16_t value;
    bool high = c->access == PIT_ACCESS_HIGH;

    catch_up(c, now);
    if (c->status_latched) {
        c->status_latched = false;
        return c->latched_status;
    }
    value = c->count_latched ? c->latched_count : counter(c, now);
    if (c->access == PIT_ACCESS_BOTH) {
        high = c->read_high_next;
        c->read_high_next = !high;
    }
    if (!c->read_high_next)
        c->count_latched = false;
    return high ? value >> 8 : value;
}

/* 8254, figure 21, "Gate Pin Operations Summary". */
static void set_gate(struct soft_pit_channel *c, bool gate, uint64_t now)
{
    bool rises = gate && !c->gate;

    if (c->gate == gate)
        return;
    catch_up(c, now);
    c->gate = gate;
    if (!c->loaded)
        return;
    if (rises && (is_triggered(c) || is_periodic(c))) {
        take_next(c);
        begin(c, now);
    } else if (rises) {
        begin(c, now - c->elapsed);
    } else if (!is_triggered(c)) {
        hold(c, now);
    }
}

static uint8_t read_nmi_sc(struct soft_pit *pit)
{
    struct soft_pit_channel *c = &pit->channel[2];
    uint64_t now = now_ticks(pit);
    uint8_t value = pit->control;

    catch_up(c, now);
    if (now / REFRESH_TICKS & 1)
        value |= NMI_SC_REFRESH;
    if (output(c, now))
        value |= NMI_SC_OUTPUT2;
    return value;
}

uint8_t soft_pit_read(struct soft_pit *pit, uint16_t port)
{
    if (port == PIT_CONTROL_PORT)
        return read_nmi_sc(pit);
    if (port - PIT_PORT < PIT_CHANNELS)
        return read_count(pit, &pit->channel[port - PIT_PORT]);
    return 0; /* the control word register cannot be read */
}

void soft_pit_write(struct soft_pit *pit, uint16_t port, uint8_t value)
{
    if (port == PIT_CONTROL_PORT) {
        pit->control = value & NMI_SC_WRITABLE;
        set_gate(&pit->channel[2], value & NMI_SC_GATE2, now_ticks(pit));
    } else if (port - PIT_PORT < PIT_CHANNELS) {
        write_count(pit, &pit->channel[port - PIT_PORT], value);
    } else {
        write_control(pit, value);
    }
}

static struct irqchip_pit_channel channel_to_state(const struct soft_pit_channel *channel,
                                                   uint64_t now)
{
    struct soft_pit_channel c = *channel;

    catch_up(&c, now);
    take_next(&c);
    return (struct irqchip_pit_channel){
        .programmed = c.programmed,
        .mode = c.mode,
        .access = c.access,
        .bcd = c.bcd,
        .gate = c.gate,
        .loaded = c.loaded,
        .counting = c.counting,
        .count = c.count,
        .elapsed = elapsed(&c, now),
        .write_high_next = c.write_high_next,
        .read_high_next = c.read_high_next,
        .low_written = c.low_written,
        .count_latched = c.count_latched,
        .status_latched = c.status_latched,
        .latched_count = c.latched_count,
        .latched_status = c.latched_status,
    };
}

static struct soft_pit_channel channel_from_state(const struct irqchip_pit_channel *s, uint64_t now)
{
    return (struct soft_pit_channel){
        .programmed = s->programmed,
        .mode = MIN(s->mode, 5),
        .access = CLAMP(s->access, PIT_ACCESS_LOW, PIT_ACCESS_BOTH),
        .bcd = s->bcd,
        .gate = s->gate,
        .loaded = s->loaded,
        .counting = s->loaded && s->counting,
        .count = CLAMP(s->count, 1, 65536),
        .origin = now - s->elapsed,
        .elapsed = s->counting ? 0 : s->elapsed,
        .write_high_next = s->write_high_next,
        .read_high_next = s->read_high_next,
        .low_written = s->low_written,
        .count_latched = s->count_latched,
        .status_latched = s->status_latched,
        .latched_count = s->latched_count,
        .latched_status = s->latched_status,
    };
}

void soft_pit_get_state(struct soft_pit *pit, struct irqchip_state *ret)
{
    uint64_t now = now_ticks(pit);

    for (unsigned i = 0; i < PIT_CHANNELS; i++)
        ret->pit[i] = channel_to_state(&pit->channel[i], now);
    ret->pit_control = pit->control;
}

void soft_pit_set_state(struct soft_pit *pit, const struct irqchip_state *state)
{
    uint64_t now = now_ticks(pit);

    for (unsigned i = 0; i < PIT_CHANNELS; i++)
        pit->channel[i] = channel_from_state(&state->pit[i], now);
    pit->control = state->pit_control & NMI_SC_WRITABLE;
    restart_edges(pit, now);
}

void soft_pit_reset(struct soft_pit *pit)
{
    pit->control = 0;
    for (unsigned i = 0; i < PIT_CHANNELS; i++)
        pit->channel[i] =
            (struct soft_pit_channel){.access = PIT_ACCESS_BOTH, .gate = i != 2, .count = 65536};
    pit->edge = NEVER;
    vm_timer_cancel(&pit->timer);
    pit->set_output(pit->opaque, false);
}

void soft_pit_init(struct soft_pit *pit, struct clock *clock,
                   void (*set_output)(void *opaque, bool level), void *opaque)
{
    *pit = (struct soft_pit){.clock = clock, .set_output = set_output, .opaque = opaque};
    vm_timer_init(&pit->timer, clock, on_timer, pit);
    soft_pit_reset(pit);
}
