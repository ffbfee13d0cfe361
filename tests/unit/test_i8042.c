/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <string.h>

#include "engine/dev/i8042.h"
#include "engine/dev/port92.h"
#include "engine/dev/ps2_scancodes.h"
#include "tests/fakes/fake_board.h"
#include "tests/suite.h"

#define KEYBOARD_IRQ 1
#define MOUSE_IRQ 12
#define INTERVAL (NSEC_PER_SEC / 1000)
#define KEY_A 0x1e
#define KEY_PRINT 0xb7
#define KEY_PAUSE 0xc6

static struct fake_board fake;
static const struct input_sink *input;

static uint8_t status(void)
{
    return fake_in8(&fake, 0x64);
}

static void command(uint8_t byte)
{
    fake_out8(&fake, 0x64, byte);
}

static void data(uint8_t byte)
{
    fake_out8(&fake, 0x60, byte);
}

/* Reads all that comes, as hexadecimal digits; bytes of the mouse get an 'm'. */
static char *read_all(void)
{
    GString *text = g_string_new(NULL);

    for (;;) {
        uint8_t state;

        fake_board_advance(&fake, INTERVAL);
        state = status();
        if (!(state & 0x01))
            break;
        g_string_append_printf(text, "%s%s%02x", text->len > 0 ? " " : "", state & 0x20 ? "m" : "",
                               fake_in8(&fake, 0x60));
    }
    return g_string_free(text, FALSE);
}

static void expect_at(int line, const char *expected)
{
    g_autofree char *got = read_all();

    ck_assert_msg(strcmp(got, expected) == 0, "line %d: got \"%s\", expected \"%s\"", line, got,
                  expected);
}
#define expect(expected) expect_at(__LINE__, expected)

static void key(uint8_t qnum, bool down)
{
    input->ops->key(input->opaque, qnum, down);
}

static void mouse(uint8_t byte)
{
    command(0xd4);
    data(byte);
}

static void set_mode(uint8_t mode)
{
    command(0x60);
    data(mode);
}

static void setup(void)
{
    fake_board_init(&fake, 0);
    input = i8042_input(
        i8042_new(&fake.board, &fake.board.isa_irq[KEYBOARD_IRQ], &fake.board.isa_irq[MOUSE_IRQ]));
    port92_new(&fake.board);
}

static void teardown(void)
{
    fake_board_finish(&fake);
}

START_TEST(controller_commands)
{
    command(0xaa);
    ck_assert_uint_eq(status() & 0x1d, 0x1d);
    expect("55");
    command(0xab);
    expect("00");
    command(0xa9);
    expect("00");
    set_mode(0x47);
    command(0x20);
    expect("47");
    command(0xad);
    command(0xa7);
    command(0x20);
    expect("77");
    command(0xae);
    command(0xa8);
    command(0x20);
    expect("47");
    command(0x7f);
    data(0x5a);
    command(0x3f);
    expect("5a");
    command(0xd2);
    data(0x1c);
    expect("1c"); /* as it is, untranslated */
    command(0xd3);
    data(0x99);
    expect("m99");
    command(0xc0);
    expect("80");
    command(0xdd);
    command(0xd0);
    expect("01");
    command(0xd1);
    data(0x03);
    command(0xd0);
    expect("03");
    command(0x01); /* unknown */
    expect("");
    /* More answers than it holds: the first ones stay. */
    for (unsigned i = 0; i < 100; i++)
        command(0xab);
    expect("00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");
    ck_assert_uint_eq(fake.resets, 0);
}
END_TEST

START_TEST(resets_the_machine)
{
    command(0xfe);
    ck_assert_uint_eq(fake.resets, 1);
    command(0xff); /* pulses nothing */
    ck_assert_uint_eq(fake.resets, 1);
    command(0xd1);
    data(0x02);
    ck_assert_uint_eq(fake.resets, 2);
    fake_out8(&fake, 0x92, 0x01);
    fake_out8(&fake, 0x92, 0x01);
    ck_assert_uint_eq(fake.resets, 3); /* by the edge */
    fake_out8(&fake, 0x92, 0xfe);
    ck_assert_uint_eq(fake_in8(&fake, 0x92), 0x02);
    ck_assert_uint_eq(fake.resets, 3);
}
END_TEST

START_TEST(interrupts)
{
    set_mode(0x43);
    key(KEY_A, true);
    ck_assert(fake.irq_level[KEYBOARD_IRQ]);
    ck_assert_uint_eq(fake_in8(&fake, 0x60), 0x1e);
    ck_assert(!fake.irq_level[KEYBOARD_IRQ]);
    ck_assert_uint_eq(fake_in8(&fake, 0x60), 0x1e); /* reading twice is safe */
    mouse(0xf4);
    ck_assert(!fake.irq_level[MOUSE_IRQ]); /* the wire takes time */
    fake_board_advance(&fake, INTERVAL);
    ck_assert(fake.irq_level[MOUSE_IRQ]);
    set_mode(0x40);
    ck_assert(!fake.irq_level[MOUSE_IRQ]);
    expect("mfa");

    /* A port that is off keeps its bytes. */
    set_mode(0x73);
    key(KEY_A, false);
    expect("");
    command(0xae);
    expect("9e");
}
END_TEST

START_TEST(keyboard_commands)
{
    set_mode(0x03);
    data(0xff);
    expect("fa aa");
    data(0xee);
    expect("ee");
    data(0xfe);
    expect("ee"); /* again */
    data(0xf2);
    expect("fa ab 83");
    data(0xed);
    expect("fa");
    data(0x07);
    expect("fa");
    data(0xed);
    data(0xf4); /* a command instead of the parameter */
    data(0x07);
    expect("fa fa fe");
    data(0xf3);
    data(0x20);
    expect("fa fa");
    data(0xf0);
    data(0x00);
    expect("fa fa 02");
    data(0xf0);
    data(0x04);
    expect("fa fe");
    data(0x55);
    expect("fe");

    data(0xf5);
    key(KEY_A, true);
    key(KEY_A, false);
    expect("fa");
    data(0xf4);
    key(KEY_A, true);
    expect("fa 1c");
    /* Identification passes through the translation, too. */
    set_mode(0x43);
    data(0xf2);
    expect("fa ab 41");
}
END_TEST

START_TEST(scan_sets)
{
    set_mode(0x03);
    key(0xc8, true);
    key(0xc8, false);
    expect("e0 75 e0 f0 75");
    data(0xf0);
    data(0x01);
    key(0xc8, true);
    key(0xc8, false);
    expect("fa fa e0 48 e0 c8");
    data(0xf0);
    data(0x03);
    key(0xc8, true);
    key(0xc8, false);
    key(0x2a, true);
    key(0x2a, false);
    expect("fa fa 63 12 f0 12"); /* only some keys say when they are released */
    data(0xf8);
    key(0xc8, true);
    key(0xc8, false);
    expect("fa 63 f0 63");
    data(0xfd);
    data(0x63);
    data(0xf4);
    key(0xc8, true);
    key(0xc8, false);
    key(KEY_A, true);
    key(KEY_A, false);
    expect("fa fa fa 63 1c f0 1c");
}
END_TEST

START_TEST(pause_and_print_screen)
{
    set_mode(0x03);
    key(KEY_PAUSE, true);
    key(KEY_PAUSE, false);
    expect("e1 14 77 e1 f0 14 f0 77");
    key(KEY_PRINT, true);
    key(KEY_PRINT, false);
    expect("e0 12 e0 7c e0 f0 7c e0 f0 12");

    key(0x1d, true);
    key(KEY_PAUSE, true);
    key(KEY_PAUSE, false);
    key(KEY_PRINT, true);
    key(0x1d, false);
    key(KEY_PRINT, false); /* as it went down, though Ctrl is up */
    expect("14 e0 7e e0 f0 7e e0 7c f0 14 e0 f0 7c");
    key(0x38, true);
    key(KEY_PRINT, true);
    key(KEY_PRINT, false);
    key(0x38, false);
    expect("11 84 f0 84 f0 11");

    set_mode(0x43);
    key(KEY_PAUSE, true);
    expect("e1 1d 45 e1 9d c5");
    key(KEY_PRINT, true);
    key(KEY_PRINT, false);
    expect("e0 2a e0 37 e0 b7 e0 aa");
}
END_TEST

/* Through set 2 and the controller's translation each key comes out as itself. */
START_TEST(every_key_round_trips)
{
    for (unsigned qnum = 0; qnum < 256; qnum++) {
        const char *prefix = qnum & 0x80 ? "e0 " : "";
        g_autofree char *make = g_strdup_printf("%s%02x", prefix, qnum & 0x7f);
        g_autofree char *release = g_strdup_printf("%s%02x", prefix, qnum | 0x80);

        if (qnum == KEY_PAUSE || qnum == KEY_PRINT)
            continue;
        if ((qnum & 0x7f) == 0)
            make[0] = release[0] = '\0';
        key(qnum, true);
        expect(make);
        key(qnum, false);
        expect(release);
    }
}
END_TEST

START_TEST(translation_table)
{
    bool seen[128] = {false};

    for (unsigned byte = 1; byte < 128; byte++) {
        ck_assert_uint_lt(ps2_translate(byte), 128);
        ck_assert(!seen[ps2_translate(byte)]);
        seen[ps2_translate(byte)] = true;
    }
    /* Rows of the reference: Esc, A, Enter, left Shift, F7, Print Screen with Alt. */
    static const uint8_t rows[][2] = {{0x76, 0x01}, {0x1c, 0x1e}, {0x5a, 0x1c},
                                      {0x12, 0x2a}, {0x83, 0x41}, {0x84, 0x54}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        ck_assert_uint_eq(ps2_translate(rows[i][0]), rows[i][1]);
    for (unsigned byte = 0x85; byte < 256; byte++)
        ck_assert_uint_eq(ps2_translate(byte), byte);
}
END_TEST

/* Keys that the guest does not fetch: whole keys are lost, and every key that it sees go down it
 * sees go up. */
START_TEST(overflow_drops_whole_keys)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) bytes = NULL;
    bool down[256] = {false};
    unsigned makes = 0, i = 0;

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned qnum = 1; qnum < 256; qnum++) {
            if (qnum != KEY_PAUSE)
                key(qnum, true);
        }
    }
    for (unsigned qnum = 1; qnum < 256; qnum++)
        key(qnum, false);
    text = read_all();
    bytes = g_strsplit(text, " ", 0);
    while (bytes[i] != NULL) {
        unsigned byte = g_ascii_strtoull(bytes[i++], NULL, 16), qnum = 0;

        if (byte == 0xe0) {
            qnum = 0x80;
            ck_assert_ptr_nonnull(bytes[i]);
            byte = g_ascii_strtoull(bytes[i++], NULL, 16);
        }
        qnum |= byte & 0x7f;
        makes += !(byte & 0x80);
        ck_assert(!(byte & 0x80) || down[qnum]);
        down[qnum] = !(byte & 0x80);
    }
    ck_assert_uint_gt(makes, 10);
    for (unsigned qnum = 0; qnum < 256; qnum++)
        ck_assert(!down[qnum]);
    key(KEY_A, true);
    expect("1e");
}
END_TEST

static void move(int dx, int dy, unsigned buttons)
{
    input->ops->motion(input->opaque, dx, dy, buttons);
}

START_TEST(mouse_commands)
{
    mouse(0xff);
    expect("mfa maa m00");
    mouse(0xf2);
    expect("mfa m00");
    mouse(0xe8);
    mouse(0x03);
    mouse(0xe7);
    mouse(0xf3);
    mouse(40);
    expect("mfa mfa mfa mfa mfa");
    mouse(0xf4);
    move(0, 0, INPUT_BUTTON_LEFT);
    mouse(0xe9);
    expect("mfa mfa m34 m03 m28 m09 m00 m00");
    mouse(0xf6);
    mouse(0xe9);
    expect("mfa mfa m04 m02 m64");
    mouse(0xe8);
    mouse(0x04);
    mouse(0xf3);
    mouse(0x00);
    mouse(0x12);
    expect("mfa mfc mfa mfc mfe");
    mouse(0xee);
    mouse(0xf4);
    mouse(0x12);
    mouse(0xec);
    expect("mfa mf4 m12 mfa");
    mouse(0xfe);
    expect("mfa");
}
END_TEST

START_TEST(mouse_stream)
{
    move(5, 5, 0);
    mouse(0xf4);
    expect("mfa"); /* what came before does not count */
    move(5, -3, INPUT_BUTTON_LEFT | INPUT_BUTTON_MIDDLE);
    expect("m08 m05 m03 m0d m00 m00");
    move(-1, 2, 0);
    expect("m3d mff mfe m08 m00 m00");
    move(600, 0, 0);
    expect("m08 mff m00 m08 mff m00 m08 m5a m00");
    /* A click while nobody looks is not lost. */
    move(0, 0, INPUT_BUTTON_RIGHT);
    move(0, 0, 0);
    expect("m0a m00 m00 m08 m00 m00");
    mouse(0xe7);
    move(3, -5, 0);
    move(-200, 0, 0);
    expect("mfa m08 m03 m09 m18 m02 m00 m18 m6e m00");
    mouse(0xf5);
    move(9, 9, 0);
    expect("mfa");
}
END_TEST

START_TEST(mouse_motion_is_bounded)
{
    unsigned x = 0;

    mouse(0xf4);
    expect("mfa");
    for (unsigned i = 0; i < 1000; i++) {
        move(INT_MAX, INT_MIN, i % 2);
        input->ops->wheel(input->opaque, INT_MIN);
    }
    for (;;) {
        uint8_t first;

        fake_board_advance(&fake, INTERVAL);
        if (!(status() & 1))
            break;
        first = fake_in8(&fake, 0x60);
        ck_assert_uint_eq(first & 0xf8, 0x08); /* no packet is cut */
        fake_board_advance(&fake, INTERVAL);
        x += fake_in8(&fake, 0x60);
        fake_board_advance(&fake, INTERVAL);
        fake_in8(&fake, 0x60);
    }
    ck_assert_uint_gt(x, 0);
    ck_assert_uint_le(x, 0x4000 + 1000 * 0xff);
}
END_TEST

START_TEST(mouse_remote_mode)
{
    mouse(0xf0);
    move(7, 0, 0);
    expect("mfa");
    mouse(0xeb);
    expect("mfa m08 m07 m00");
    mouse(0xeb);
    expect("mfa m08 m00 m00");
    mouse(0xea);
    mouse(0xf4);
    move(1, 0, 0);
    expect("mfa mfa m08 m01 m00");
}
END_TEST

static void knock(uint8_t a, uint8_t b, uint8_t c)
{
    const uint8_t rates[] = {a, b, c};

    for (unsigned i = 0; i < 3; i++) {
        mouse(0xf3);
        mouse(rates[i]);
    }
    expect("mfa mfa mfa mfa mfa mfa");
}

START_TEST(mouse_wheel)
{
    mouse(0xf4);
    expect("mfa");
    input->ops->wheel(input->opaque, 1);
    expect(""); /* it has none yet */
    knock(200, 100, 80);
    mouse(0xf2);
    expect("mfa m03");
    input->ops->wheel(input->opaque, 1);
    expect("m08 m00 m00 mff");
    input->ops->wheel(input->opaque, -9);
    expect("m08 m00 m00 m07 m08 m00 m00 m02");
    knock(200, 200, 80);
    mouse(0xf2);
    expect("mfa m04");
    input->ops->wheel(input->opaque, 1);
    expect("m08 m00 m00 m0f");
    mouse(0xff);
    expect("mfa maa m00");
}
END_TEST

static void point(unsigned x, unsigned y, unsigned buttons)
{
    /* Pixels of a surface of 101 x 101. */
    input->ops->pointer(input->opaque, (x * INPUT_POSITION_MAX + 99) / 100,
                        (y * INPUT_POSITION_MAX + 99) / 100, 101, 101, buttons);
}

START_TEST(pointer_becomes_motion)
{
    mouse(0xf4);
    expect("mfa");
    point(50, 50, 0);
    expect(""); /* from where is unknown */
    point(60, 45, 0);
    expect("m08 m0a m05");
    point(60, 45, INPUT_BUTTON_LEFT);
    expect("m09 m00 m00");
    /* Reaching an edge goes past it once; leaving it does not. */
    point(0, 45, 0);
    expect("m19 m5f m00 m08 m00 m00");
    point(0, 45, 0);
    expect("");
    point(0, 100, 0);
    expect("m28 m00 m64");
    point(10, 100, 0);
    expect("m08 m0a m00");
    /* Another resolution: a new start. */
    input->ops->pointer(input->opaque, 0, 0, 640, 480, 0);
    input->ops->pointer(input->opaque, UINT_MAX, UINT_MAX, 0, 0, 0);
    expect("");
}
END_TEST

START_TEST(reset_forgets)
{
    set_mode(0x03);
    command(0xd1);
    key(KEY_A, true);
    mouse(0xf4);
    fake_board_reset(&fake);
    ck_assert(!fake.irq_level[KEYBOARD_IRQ]);
    expect("");
    key(KEY_A, true);
    expect("1e");
    command(0x20);
    expect("61");
    ck_assert_uint_eq(fake.resets, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("i8042");
    TCase *tc = tcase_create("i8042");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, controller_commands);
    tcase_add_test(tc, resets_the_machine);
    tcase_add_test(tc, interrupts);
    tcase_add_test(tc, keyboard_commands);
    tcase_add_test(tc, scan_sets);
    tcase_add_test(tc, pause_and_print_screen);
    tcase_add_test(tc, every_key_round_trips);
    tcase_add_test(tc, translation_table);
    tcase_add_test(tc, overflow_drops_whole_keys);
    tcase_add_test(tc, mouse_commands);
    tcase_add_test(tc, mouse_stream);
    tcase_add_test(tc, mouse_motion_is_bounded);
    tcase_add_test(tc, mouse_remote_mode);
    tcase_add_test(tc, mouse_wheel);
    tcase_add_test(tc, pointer_becomes_motion);
    tcase_add_test(tc, reset_forgets);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
