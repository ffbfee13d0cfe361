/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VGA as its guest programs it: registers, window, dispi, PCI. */
#include <check.h>
#include <string.h>

#include "core/error.h"
#include "tests/fakes/vga_machine.h"
#include "tests/suite.h"

static struct vga_machine m;

static void setup(void)
{
    vga_machine_init(&m, NULL);
    guest_out(&m, 0x3c2, MISC_COLOR);
}

static void teardown(void)
{
    vga_machine_finish(&m);
}

static void write_attr(unsigned index, uint8_t value)
{
    guest_in(&m, 0x3da);
    guest_out(&m, 0x3c0, index);
    guest_out(&m, 0x3c0, value);
}

static uint8_t read_attr(unsigned index)
{
    guest_in(&m, 0x3da);
    guest_out(&m, 0x3c0, index);
    return guest_in(&m, 0x3c1);
}

START_TEST(indexed_registers_keep_their_bits)
{
    static const struct {
        uint16_t port;
        uint8_t index, mask;
    } rows[] = {
        {0x3c4, 0, 0x03},    {0x3c4, 1, 0x3d},    {0x3c4, 2, 0x0f},    {0x3c4, 3, 0x3f},
        {0x3c4, 4, 0x0e},    {0x3c4, 5, 0x00},    {0x3c4, 7, 0x00},    {0x3ce, 0, 0x0f},
        {0x3ce, 1, 0x0f},    {0x3ce, 2, 0x0f},    {0x3ce, 3, 0x1f},    {0x3ce, 4, 0x03},
        {0x3ce, 5, 0x7b},    {0x3ce, 6, 0x0f},    {0x3ce, 7, 0x0f},    {0x3ce, 8, 0xff},
        {0x3ce, 9, 0x00},    {0x3ce, 15, 0x00},   {0x3d4, 0x00, 0xff}, {0x3d4, 0x07, 0xff},
        {0x3d4, 0x08, 0x7f}, {0x3d4, 0x09, 0xff}, {0x3d4, 0x0a, 0x3f}, {0x3d4, 0x0b, 0x7f},
        {0x3d4, 0x0c, 0xff}, {0x3d4, 0x13, 0xff}, {0x3d4, 0x14, 0x7f}, {0x3d4, 0x17, 0xef},
        {0x3d4, 0x18, 0xff}, {0x3d4, 0x19, 0x00}, {0x3d4, 0xff, 0x00},
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        guest_set(&m, rows[i].port, rows[i].index, 0xff);
        ck_assert_uint_eq(guest_get(&m, rows[i].port, rows[i].index), rows[i].mask);
        guest_set(&m, rows[i].port, rows[i].index, 0x00);
        ck_assert_uint_eq(guest_get(&m, rows[i].port, rows[i].index), 0);
    }
}
END_TEST

START_TEST(attribute_registers_keep_their_bits)
{
    static const uint8_t masks[0x20] = {
        0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
        0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(masks); i++) {
        write_attr(i, 0xff);
        ck_assert_uint_eq(read_attr(i), masks[i]);
    }
}
END_TEST

START_TEST(attribute_port_alternates)
{
    guest_in(&m, 0x3da);
    guest_out(&m, 0x3c0, 0x21);
    ck_assert_uint_eq(guest_in(&m, 0x3c0), 0x21);
    guest_out(&m, 0x3c0, 0x15); /* data of index 1 */
    ck_assert_uint_eq(guest_in(&m, 0x3c1), 0x15);
    guest_out(&m, 0x3c0, 0x02); /* index again */
    guest_in(&m, 0x3da);        /* and back to index */
    guest_out(&m, 0x3c0, 0x01);
    ck_assert_uint_eq(guest_in(&m, 0x3c1), 0x15);
}
END_TEST

START_TEST(crtc_protection)
{
    for (unsigned i = 0; i <= 7; i++)
        guest_set(&m, 0x3d4, i, 0x22);
    guest_set(&m, 0x3d4, CRTC_V_RETRACE_END, 0x80);
    for (unsigned i = 0; i <= 7; i++)
        guest_set(&m, 0x3d4, i, 0xdd);
    for (unsigned i = 0; i <= 6; i++)
        ck_assert_uint_eq(guest_get(&m, 0x3d4, i), 0x22);
    /* Bit 4 of the overflow register, line compare, is never protected. */
    ck_assert_uint_eq(guest_get(&m, 0x3d4, 7), 0x32);
    guest_set(&m, 0x3d4, 8, 0x11);
    ck_assert_uint_eq(guest_get(&m, 0x3d4, 8), 0x11);
    guest_set(&m, 0x3d4, CRTC_V_RETRACE_END, 0x00);
    guest_set(&m, 0x3d4, 7, 0xdd);
    ck_assert_uint_eq(guest_get(&m, 0x3d4, 7), 0xdd);
}
END_TEST

START_TEST(crtc_moves_with_misc_output)
{
    guest_set(&m, 0x3d4, 0x0e, 0x12);
    ck_assert_uint_eq(guest_in(&m, 0x3b5), 0xff);
    guest_set(&m, 0x3b4, 0x0e, 0x34);
    ck_assert_uint_eq(guest_get(&m, 0x3d4, 0x0e), 0x12);

    guest_out(&m, 0x3c2, 0x00);
    ck_assert_uint_eq(guest_in(&m, 0x3cc), 0x00);
    ck_assert_uint_eq(guest_in(&m, 0x3d5), 0xff);
    /* The same registers, and the same index. */
    ck_assert_uint_eq(guest_in(&m, 0x3b4), 0x0e);
    ck_assert_uint_eq(guest_in(&m, 0x3b5), 0x12);
    ck_assert_uint_ne(guest_in(&m, 0x3ba), 0xff);
    guest_out(&m, 0x3ba, 0xff);
    ck_assert_uint_eq(guest_in(&m, 0x3ca), 0x03);
}
END_TEST

START_TEST(dac_reads_what_was_written)
{
    guest_set_color(&m, 0xff, 0xff, 0x2a, 0x01);
    ck_assert_uint_eq(guest_in(&m, 0x3c7), 0);
    ck_assert_uint_eq(guest_in(&m, 0x3c8), 0); /* counted on, and around */
    guest_out(&m, 0x3c9, 0x05);
    guest_out(&m, 0x3c9, 0x06);
    guest_out(&m, 0x3c7, 0xff); /* an unfinished colour is forgotten */
    ck_assert_uint_eq(guest_in(&m, 0x3c7), 3);
    ck_assert_uint_eq(guest_in(&m, 0x3c9), 0x3f);
    ck_assert_uint_eq(guest_in(&m, 0x3c9), 0x2a);
    ck_assert_uint_eq(guest_in(&m, 0x3c9), 0x01);
    ck_assert_uint_eq(guest_in(&m, 0x3c9), 0x00);

    guest_set_dispi(&m, DISPI_ENABLE, DISPI_8BIT_DAC);
    guest_set_color(&m, 7, 0xff, 0x80, 0x7f);
    guest_out(&m, 0x3c7, 7);
    ck_assert_uint_eq(guest_in(&m, 0x3c9), 0xff);
    ck_assert_uint_eq(guest_in(&m, 0x3c9), 0x80);
    ck_assert_uint_eq(guest_in(&m, 0x3c9), 0x7f);
    ck_assert_uint_eq(guest_in(&m, 0x3c6), 0xff);
    guest_out(&m, 0x3c6, 0x3c);
    ck_assert_uint_eq(guest_in(&m, 0x3c6), 0x3c);
}
END_TEST

/* Samples input status 1 over a tenth of a second. */
static void sample_status(unsigned *frames, unsigned *lines, unsigned *impossible)
{
    uint8_t before = guest_in(&m, 0x3da);

    *frames = *lines = *impossible = 0;
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t now;

        clock_advance(m.board.clock, 1000);
        now = guest_in(&m, 0x3da);
        *frames += (now & ~before & 8) != 0;
        *lines += (now & ~before & 1) != 0;
        *impossible += (now & 9) == 8; /* displaying while the beam flies back */
        before = now;
    }
}

START_TEST(status_follows_the_beam)
{
    unsigned frames, lines, impossible;

    guest_set_mode(&m, "text 80x25");
    sample_status(&frames, &lines, &impossible);
    ck_assert_uint_eq(frames, 7); /* 70 Hz */
    ck_assert_uint_ge(lines, 7 * 395);
    ck_assert_uint_le(lines, 7 * 410);
    ck_assert_uint_eq(impossible, 0);
    guest_set_mode(&m, "640x480x16");
    sample_status(&frames, &lines, &impossible);
    ck_assert_uint_eq(frames, 6); /* 60 Hz */
    /* Timings that no monitor shows still end every wait. */
    for (unsigned i = 0; i < 4; i++) {
        guest_set(&m, 0x3d4, CRTC_V_RETRACE_END, 0);
        for (unsigned j = 0; j < CRTC_COUNT; j++)
            guest_set(&m, 0x3d4, j, i == 0 ? 0 : i == 1 ? 0xff : (j * i * 77) & 0xff);
        sample_status(&frames, &lines, &impossible);
        ck_assert_uint_ge(frames, 2);
        ck_assert_uint_ge(lines, 2);
    }
}
END_TEST

/* The model: four planes, every bit by itself. */
struct model {
    uint8_t planes[4][65536];
    uint8_t latch[4];
    uint8_t seq[SEQ_COUNT], gfx[GFX_COUNT];
};

static bool model_address(const struct model *s, unsigned offset, unsigned *ret)
{
    static const unsigned base[4] = {0, 0, 0x10000, 0x18000};
    static const unsigned size[4] = {0x20000, 0x10000, 0x8000, 0x8000};
    unsigned map = s->gfx[GFX_MISC] >> 2 & 3;

    *ret = offset - base[map];
    return offset >= base[map] && *ret < size[map];
}

static bool bit(unsigned value, unsigned i)
{
    return value >> i & 1;
}

/* Address in each plane and the planes that a write may reach. */
static unsigned model_place(const struct model *s, unsigned address, unsigned *planes,
                            unsigned *plane)
{
    if (s->seq[SEQ_MEMORY_MODE] & 8) {
        *plane = address % 4;
        *planes = 1 << *plane;
        return address / 4;
    }
    if (s->gfx[GFX_MODE] & 0x10) {
        *plane = (s->gfx[GFX_READ_MAP] & 2) + address % 2;
        *planes = address % 2 ? 0xa : 0x5;
        return address / 2;
    }
    *plane = s->gfx[GFX_READ_MAP];
    *planes = 0xf;
    return address;
}

static uint8_t model_read(struct model *s, unsigned offset)
{
    unsigned address, planes, plane;
    uint8_t value = 0;

    if (!model_address(s, offset, &address))
        return 0xff;
    address = model_place(s, address, &planes, &plane);
    for (unsigned p = 0; p < 4; p++)
        s->latch[p] = s->planes[p][address];
    if (!(s->gfx[GFX_MODE] & 8))
        return s->latch[plane];
    for (unsigned i = 0; i < 8; i++) {
        bool same = true;

        for (unsigned p = 0; p < 4; p++) {
            if (bit(s->gfx[GFX_COLOR_DONT_CARE], p))
                same &= bit(s->latch[p], i) == bit(s->gfx[GFX_COLOR_COMPARE], p);
        }
        value |= same << i;
    }
    return value;
}

static bool model_bit(const struct model *s, unsigned p, unsigned i, uint8_t byte)
{
    unsigned rotated = (byte >> (s->gfx[GFX_ROTATE] & 7) | byte << (8 - (s->gfx[GFX_ROTATE] & 7)));
    bool old = bit(s->latch[p], i), mask = bit(s->gfx[GFX_BIT_MASK], i), value;

    switch (s->gfx[GFX_MODE] & 3) {
    case 0:
        value =
            bit(s->gfx[GFX_ENABLE_SET_RESET], p) ? bit(s->gfx[GFX_SET_RESET], p) : bit(rotated, i);
        break;
    case 1:
        return old;
    case 2:
        value = bit(byte, p);
        break;
    default:
        mask = mask && bit(rotated, i);
        value = bit(s->gfx[GFX_SET_RESET], p);
        break;
    }
    if (s->gfx[GFX_ROTATE] >> 3 == 1)
        value = value && old;
    else if (s->gfx[GFX_ROTATE] >> 3 == 2)
        value = value || old;
    else if (s->gfx[GFX_ROTATE] >> 3 == 3)
        value = value != old;
    return mask ? value : old;
}

static void model_write(struct model *s, unsigned offset, uint8_t byte)
{
    unsigned address, planes, plane;

    if (!model_address(s, offset, &address))
        return;
    address = model_place(s, address, &planes, &plane);
    for (unsigned p = 0; p < 4; p++) {
        uint8_t value = 0;

        if (!bit(planes, p) || !bit(s->seq[SEQ_MAP_MASK], p))
            continue;
        for (unsigned i = 0; i < 8; i++)
            value |= model_bit(s, p, i, byte) << i;
        s->planes[p][address] = value;
    }
}

static void random_register(struct model *s, GRand *rand)
{
    static const uint8_t seq_masks[SEQ_COUNT] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
    static const uint8_t gfx_masks[GFX_COUNT] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03,
                                                 0x7b, 0x0f, 0x0f, 0xff};
    uint8_t value = g_rand_int(rand);

    if (g_rand_int_range(rand, 0, 5) == 0) {
        unsigned i = g_rand_int_range(rand, 2, SEQ_COUNT);

        guest_set(&m, 0x3c4, i, value);
        s->seq[i] = value & seq_masks[i];
        return;
    }
    unsigned i = g_rand_int_range(rand, 0, GFX_COUNT);

    /* 128 KiB of planes go past the model's. */
    if (i == GFX_MISC)
        value |= 4;
    guest_set(&m, 0x3ce, i, value);
    s->gfx[i] = value & gfx_masks[i];
}

START_TEST(window_agrees_with_the_model)
{
    GRand *rand = g_rand_new_with_seed(20 + _i);
    struct model *s = g_new0(struct model, 1);

    guest_set(&m, 0x3ce, GFX_MISC, 4);
    s->gfx[GFX_MISC] = 4;
    for (unsigned n = 0; n < 200000; n++) {
        /* Few addresses, so that they meet. */
        unsigned offset = g_rand_int_range(rand, 0, 4) * 0x8000 + g_rand_int_range(rand, 0, 24);
        uint8_t value = g_rand_int(rand);

        switch (g_rand_int_range(rand, 0, 4)) {
        case 0:
            random_register(s, rand);
            break;
        case 1:
            /* Memory that is mapped directly leaves the latches alone. */
            if (guest_traps(&m, 0xa0000 + offset))
                ck_assert_uint_eq(guest_read(&m, 0xa0000 + offset, 1), model_read(s, offset));
            break;
        default:
            guest_write(&m, 0xa0000 + offset, value, 1);
            model_write(s, offset, value);
        }
    }
    for (unsigned address = 0; address < 65536; address++) {
        for (unsigned p = 0; p < 4; p++) {
            /* Without a record of Check's for each byte. */
            if (guest_read(&m, VGA_TEST_VRAM + address * 4 + p, 1) != s->planes[p][address])
                ck_abort_msg("plane %u differs at %04x", p, address);
        }
    }
    g_free(s);
    g_rand_free(rand);
}
END_TEST

START_TEST(window_is_memory_when_it_may)
{
    guest_set_mode(&m, "text 80x25");
    ck_assert(guest_traps(&m, 0xb8000));
    guest_set_mode(&m, "320x200x256");
    ck_assert(!guest_traps(&m, 0xa0000));
    ck_assert(!guest_traps(&m, 0xaffff));
    ck_assert(guest_traps(&m, 0xb0000));
    guest_write(&m, 0xa1234, 0x5a, 1);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_VRAM + 0x1234, 1), 0x5a);
    /* Each of these makes a write more than a write. */
    static const struct {
        uint16_t port;
        uint8_t index, value, normal;
    } rows[] = {{0x3c4, 2, 7, 15}, {0x3c4, 4, 6, 14}, {0x3ce, 1, 1, 0},    {0x3ce, 3, 8, 0},
                {0x3ce, 5, 1, 0},  {0x3ce, 5, 8, 0},  {0x3ce, 8, 1, 0xff}, {0x3ce, 6, 1, 5}};
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        guest_set(&m, rows[i].port, rows[i].index, rows[i].value);
        ck_assert(guest_traps(&m, 0xa0000));
        guest_set(&m, rows[i].port, rows[i].index, rows[i].normal);
        ck_assert(!guest_traps(&m, 0xa0000));
    }
}
END_TEST

START_TEST(dispi_banks)
{
    guest_set_dispi_mode(&m, 1024, 768, 8);
    for (unsigned bank = 0; bank < 256; bank += 51) {
        guest_set_dispi(&m, DISPI_BANK, bank);
        ck_assert(!guest_traps(&m, 0xa0000));
        guest_write(&m, 0xafffe, 0xa500 + bank, 2);
        ck_assert_uint_eq(guest_read(&m, VGA_TEST_VRAM + bank * 65536 + 0xfffe, 2), 0xa500 + bank);
        ck_assert_uint_eq(guest_read(&m, 0xb0000, 1), 0xff);
    }
    guest_set_dispi(&m, DISPI_BANK, 0x1234);
    ck_assert_uint_eq(guest_get_dispi(&m, DISPI_BANK), 0x34);
    guest_set_dispi(&m, DISPI_ENABLE, 0);
    ck_assert_uint_eq(guest_get_dispi(&m, DISPI_BANK), 0);
    ck_assert(guest_traps(&m, 0xa0000));
}
END_TEST

START_TEST(dispi_identifies_itself)
{
    ck_assert_uint_eq(guest_get_dispi(&m, DISPI_ID), 0xb0c5);
    for (unsigned id = 0xb0be; id <= 0xb0c7; id++) {
        uint16_t before = guest_get_dispi(&m, DISPI_ID);

        guest_set_dispi(&m, DISPI_ID, id);
        ck_assert_uint_eq(guest_get_dispi(&m, DISPI_ID),
                          id >= 0xb0c0 && id <= 0xb0c5 ? id : before);
    }
    ck_assert_uint_eq(guest_get_dispi(&m, DISPI_MEMORY_64K), 256);
    ck_assert_uint_eq(guest_get_dispi(&m, 11), 0);
    ck_assert_uint_eq(guest_get_dispi(&m, 0xffff), 0);
    guest_set_dispi(&m, DISPI_ENABLE, DISPI_GET_CAPS);
    ck_assert_uint_eq(guest_get_dispi(&m, DISPI_XRES), 2560);
    ck_assert_uint_eq(guest_get_dispi(&m, DISPI_YRES), 1600);
    ck_assert_uint_eq(guest_get_dispi(&m, DISPI_BPP), 32);
    /* The aligned data port, and bytes, which the interface does not have. */
    guest_out16(&m, 0x1ce, DISPI_MEMORY_64K);
    ck_assert_uint_eq(guest_in16(&m, 0x1d0), 256);
    ck_assert_uint_eq(guest_in(&m, 0x1cf), 0xff);
}
END_TEST

START_TEST(dispi_keeps_its_limits)
{
    GRand *rand = g_rand_new_with_seed(4);

    for (unsigned n = 0; n < 20000; n++) {
        uint16_t value = g_rand_int(rand) >> g_rand_int_range(rand, 0, 16);
        unsigned bits, pitch;

        guest_set_dispi(&m, g_rand_int_range(rand, 1, 12), value);
        if (!(guest_get_dispi(&m, DISPI_ENABLE) & DISPI_ENABLED) ||
            (guest_get_dispi(&m, DISPI_ENABLE) & DISPI_GET_CAPS))
            continue;
        bits = guest_get_dispi(&m, DISPI_BPP);
        ck_assert(bits == 4 || bits == 8 || bits == 15 || bits == 16 || bits == 24 || bits == 32);
        bits = bits == 15 ? 16 : bits;
        pitch = guest_get_dispi(&m, DISPI_VIRT_WIDTH) * bits / 8;
        ck_assert_uint_ge(guest_get_dispi(&m, DISPI_XRES), 1);
        ck_assert_uint_le(guest_get_dispi(&m, DISPI_XRES), 2560);
        ck_assert_uint_ge(guest_get_dispi(&m, DISPI_YRES), 1);
        ck_assert_uint_le(guest_get_dispi(&m, DISPI_YRES), 1600);
        ck_assert_uint_le(guest_get_dispi(&m, DISPI_XRES) + guest_get_dispi(&m, DISPI_X_OFFSET),
                          guest_get_dispi(&m, DISPI_VIRT_WIDTH));
        ck_assert_uint_le(guest_get_dispi(&m, DISPI_YRES) + guest_get_dispi(&m, DISPI_Y_OFFSET),
                          guest_get_dispi(&m, DISPI_VIRT_HEIGHT));
        ck_assert_uint_le((uint64_t)guest_get_dispi(&m, DISPI_VIRT_HEIGHT) * pitch, 16u << 20);
    }
    g_rand_free(rand);
}
END_TEST

START_TEST(dispi_clears_unless_told)
{
    guest_write(&m, VGA_TEST_VRAM + 5000, 0x77, 1);
    guest_write(&m, VGA_TEST_VRAM + 100 * 100 * 4 - 1, 0x77, 1);
    guest_write(&m, VGA_TEST_VRAM + 100 * 100 * 4, 0x77, 1);
    guest_set_dispi(&m, DISPI_XRES, 100);
    guest_set_dispi(&m, DISPI_YRES, 100);
    guest_set_dispi(&m, DISPI_BPP, 32);
    guest_set_dispi(&m, DISPI_ENABLE, 0x81);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_VRAM + 5000, 1), 0x77);
    guest_set_dispi(&m, DISPI_ENABLE, 0x01); /* enabled already */
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_VRAM + 5000, 1), 0x77);
    guest_set_dispi(&m, DISPI_ENABLE, 0x00);
    guest_set_dispi(&m, DISPI_ENABLE, 0x01);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_VRAM + 5000, 1), 0);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_VRAM + 100 * 100 * 4 - 1, 1), 0);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_VRAM + 100 * 100 * 4, 1), 0x77);
}
END_TEST

START_TEST(mmio_bar)
{
    static const uint8_t header[8] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};

    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + i, 1), header[i]);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + EDID_SIZE, 4), 0);
    /* Ports: sequencer index and data by one 16-bit write. */
    guest_write(&m, VGA_TEST_MMIO + 0x404, 0x0a02, 2);
    memory_map_write(m.board.memory, VGA_TEST_MMIO + 0x404, 0x0602, 2);
    ck_assert_uint_eq(guest_get(&m, 0x3c4, 2), 6);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + 0x405, 1), 6);
    /* Dispi: registers side by side. */
    memory_map_write(m.board.memory, VGA_TEST_MMIO + 0x500 + 2 * DISPI_XRES, 0x01e00280, 4);
    ck_assert_uint_eq(guest_get_dispi(&m, DISPI_XRES), 640);
    ck_assert_uint_eq(guest_get_dispi(&m, DISPI_YRES), 480);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + 0x500, 2), 0xb0c5);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + 0x500, 1), 0xc5);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + 0x514, 2), 256);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + 0x516, 2), 0xffff);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + 0x600, 4), 8);
    memory_map_write(m.board.memory, VGA_TEST_MMIO + 0x604, 0xbebebebe, 4);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + 0x604, 4), 0x1e1e1e1e);
    ck_assert_uint_eq(guest_read(&m, VGA_TEST_MMIO + 0xffc, 4), 0xffffffff);
}
END_TEST

static uint32_t config(unsigned offset, unsigned size)
{
    return pci_bus_config_read(m.board.pci, 0, VGA_TEST_DEVFN, offset, size);
}

static uint32_t bar_size(unsigned offset)
{
    uint32_t before = config(offset, 4), mask;

    pci_bus_config_write(m.board.pci, 0, VGA_TEST_DEVFN, offset, 0xfffffffe, 4);
    mask = config(offset, 4);
    pci_bus_config_write(m.board.pci, 0, VGA_TEST_DEVFN, offset, before, 4);
    return -(mask & ~0xfu);
}

START_TEST(pci_function)
{
    ck_assert_uint_eq(config(PCI_VENDOR_ID, 4), 0x11111234);
    ck_assert_uint_eq(config(PCI_SUBSYSTEM_VENDOR_ID, 4), 0x11001af4);
    ck_assert_uint_eq(config(PCI_CLASS_DEVICE, 2), 0x0300);
    ck_assert_uint_eq(config(PCI_REVISION_ID, 1), 2);
    ck_assert_uint_eq(config(PCI_BAR0, 4), VGA_TEST_VRAM | 8);
    ck_assert_uint_eq(bar_size(PCI_BAR0), 16 << 20);
    ck_assert_uint_eq(bar_size(PCI_BAR0 + 8), 4096);
    ck_assert_uint_eq(config(PCI_ROM_ADDRESS, 4), 0);
    ck_assert(!guest_traps(&m, VGA_TEST_VRAM));
    pci_bus_config_write(m.board.pci, 0, VGA_TEST_DEVFN, PCI_COMMAND, 0, 2);
    ck_assert(guest_traps(&m, VGA_TEST_VRAM));
}
END_TEST

START_TEST(rom_bar)
{
    g_autofree uint8_t *data = g_malloc(39 * 1024);
    g_autoptr(GBytes) rom = NULL;
    struct vga_machine other;

    for (unsigned i = 0; i < 39 * 1024; i++)
        data[i] = i * 7 >> 3;
    rom = g_bytes_new(data, 39 * 1024);
    vga_machine_init(&other, rom);
    pci_bus_config_write(other.board.pci, 0, VGA_TEST_DEVFN, PCI_ROM_ADDRESS, 0xfffff800, 4);
    ck_assert_uint_eq(pci_bus_config_read(other.board.pci, 0, VGA_TEST_DEVFN, PCI_ROM_ADDRESS, 4),
                      0xffff0000);
    pci_bus_config_write(other.board.pci, 0, VGA_TEST_DEVFN, PCI_ROM_ADDRESS, 0xc8000001, 4);
    for (unsigned i = 0; i < 39 * 1024; i++)
        ck_assert_uint_eq(guest_read(&other, 0xc8000000 + i, 1), data[i]);
    guest_write(&other, 0xc8000000, 0x11, 1);
    memory_map_write(other.board.memory, 0xc8000000, 0x11, 1);
    ck_assert_uint_eq(guest_read(&other, 0xc8000000, 1), data[0]);
    vga_machine_finish(&other);
}
END_TEST

static void expect_refusal(const struct vga_options *options, const char *part)
{
    GError *error = NULL;

    ck_assert_ptr_null(vga_new(&m.board, options, &error));
    ck_assert_msg(strstr(error->message, part) != NULL, "%s", error->message);
    g_error_free(error);
}

START_TEST(impossible_options_are_refused)
{
    g_autofree uint8_t *data = g_malloc0((256 << 10) + 1);
    g_autoptr(GBytes) rom = g_bytes_new(data, (256 << 10) + 1);

    expect_refusal(&(struct vga_options){.devfn = PCI_DEVFN(3, 0), .rom = rom}, "262145 bytes");
    expect_refusal(&(struct vga_options){.devfn = VGA_TEST_DEVFN}, "02.0, is taken");
    expect_refusal(&(struct vga_options){.devfn = PCI_DEVFN(3, 0)}, "one VGA");
    ck_assert_uint_eq(pci_bus_config_read(m.board.pci, 0, PCI_DEVFN(3, 0), 0, 4), 0xffffffff);
}
END_TEST

START_TEST(reset_forgets_all)
{
    guest_set_dispi_mode(&m, 800, 600, 32);
    guest_set_color(&m, 3, 1, 2, 3);
    guest_write(&m, VGA_TEST_VRAM + 12345, 0x99, 1);
    board_reset_devices(&m.board);
    ck_assert(guest_traps(&m, VGA_TEST_VRAM));
    ck_assert(guest_traps(&m, 0xa0000));
    ck_assert_uint_eq(guest_get_dispi(&m, DISPI_ENABLE), 0);
    ck_assert_uint_eq(guest_get_dispi(&m, DISPI_ID), 0xb0c5);
    ck_assert_uint_eq(guest_in(&m, 0x3cc), 0);
    guest_out(&m, 0x3c7, 3);
    ck_assert_uint_eq(guest_in(&m, 0x3c9), 0);
    ck_assert_uint_eq(vga_vram_load(m.vga, 12344), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vga");
    TCase *tc = tcase_create("vga");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, indexed_registers_keep_their_bits);
    tcase_add_test(tc, attribute_registers_keep_their_bits);
    tcase_add_test(tc, attribute_port_alternates);
    tcase_add_test(tc, crtc_protection);
    tcase_add_test(tc, crtc_moves_with_misc_output);
    tcase_add_test(tc, dac_reads_what_was_written);
    tcase_add_test(tc, status_follows_the_beam);
    tcase_add_loop_test(tc, window_agrees_with_the_model, 0, 4);
    tcase_add_test(tc, window_is_memory_when_it_may);
    tcase_add_test(tc, dispi_banks);
    tcase_add_test(tc, dispi_identifies_itself);
    tcase_add_test(tc, dispi_keeps_its_limits);
    tcase_add_test(tc, dispi_clears_unless_told);
    tcase_add_test(tc, mmio_bar);
    tcase_add_test(tc, pci_function);
    tcase_add_test(tc, rom_bar);
    tcase_add_test(tc, impossible_options_are_refused);
    tcase_add_test(tc, reset_forgets_all);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
