/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/dev/serial.h"

#include <glib.h>

/* Offsets of the registers: PC16550D, "Summary of Registers". */
enum {
    REG_DATA = 0, /* RBR, THR; DLL with DLAB */
    REG_IER = 1,  /* DLM with DLAB */
    REG_IIR = 2,  /* FCR when written */
    REG_LCR = 3,
    REG_MCR = 4,
    REG_LSR = 5,
    REG_MSR = 6,
    REG_SCRATCH = 7,
    REG_COUNT,
};

enum {
    IER_RDA = 0x01,
    IER_THRE = 0x02,
    IER_LINE_STATUS = 0x04,
    IER_MODEM_STATUS = 0x08,
    IER_MASK = 0x0f,

    IIR_MODEM_STATUS = 0x00,
    IIR_NONE = 0x01,
    IIR_THRE = 0x02,
    IIR_RDA = 0x04,
    IIR_LINE_STATUS = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_FIFOS = 0xc0,

    FCR_ENABLE = 0x01,
    FCR_CLEAR_RX = 0x02,
    FCR_TRIGGER_SHIFT = 6,

    LCR_WORD_LENGTH = 0x03,
    LCR_STOP = 0x04,
    LCR_PARITY = 0x08,
    LCR_BREAK = 0x40,
    LCR_DLAB = 0x80,

    MCR_DTR = 0x01,
    MCR_RTS = 0x02,
    MCR_OUT1 = 0x04,
    MCR_OUT2 = 0x08,
    MCR_LOOP = 0x10,
    MCR_MASK = 0x1f,

    LSR_DATA_READY = 0x01,
    LSR_OVERRUN = 0x02,
    LSR_FRAMING = 0x08,
    LSR_BREAK = 0x10,
    LSR_THR_EMPTY = 0x20,
    LSR_TX_EMPTY = 0x40,
    LSR_FIFO_ERROR = 0x80,

    MSR_DELTA_CTS = 0x01,
    MSR_TRAILING_RI = 0x04,
    MSR_DELTAS = 0x0f,
    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
};

#define FIFO_SIZE 16
#define CLOCK_HZ 1843200     /* of the PC's crystal; 16 clocks a bit at divisor 1 */
#define DIVISOR_AT_START 12  /* 9600 baud; the chip leaves it undefined */
#define TIMEOUT_CHARACTERS 4 /* PC16550D, "FIFO Interrupt Mode Operation" */

struct received {
    uint8_t byte;
    uint8_t errors; /* LSR bits, seen when it is the oldest */
};

struct serial {
    struct device device;
    struct board *board;
    struct region region;
    struct irq_line *irq;
    struct serial_backend *backend;
    struct vm_timer timeout;

    uint8_t ier, fcr, lcr, mcr, msr, scratch;
    uint16_t divisor;
    uint8_t last_read; /* what RBR shows when there is nothing new */
    bool overrun;
    bool thre_pending, timeout_pending;
    struct received fifo[FIFO_SIZE];
    unsigned fifo_first, fifo_count;
};

static unsigned fifo_capacity(const struct serial *s)
{
    return s->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

static unsigned rx_trigger(const struct serial *s)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    return s->fcr & FCR_ENABLE ? levels[s->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

static uint8_t line_errors(const struct serial *s)
{
    uint8_t errors = s->fifo_count > 0 ? s->fifo[s->fifo_first].errors : 0;

    return errors | (s->overrun ? LSR_OVERRUN : 0);
}

/* PC16550D, "Interrupt Control Functions": the highest pending source that is enabled. */
static uint8_t interrupt_source(const struct serial *s)
{
    if ((s->ier & IER_LINE_STATUS) && line_errors(s) != 0)
        return IIR_LINE_STATUS;
    if ((s->ier & IER_RDA) && s->fifo_count >= rx_trigger(s))
        return IIR_RDA;
    if ((s->ier & IER_RDA) && s->timeout_pending)
        return IIR_TIMEOUT;
    if ((s->ier & IER_THRE) && s->thre_pending)
        return IIR_THRE;
    if ((s->ier & IER_MODEM_STATUS) && (s->msr & MSR_DELTAS))
        return IIR_MODEM_STATUS;
    return IIR_NONE;
}

/* On a PC, OUT2 connects the interrupt; in loopback mode its pin is inactive. */
static void update_irq(struct serial *s)
{
    bool connected = (s->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

    irq_line_set(s->irq, connected && interrupt_source(s) != IIR_NONE);
}

/* PC16550D, "FIFO Interrupt Mode Operation": characters wait, too few for the trigger, and none
 * came or went for a while. */
static void restart_timeout(struct serial *s)
{
    uint64_t bits, divisor;

    vm_timer_cancel(&s->timeout);
    if (!(s->fcr & FCR_ENABLE) || s->fifo_count == 0 || s->fifo_count >= rx_trigger(s))
        return;
    bits = 1 + 5 + (s->lcr & LCR_WORD_LENGTH) + (s->lcr & LCR_PARITY ? 1 : 0) +
           (s->lcr & LCR_STOP ? 2 : 1);
    divisor = s->divisor == 0 ? 0x10000 : s->divisor;
    vm_timer_set(&s->timeout, clock_now(s->board->clock) + TIMEOUT_CHARACTERS * bits * 16 *
                                                               divisor * NSEC_PER_SEC / CLOCK_HZ);
}

static void timeout_expired(void *opaque)
{
    struct serial *s = opaque;

    s->timeout_pending = true;
    update_irq(s);
}

static void receive(struct serial *s, uint8_t byte, uint8_t errors)
{
    unsigned capacity = fifo_capacity(s);

    if (s->fifo_count == capacity) {
        s->overrun = true;
        /* A full FIFO stays as it is; without FIFOs the new character wins. */
        if (capacity == 1)
            s->fifo[s->fifo_first] = (struct received){byte, errors};
        return;
    }
    s->fifo[(s->fifo_first + s->fifo_count++) % FIFO_SIZE] = (struct received){byte, errors};
    restart_timeout(s);
}

static void rx_drained(struct serial *s)
{
    if (s->backend != NULL)
        serial_backend_resume_input(s->backend);
}

static void clear_rx(struct serial *s)
{
    s->fifo_count = 0;
    s->timeout_pending = false;
    vm_timer_cancel(&s->timeout);
    rx_drained(s);
}

static uint8_t read_data(struct serial *s)
{
    if (s->fifo_count == 0)
        return s->last_read;
    s->last_read = s->fifo[s->fifo_first].byte;
    s->fifo_first = (s->fifo_first + 1) % FIFO_SIZE;
    s->fifo_count--;
    s->timeout_pending = false;
    restart_timeout(s);
    if (s->fifo_count == 0)
        rx_drained(s);
    return s->last_read;
}

static void write_data(struct serial *s, uint8_t byte)
{
    /* The line falls while the character is on its way, so that an edge-triggered interrupt
     * controller sees the next THRE even when the guest did not read IIR. */
    s->thre_pending = false;
    update_irq(s);
    if (s->mcr & MCR_LOOP)
        receive(s, byte, 0);
    else if (s->backend != NULL)
        serial_backend_output(s->backend, &byte, 1);
    s->thre_pending = true;
}

static void write_fcr(struct serial *s, uint8_t value)
{
    if (((s->fcr ^ value) & FCR_ENABLE) || (value & FCR_CLEAR_RX))
        clear_rx(s);
    /* PC16550D, "FIFO Control Register": without the enable bit no other bit is taken. */
    s->fcr = value & FCR_ENABLE ? value & (FCR_ENABLE | 3 << FCR_TRIGGER_SHIFT) : 0;
    restart_timeout(s);
}

/* The modem's lines as the chip sees them. */
static void update_modem_status(struct serial *s)
{
    uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD, changed;

    if (s->mcr & MCR_LOOP) /* PC16550D, "Modem Control Register" */
        lines = (s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
                (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
    changed = (s->msr & ~MSR_DELTAS) ^ lines;
    if (lines & MSR_RI)
        changed &= ~MSR_RI; /* only its end is reported */
    s->msr = lines | (s->msr & MSR_DELTAS) | changed >> 4;
}

static void write_mcr(struct serial *s, uint8_t value)
{
    bool left_loop = (s->mcr & ~value) & MCR_LOOP;

    s->mcr = value & MCR_MASK;
    update_modem_status(s);
    if (left_loop && s->fifo_count == 0)
        rx_drained(s);
}

static void write_lcr(struct serial *s, uint8_t value)
{
    bool began_break = (~s->lcr & value) & LCR_BREAK;

    s->lcr = value;
    if (began_break && (s->mcr & MCR_LOOP))
        receive(s, 0, LSR_BREAK | LSR_FRAMING);
}

static void write_ier(struct serial *s, uint8_t value)
{
    /* PC16550D, "Interrupt Enable Register": enabling it while THR is empty raises it. */
    if (~s->ier & value & IER_THRE)
        s->thre_pending = true;
    s->ier = value & IER_MASK;
}

static uint8_t read_iir(struct serial *s)
{
    uint8_t source = interrupt_source(s);

    if (source == IIR_THRE)
        s->thre_pending = false;
    return source | (s->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(struct serial *s)
{
    uint8_t value = LSR_THR_EMPTY | LSR_TX_EMPTY | line_errors(s);

    if (s->fifo_count > 0)
        value |= LSR_DATA_READY;
    for (unsigned i = 0; i < s->fifo_count && (s->fcr & FCR_ENABLE); i++) {
        if (s->fifo[(s->fifo_first + i) % FIFO_SIZE].errors != 0)
            value |= LSR_FIFO_ERROR;
    }
    s->overrun = false;
    if (s->fifo_count > 0)
        s->fifo[s->fifo_first].errors = 0;
    return value;
}

static uint8_t read_msr(struct serial *s)
{
    uint8_t value = s->msr;

    s->msr &= ~MSR_DELTAS;
    return value;
}

static uint8_t read_register(struct serial *s, unsigned reg)
{
    bool dlab = s->lcr & LCR_DLAB;

    switch (reg) {
    case REG_DATA:
        return dlab ? (uint8_t)s->divisor : read_data(s);
    case REG_IER:
        return dlab ? s->divisor >> 8 : s->ier;
    case REG_IIR:
        return read_iir(s);
    case REG_LCR:
        return s->lcr;
    case REG_MCR:
        return s->mcr;
    case REG_LSR:
        return read_lsr(s);
    case REG_MSR:
        return read_msr(s);
    default:
        return s->scratch;
    }
}

static uint64_t serial_read(void *opaque, uint64_t offset, unsigned size)
{
    struct serial *s = opaque;
    uint8_t value = read_register(s, offset);

    update_irq(s);
    return value;
}

static void write_register(struct serial *s, unsigned reg, uint8_t value)
{
    bool dlab = s->lcr & LCR_DLAB;

    switch (reg) {
    case REG_DATA:
        if (dlab)
            s->divisor = (s->divisor & 0xff00) | value;
        else
            write_data(s, value);
        break;
    case REG_IER:
        if (dlab)
            s->divisor = (s->divisor & 0x00ff) | value << 8;
        else
            write_ier(s, value);
        break;
    case REG_IIR:
        write_fcr(s, value);
        break;
    case REG_LCR:
        write_lcr(s, value);
        break;
    case REG_MCR:
        write_mcr(s, value);
        break;
    case REG_SCRATCH:
        s->scratch = value;
        break;
    default: /* LSR and MSR: writes are for factory tests only */
        break;
    }
}

static void serial_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    struct serial *s = opaque;

    write_register(s, offset, value);
    update_irq(s);
}

static const struct region_ops serial_ops = {serial_read, serial_write, .max_access = 1};

static size_t input_room(void *opaque)
{
    struct serial *s = opaque;
    size_t room;

    g_mutex_lock(&s->board->lock);
    /* In loopback mode the line is cut off. */
    room = s->mcr & MCR_LOOP ? 0 : fifo_capacity(s) - s->fifo_count;
    g_mutex_unlock(&s->board->lock);
    return room;
}

static void input_bytes(void *opaque, const uint8_t *bytes, size_t size)
{
    struct serial *s = opaque;

    g_mutex_lock(&s->board->lock);
    for (size_t i = 0; i < size; i++)
        receive(s, bytes[i], 0);
    update_irq(s);
    g_mutex_unlock(&s->board->lock);
}

static const struct serial_backend_input input_ops = {input_room, input_bytes};

/* PC16550D, "UART Reset Configuration". */
static void serial_reset(struct device *device)
{
    struct serial *s = (struct serial *)device;

    s->ier = s->fcr = s->lcr = s->mcr = 0;
    s->overrun = s->thre_pending = false;
    clear_rx(s);
    update_modem_status(s);
    s->msr &= ~MSR_DELTAS;
    update_irq(s);
}

static void serial_destroy(struct device *device)
{
    struct serial *s = (struct serial *)device;

    vm_timer_cancel(&s->timeout);
    pio_bus_remove(s->board->pio, &s->region);
    g_free(s);
}

static const struct device_class serial_class = {"serial", serial_reset, serial_destroy};

struct serial *serial_new(struct board *board, const char *id, uint16_t port, struct irq_line *irq,
                          struct serial_backend *backend)
{
    struct serial *s = g_new0(struct serial, 1);

    s->device = (struct device){&serial_class, id};
    s->board = board;
    s->irq = irq;
    s->divisor = DIVISOR_AT_START;
    s->region = (struct region){.name = id, .size = REG_COUNT, .ops = &serial_ops, .opaque = s};
    vm_timer_init(&s->timeout, board->clock, timeout_expired, s);
    serial_reset(&s->device);
    g_warn_if_fail(pio_bus_add(board->pio, &s->region, port));
    board_add_device(board, &s->device);
    s->backend = backend;
    if (backend != NULL)
        serial_backend_set_input(backend, &input_ops, s);
    return s;
}
