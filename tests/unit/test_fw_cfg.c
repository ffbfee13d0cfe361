/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <string.h>

#include "core/error.h"
#include "engine/dev/fw_cfg.h"
#include "tests/fakes/fake_board.h"
#include "tests/suite.h"

#define RAM_SIZE (16 * 1024 * 1024)
#define ACCESS 0x1000 /* where the tests put the descriptor */
#define BUFFER 0x100000

enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };

static struct fake_board fake;
static struct fw_cfg *fw_cfg;

static void select_key(uint16_t key)
{
    fake_out(&fake, 0x510, key, 2);
}

static uint64_t read_port(unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value = value << 8 | fake_in8(&fake, 0x511);
    return value;
}

static uint8_t *ram(uint64_t gpa)
{
    return fake.ram.host + gpa;
}

static uint32_t control_word(void)
{
    return GUINT32_FROM_BE(*(uint32_t *)ram(ACCESS));
}

static void put_access(uint32_t control, uint32_t length, uint64_t address)
{
    *(uint32_t *)ram(ACCESS) = GUINT32_TO_BE(control);
    *(uint32_t *)ram(ACCESS + 4) = GUINT32_TO_BE(length);
    *(uint64_t *)ram(ACCESS + 8) = GUINT64_TO_BE(address);
}

static void start_dma(uint64_t gpa)
{
    fake_out(&fake, 0x514, GUINT32_SWAP_LE_BE((uint32_t)(gpa >> 32)), 4);
    fake_out(&fake, 0x518, GUINT32_SWAP_LE_BE((uint32_t)gpa), 4);
}

/* Runs one transfer to its end; returns the control word. */
static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
    put_access(control, length, address);
    start_dma(ACCESS);
    fake_board_advance(&fake, 0);
    return control_word();
}

static void add_item(uint16_t key, const char *text)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

    fw_cfg_add(fw_cfg, key, bytes);
}

static bool add_file(const char *name, const char *text, GError **err)
{
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

    return fw_cfg_add_file(fw_cfg, name, bytes, err);
}

static void setup(void)
{
    fake_board_init(&fake, RAM_SIZE);
    fw_cfg = fw_cfg_new(&fake.board);
}

static void teardown(void)
{
    fake_board_finish(&fake);
}

START_TEST(identifies_itself)
{
    select_key(FW_CFG_SIGNATURE);
    ck_assert_uint_eq(read_port(4), 0x51454d55);
    ck_assert_uint_eq(read_port(1), 0); /* behind the end */
    select_key(FW_CFG_ID);
    ck_assert_uint_eq(read_port(4), 0x03000000);
    ck_assert_uint_eq(fake_in(&fake, 0x514, 4), GUINT32_FROM_LE(*(const uint32_t *)"QEMU"));
    ck_assert_uint_eq(fake_in(&fake, 0x518, 4), GUINT32_FROM_LE(*(const uint32_t *)" CFG"));
    ck_assert_uint_eq(fake_in8(&fake, 0x51b), 'G');
}
END_TEST

START_TEST(numbers)
{
    fw_cfg_add_u16(fw_cfg, FW_CFG_NB_CPUS, 0x1234);
    fw_cfg_add_u32(fw_cfg, FW_CFG_KERNEL_SIZE, 0x12345678);
    fw_cfg_add_u64(fw_cfg, FW_CFG_RAM_SIZE, UINT64_C(0x123456789abcdef0));
    select_key(FW_CFG_NB_CPUS);
    ck_assert_uint_eq(read_port(3), 0x341200);
    select_key(FW_CFG_KERNEL_SIZE);
    ck_assert_uint_eq(read_port(4), 0x78563412);
    select_key(FW_CFG_RAM_SIZE);
    ck_assert_uint_eq(read_port(8), UINT64_C(0xf0debc9a78563412));
    /* No such item; a byte to the selector selects nothing; writes change nothing. */
    select_key(0x4242);
    ck_assert_uint_eq(read_port(8), 0);
    select_key(FW_CFG_NB_CPUS);
    fake_out8(&fake, 0x510, FW_CFG_RAM_SIZE);
    fake_out8(&fake, 0x511, 0x99);
    ck_assert_uint_eq(read_port(2), 0x3412);
    /* Selecting starts anew, and so does a reset, with the signature. */
    select_key(FW_CFG_NB_CPUS);
    ck_assert_uint_eq(read_port(2), 0x3412);
    fake_board_reset(&fake);
    ck_assert_uint_eq(read_port(4), 0x51454d55);
}
END_TEST

START_TEST(directory)
{
    static const char *const sorted[] = {"bootorder", "etc/acpi/rsdp", "etc/e820"};
    g_autofree char *long_name = g_strnfill(56, 'x');
    GError *err = NULL;

    select_key(FW_CFG_FILE_DIR);
    ck_assert_uint_eq(read_port(4), 0);
    ck_assert(add_file("etc/e820", "three", NULL));
    ck_assert(add_file("bootorder", "one", NULL));
    ck_assert(add_file("etc/acpi/rsdp", "twotwo", NULL));

    ck_assert(!add_file("bootorder", "again", &err));
    ck_assert(g_error_matches(err, VMDESK_ERROR, VMDESK_ERROR_EXISTS));
    g_clear_error(&err);
    ck_assert(!add_file("", "nameless", &err));
    ck_assert(g_error_matches(err, VMDESK_ERROR, VMDESK_ERROR_INVALID));
    g_clear_error(&err);
    ck_assert(!add_file(long_name, "long", &err));
    ck_assert(g_error_matches(err, VMDESK_ERROR, VMDESK_ERROR_INVALID));
    g_clear_error(&err);

    select_key(FW_CFG_FILE_DIR);
    ck_assert_uint_eq(read_port(4), 3);
    for (size_t i = 0; i < G_N_ELEMENTS(sorted); i++) {
        uint32_t size;
        uint16_t key;
        char name[56];

        select_key(FW_CFG_FILE_DIR);
        read_port(4 + 64 * i);
        size = read_port(4);
        key = read_port(2);
        ck_assert_uint_eq(read_port(2), 0);
        for (size_t n = 0; n < sizeof(name); n++)
            name[n] = read_port(1);
        ck_assert_str_eq(name, sorted[i]);
        select_key(key);
        ck_assert_uint_eq(read_port(1), "ott"[i]);
        ck_assert_uint_eq(size, i == 0 ? 3 : i == 1 ? 6 : 5);
    }
    for (unsigned i = 3; i < FW_CFG_MAX_FILES; i++) {
        g_autofree char *name = g_strdup_printf("file%u", i);

        ck_assert(add_file(name, "", NULL));
    }
    ck_assert(!add_file("one/too/many", "", &err));
    ck_assert(g_error_matches(err, VMDESK_ERROR, VMDESK_ERROR_NO_SPACE));
    g_clear_error(&err);
}
END_TEST

START_TEST(dma_reads)
{
    add_item(FW_CFG_CMDLINE_DATA, "0123456789");
    ck_assert_uint_eq(dma(FW_CFG_CMDLINE_DATA << 16 | DMA_SELECT | DMA_READ, 4, BUFFER), 0);
    ck_assert_int_eq(memcmp(ram(BUFFER), "0123\0", 5), 0);
    ck_assert_uint_eq(dma(DMA_SKIP, 2, UINT64_MAX), 0);
    memset(ram(BUFFER), 0xee, 16);
    ck_assert_uint_eq(dma(DMA_READ, 8, BUFFER), 0);
    ck_assert_int_eq(memcmp(ram(BUFFER), "6789\0\0\0\0\xee", 9), 0);
    /* The port goes on where DMA stopped. */
    dma(FW_CFG_CMDLINE_DATA << 16 | DMA_SELECT | DMA_SKIP, 9, 0);
    ck_assert_uint_eq(read_port(2), '9' << 8);
    dma(DMA_SKIP, UINT32_MAX, 0);
    ck_assert_uint_eq(dma(DMA_READ, 0, UINT64_MAX), 0);
    /* No such item reads as zeros. */
    memset(ram(BUFFER), 0xee, 16);
    ck_assert_uint_eq(dma(0x4242 << 16 | DMA_SELECT | DMA_READ, 4, BUFFER), 0);
    ck_assert_int_eq(memcmp(ram(BUFFER), "\0\0\0\0\xee", 5), 0);
}
END_TEST

START_TEST(dma_errors)
{
    static const uint64_t outside[] = {RAM_SIZE, RAM_SIZE - 2, UINT64_C(1) << 40, UINT64_MAX - 3,
                                       UINT64_MAX - 1};

    add_item(FW_CFG_CMDLINE_DATA, "0123456789");
    select_key(FW_CFG_CMDLINE_DATA);
    for (size_t i = 0; i < G_N_ELEMENTS(outside); i++)
        ck_assert_uint_eq(dma(DMA_READ, 4, outside[i]), DMA_ERROR);
    ck_assert_uint_eq(dma(DMA_WRITE, 4, BUFFER), DMA_ERROR);
    /* The descriptor itself outside: nothing to answer to. */
    for (size_t i = 0; i < G_N_ELEMENTS(outside); i++)
        start_dma(outside[i]);
    ck_assert_uint_eq(read_port(1), '0'); /* what failed did not move on */
    /* Onto its own descriptor: the answer stays. */
    ck_assert_uint_eq(dma(DMA_READ, 4, ACCESS), 0);
    /* Half an address, or one of odd width, starts nothing. */
    put_access(DMA_READ, 4, BUFFER);
    fake_out(&fake, 0x514, 0, 4);
    fake_out(&fake, 0x518, 0x1234, 2);
    fake_out8(&fake, 0x51b, 0x00);
    ck_assert_uint_eq(control_word(), DMA_READ);
}
END_TEST

START_TEST(long_reads_go_on_from_a_timer)
{
    const size_t size = 2 * FW_CFG_DMA_SLICE + 5;
    uint8_t *pattern = g_malloc(size);
    g_autoptr(GBytes) bytes = NULL;

    for (size_t i = 0; i < size; i++)
        pattern[i] = i * 7 + (i >> 16);
    bytes = g_bytes_new_take(pattern, size);
    fw_cfg_add(fw_cfg, FW_CFG_INITRD_DATA, bytes);
    put_access(FW_CFG_INITRD_DATA << 16 | DMA_SELECT | DMA_READ, size + 3, BUFFER);
    memset(ram(BUFFER), 0xee, size + 4);
    start_dma(ACCESS);
    ck_assert_uint_eq(control_word() & DMA_READ, DMA_READ); /* not done yet */
    ck_assert_uint_eq(*ram(BUFFER + FW_CFG_DMA_SLICE), 0xee);

    /* Another one meanwhile is refused. */
    *(uint32_t *)ram(0x2000) = GUINT32_TO_BE(DMA_READ);
    start_dma(0x2000);
    ck_assert_uint_eq(GUINT32_FROM_BE(*(uint32_t *)ram(0x2000)), DMA_ERROR);

    fake_board_advance(&fake, 0);
    ck_assert_uint_eq(control_word(), 0);
    ck_assert_int_eq(memcmp(ram(BUFFER), pattern, size), 0);
    ck_assert_int_eq(memcmp(ram(BUFFER + size), "\0\0\0\xee", 4), 0);

    /* One that leaves RAM on its way ends there; one that is reset never ends. */
    ck_assert_uint_eq(dma(DMA_READ, UINT32_MAX, BUFFER), DMA_ERROR);
    put_access(DMA_READ, UINT32_MAX, BUFFER);
    start_dma(ACCESS);
    fake_board_reset(&fake);
    fake_board_advance(&fake, NSEC_PER_SEC);
    ck_assert_uint_eq(control_word(), DMA_READ);
    ck_assert_uint_eq(dma(FW_CFG_SIGNATURE << 16 | DMA_SELECT | DMA_READ, 4, BUFFER), 0);
    ck_assert_int_eq(memcmp(ram(BUFFER), "QEMU", 4), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fw_cfg");
    TCase *tc = tcase_create("fw_cfg");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, identifies_itself);
    tcase_add_test(tc, numbers);
    tcase_add_test(tc, directory);
    tcase_add_test(tc, dma_reads);
    tcase_add_test(tc, dma_errors);
    tcase_add_test(tc, long_reads_go_on_from_a_timer);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
