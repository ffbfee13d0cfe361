/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <string.h>

#include "engine/dev/serial.h"
#include "tests/fakes/fake_board.h"
#include "tests/suite.h"

#define PORT 0x3f8
#define IRQ 4

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH };

static struct fake_board fake;

/* A back end that keeps what the guest wrote, and types when told to. */
static GString *output;
static unsigned resumes;
static const struct serial_backend_input *guest;
static void *guest_opaque;

void serial_backend_output(struct serial_backend *backend, const void *bytes, size_t size)
{
    g_string_append_len(output, bytes, size);
}

void serial_backend_set_input(struct serial_backend *backend,
                              const struct serial_backend_input *ops, void *opaque)
{
    guest = ops;
    guest_opaque = opaque;
}

void serial_backend_resume_input(struct serial_backend *backend)
{
    resumes++;
}

static uint8_t in(unsigned reg)
{
    return fake_in8(&fake, PORT + reg);
}

static void out(unsigned reg, uint8_t value)
{
    fake_out8(&fake, PORT + reg, value);
}

/* Types as much as the guest has room for; returns how much that was. */
static size_t type(const char *text)
{
    size_t size = MIN(guest->room(guest_opaque), strlen(text));

    guest->input(guest_opaque, (const uint8_t *)text, size);
    return size;
}

static void setup(void)
{
    output = g_string_new(NULL);
    fake_board_init(&fake, 0);
    serial_new(&fake.board, "serial0", PORT, &fake.board.isa_irq[IRQ],
               (struct serial_backend *)output);
    resumes = 0;
    out(MCR, 0x0b); /* DTR, RTS, OUT2 */
}

static void teardown(void)
{
    fake_board_finish(&fake);
    g_string_free(output, TRUE);
}

START_TEST(registers_after_reset)
{
    fake_board_reset(&fake);
    ck_assert_uint_eq(in(IER), 0);
    ck_assert_uint_eq(in(IIR), 0x01);
    ck_assert_uint_eq(in(LCR), 0);
    ck_assert_uint_eq(in(MCR), 0);
    ck_assert_uint_eq(in(LSR), 0x60);
    ck_assert_uint_eq(in(MSR), 0xb0);
}
END_TEST

/* What Linux's 8250 driver looks at to tell a 16550A from its relatives. */
START_TEST(is_recognized_as_16550a)
{
    out(IER, 0x00);
    ck_assert_uint_eq(in(IER), 0);
    out(IER, 0xff);
    ck_assert_uint_eq(in(IER), 0x0f);
    out(IER, 0);

    out(MCR, 0x1a); /* loopback, RTS, OUT2 */
    ck_assert_uint_eq(in(MSR)&0xf0, 0x90);
    out(MCR, 0x0b);

    out(LCR, 0);
    out(IIR, 0x01);
    ck_assert_uint_eq(in(IIR)&0xe0, 0xc0); /* bit 5: a 16750's 64-byte FIFO */
    out(SCRATCH, 0xa5);
    ck_assert_uint_eq(in(SCRATCH), 0xa5);

    out(LCR, 0x80);
    out(DATA, 0x34);
    out(IER, 0x12);
    ck_assert_uint_eq(in(DATA), 0x34);
    ck_assert_uint_eq(in(IER), 0x12);
    out(LCR, 0x03);
    ck_assert_uint_eq(in(IER), 0);
    ck_assert_str_eq(output->str, "");
}
END_TEST

START_TEST(thr_empty_interrupt)
{
    out(IER, 0x02);
    ck_assert(fake.irq_level[IRQ]);
    ck_assert_uint_eq(in(IIR), 0x02);
    ck_assert(!fake.irq_level[IRQ]); /* reading IIR took it */
    ck_assert_uint_eq(in(IIR), 0x01);

    /* Switching it on again raises it again. */
    out(IER, 0);
    out(IER, 0x02);
    ck_assert_uint_eq(in(IIR), 0x02);

    out(DATA, 'a');
    ck_assert(fake.irq_level[IRQ]);
    /* Each character gives an edge, also to a guest that never reads IIR. */
    unsigned rises = fake.irq_rises[IRQ];
    out(DATA, 'b');
    ck_assert_uint_eq(fake.irq_rises[IRQ], rises + 1);
    ck_assert_uint_eq(in(LSR)&0x60, 0x60);
    ck_assert_str_eq(output->str, "ab");
}
END_TEST

START_TEST(out2_connects_the_interrupt)
{
    out(MCR, 0x03);
    out(IER, 0x02);
    ck_assert(!fake.irq_level[IRQ]);
    ck_assert_uint_eq(in(IIR), 0x02);
    out(IER, 0);
    out(IER, 0x02);
    out(MCR, 0x0b);
    ck_assert(fake.irq_level[IRQ]);
}
END_TEST

START_TEST(receives_without_fifos)
{
    out(IER, 0x01);
    ck_assert_uint_eq(type("xy"), 1);
    ck_assert(fake.irq_level[IRQ]);
    ck_assert_uint_eq(in(IIR), 0x04);
    ck_assert_uint_eq(in(LSR), 0x61);
    ck_assert_uint_eq(resumes, 0);
    ck_assert_uint_eq(in(DATA), 'x');
    ck_assert(!fake.irq_level[IRQ]);
    ck_assert_uint_eq(resumes, 1);
    ck_assert_uint_eq(in(LSR), 0x60);
}
END_TEST

START_TEST(fifo_trigger_and_timeout)
{
    static const unsigned triggers[] = {1, 4, 8, 14};
    unsigned trigger = triggers[_i];

    out(IIR, 0x01 | _i << 6);
    out(IER, 0x01);
    for (unsigned i = 1; i < trigger; i++)
        type("a");
    ck_assert(!fake.irq_level[IRQ]);
    if (trigger > 1) {
        fake_board_advance(&fake, NSEC_PER_SEC / 1000);
        ck_assert(!fake.irq_level[IRQ]); /* four characters at 9600 baud take longer */
        fake_board_advance(&fake, NSEC_PER_SEC / 100);
        ck_assert_uint_eq(in(IIR), 0xcc);
        ck_assert_uint_eq(in(DATA), 'a');
        ck_assert_uint_eq(in(IIR), 0xc1);
        type("a");
    }
    type("a");
    ck_assert_uint_eq(in(IIR), 0xc4);
    ck_assert(fake.irq_level[IRQ]);
    in(DATA);
    ck_assert_uint_eq(in(IIR), 0xc1);
}
END_TEST

START_TEST(fifo_bounds)
{
    out(IIR, 0xc1);
    ck_assert_uint_eq(type("0123456789abcdefg"), 16);
    ck_assert_uint_eq(guest->room(guest_opaque), 0);
    for (unsigned i = 0; i < 16; i++)
        ck_assert_uint_eq(in(DATA), "0123456789abcdef"[i]);
    ck_assert_uint_eq(resumes, 2);    /* by switching the FIFOs on, and by the last read */
    ck_assert_uint_eq(in(DATA), 'f'); /* nothing new */
    type("z");
    out(IIR, 0x03);
    ck_assert_uint_eq(in(LSR), 0x60);
    ck_assert_uint_eq(guest->room(guest_opaque), 16);
}
END_TEST

START_TEST(loopback)
{
    out(IIR, 0x01);
    out(MCR, 0x10);
    ck_assert_uint_eq(guest->room(guest_opaque), 0); /* the cable is cut */
    in(MSR);
    out(DATA, 'q');
    ck_assert_str_eq(output->str, "");
    ck_assert_uint_eq(in(LSR), 0x61);
    ck_assert_uint_eq(in(DATA), 'q');

    for (unsigned i = 0; i < 17; i++)
        out(DATA, i);
    ck_assert_uint_eq(in(LSR)&0x03, 0x03); /* overrun */
    ck_assert_uint_eq(in(LSR)&0x03, 0x01); /* said once */
    for (unsigned i = 0; i < 16; i++)
        ck_assert_uint_eq(in(DATA), i);

    out(LCR, 0x40);
    ck_assert_uint_eq(in(LSR), 0xf9); /* break: framing error, a zero */
    ck_assert_uint_eq(in(LSR), 0x61);
    ck_assert_uint_eq(in(DATA), 0);

    /* Modem lines: output to input, and what changed. */
    out(MCR, 0x1f);
    ck_assert_uint_eq(in(MSR), 0xfb); /* RI's rise is not reported */
    ck_assert_uint_eq(in(MSR), 0xf0);
    out(MCR, 0x1b);
    ck_assert_uint_eq(in(MSR), 0xb4); /* its fall is */
    out(IER, 0x08);
    out(MCR, 0x18);
    ck_assert_uint_eq(in(IIR), 0xc0);
    ck_assert_uint_eq(in(MSR), 0x83);
    ck_assert_uint_eq(in(IIR), 0xc1);
}
END_TEST

START_TEST(interrupt_priorities)
{
    out(MCR, 0x10);
    out(IER, 0x0f);
    in(MSR);
    out(DATA, 1);
    out(DATA, 2); /* overrun */
    out(MCR, 0x11);
    ck_assert_uint_eq(in(IIR), 0x06);
    in(LSR);
    ck_assert_uint_eq(in(IIR), 0x04);
    ck_assert_uint_eq(in(DATA), 2); /* without FIFOs the newer one stays */
    ck_assert_uint_eq(in(IIR), 0x02);
    ck_assert_uint_eq(in(IIR), 0x00);
    in(MSR);
    ck_assert_uint_eq(in(IIR), 0x01);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("serial");
    TCase *tc = tcase_create("serial");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, registers_after_reset);
    tcase_add_test(tc, is_recognized_as_16550a);
    tcase_add_test(tc, thr_empty_interrupt);
    tcase_add_test(tc, out2_connects_the_interrupt);
    tcase_add_test(tc, receives_without_fifos);
    tcase_add_loop_test(tc, fifo_trigger_and_timeout, 0, 4);
    tcase_add_test(tc, fifo_bounds);
    tcase_add_test(tc, loopback);
    tcase_add_test(tc, interrupt_priorities);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
