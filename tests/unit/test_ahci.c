/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/fakes/ahci_driver.h"
#include "tests/suite.h"

#define DISK_SIZE (4 * 1024 * 1024)
#define SECTORS (DISK_SIZE / 512)
#define GOOD 0x50

static struct ahci_driver d;
static struct memory_file *disk; /* port 0 */

static void setup(void)
{
    driver_init(&d);
    disk = driver_add_disk(&d, 0, DISK_SIZE, false);
    for (unsigned i = 0; i < DISK_SIZE; i++)
        disk->data[i] = i / 512 ^ i;
    driver_start(&d, 0);
}

static void teardown(void)
{
    driver_finish(&d);
    memory_file_free(disk);
}

static uint8_t *ram(uint64_t gpa)
{
    return driver_ram(&d, gpa);
}

static uint16_t word(unsigned n)
{
    return pci_get16(ram(DRIVER_DATA + 2 * n));
}

static void assert_disk_log(const char *log)
{
    g_mutex_lock(&disk->lock);
    ck_assert_str_eq(disk->log->str, log);
    g_mutex_unlock(&disk->lock);
}

START_TEST(controller_shows_what_it_is)
{
    struct pci_bus *pci = d.fake.board.pci;

    ck_assert_uint_eq(pci_bus_config_read(pci, 0, DRIVER_DEVFN, 0, 4), 0x29228086);
    ck_assert_uint_eq(pci_bus_config_read(pci, 0, DRIVER_DEVFN, 8, 4) >> 8, 0x010601);
    ck_assert_uint_eq(pci_bus_config_read(pci, 0, DRIVER_DEVFN, 0x2c, 4), 0x11001af4);
    ck_assert_uint_eq(pci_bus_config_read(pci, 0, DRIVER_DEVFN, PCI_INTERRUPT_PIN, 1), 1);
    ck_assert_uint_eq(driver_read(&d, HBA_CAP), 0xc1241f05);
    ck_assert_uint_eq(driver_read(&d, HBA_GHC), 0x80000000);
    ck_assert_uint_eq(driver_read(&d, HBA_PI), 0x3f);
    ck_assert_uint_eq(driver_read(&d, HBA_VS), 0x00010301);
    ck_assert_uint_eq(driver_read(&d, 0x100 + AHCI_PORTS * 0x80), 0);
    ck_assert_uint_eq(driver_read(&d, 0xffc), 0);
}
END_TEST

START_TEST(ports_show_what_they_hold)
{
    driver_add_cd(&d, 3, 0);
    ck_assert_uint_eq(port_read(&d, 0, PX_SSTS), 0x123);
    ck_assert_uint_eq(port_read(&d, 0, PX_SIG), 0x00000101);
    ck_assert_uint_eq(port_read(&d, 0, PX_TFD), 0x150);
    ck_assert_uint_eq(port_read(&d, 3, PX_SSTS), 0x123);
    ck_assert_uint_eq(port_read(&d, 3, PX_SIG), 0xeb140101);
    ck_assert_uint_eq(port_read(&d, 3, PX_IS) & IS_PCS, IS_PCS);
    ck_assert_uint_eq(port_read(&d, 1, PX_SSTS), 0);
    ck_assert_uint_eq(port_read(&d, 1, PX_SIG), 0xffffffff);
    ck_assert_uint_eq(port_read(&d, 1, PX_TFD), 0x7f);
    /* COMRESET of an empty port finds nobody. */
    port_write(&d, 1, PX_SCTL, 0x301);
    port_write(&d, 1, PX_SCTL, 0x300);
    ck_assert_uint_eq(port_read(&d, 1, PX_SSTS), 0);
    driver_start(&d, 1);
    port_write(&d, 1, PX_CI, 1);
    ck_assert_uint_eq(port_read(&d, 1, PX_CI), 1);
}
END_TEST

START_TEST(narrow_accesses_reach_their_bytes)
{
    uint64_t ie = DRIVER_ABAR + 0x100 + PX_IE, is = DRIVER_ABAR + 0x100 + PX_SERR;

    port_write(&d, 0, PX_IE, 0xffffffff);
    ck_assert_uint_eq(port_read(&d, 0, PX_IE), 0xfdc000ff);
    fake_store(&d.fake, ie + 3, 0, 1);
    ck_assert_uint_eq(port_read(&d, 0, PX_IE), 0x00c000ff);
    ck_assert_uint_eq(fake_load(&d.fake, ie + 2, 2), 0x00c0);
    port_write(&d, 0, PX_SCTL, 0x301);
    port_write(&d, 0, PX_SCTL, 0x300);
    ck_assert_uint_eq(port_read(&d, 0, PX_SERR), 0x04010000);
    fake_store(&d.fake, is + 2, 1, 1); /* a byte of ones-clear does not touch the others */
    ck_assert_uint_eq(port_read(&d, 0, PX_SERR), 0x04000000);
    fake_store(&d.fake, DRIVER_ABAR + HBA_CAP, 0, 8);
    ck_assert_uint_eq(driver_read(&d, HBA_CAP), 0xc1241f05);
}
END_TEST

START_TEST(identify_device)
{
    const struct driver_command command = {.command = 0xec, .size = 512};
    uint8_t sum = 0;

    port_write(&d, 0, PX_IE, IS_PSS);
    driver_write(&d, HBA_GHC, 0x80000002);
    ck_assert_uint_eq(driver_run(&d, 0, &command), GOOD);
    ck_assert_uint_eq(port_read(&d, 0, PX_IS), IS_PSS);
    ck_assert(d.intx);
    ck_assert_uint_eq(driver_read(&d, HBA_IS), 1);
    driver_write(&d, HBA_IS, 1); /* still pending in the port */
    ck_assert_uint_eq(driver_read(&d, HBA_IS), 1);
    port_write(&d, 0, PX_IS, IS_PSS);
    driver_write(&d, HBA_IS, 1);
    ck_assert(!d.intx);
    ck_assert_uint_eq(pci_get32(ram(driver_list(0) + 4)), 512);
    ck_assert_uint_eq(ram(driver_fis(0) + 0x20)[0], 0x5f);
    ck_assert_uint_eq(ram(driver_fis(0) + 0x20)[2], 0x58);
    ck_assert_uint_eq(ram(driver_fis(0) + 0x20)[15], GOOD);
    ck_assert_uint_eq(pci_get16(ram(driver_fis(0) + 0x20 + 16)), 512);
    for (unsigned i = 0; i < 512; i++)
        sum += ram(DRIVER_DATA)[i];
    ck_assert_uint_eq(sum, 0);
    ck_assert_mem_eq(ram(DRIVER_DATA + 20), "MV0D000010          ", 20);
    ck_assert_mem_eq(ram(DRIVER_DATA + 54), "mvedksd si k", 12);
    ck_assert_uint_eq(word(60) | word(61) << 16, SECTORS);
    ck_assert_uint_eq(word(100), SECTORS);
    ck_assert_uint_eq(word(75), 31);
    ck_assert_uint_eq(word(83) & 0x0400, 0x0400);
    ck_assert_uint_eq(word(88), 0x207f);
}
END_TEST

/* A disk that has grown stays as it was until its link is reset. */
START_TEST(a_disk_that_grows)
{
    const struct driver_command identify = {.command = 0xec, .size = 512};
    const struct driver_command past = {.command = 0x25, .lba = SECTORS, .count = 8, .size = 4096};
    struct memory_file *file = memory_file_new(DISK_SIZE);
    struct image *image = driver_image(&d, file, false);

    ahci_attach_disk(d.ahci, 2, image, "VMD0000002");
    driver_start(&d, 2);
    ck_assert(image_resize(image, 2 * DISK_SIZE, 0, IMAGE_PREALLOCATION_OFF, NULL, NULL));
    ck_assert_uint_eq(driver_run(&d, 2, &identify), GOOD);
    ck_assert_uint_eq(word(100), SECTORS);
    ck_assert_uint_eq(driver_run(&d, 2, &past), 0x1051); /* IDNF */
    port_write(&d, 2, PX_CMD, 0x16);
    port_write(&d, 2, PX_SCTL, 0x301);
    port_write(&d, 2, PX_SCTL, 0x300);
    driver_start(&d, 2);
    ck_assert_uint_eq(driver_run(&d, 2, &identify), GOOD);
    ck_assert_uint_eq(word(100), 2 * SECTORS);
    ck_assert_uint_eq(driver_run(&d, 2, &past), GOOD);
    driver_finish(&d);
    driver_init(&d);
    memory_file_free(file);
}
END_TEST

START_TEST(identify_into_too_little_memory)
{
    const struct driver_command command = {.command = 0xec, .size = 100};

    memset(ram(DRIVER_DATA), 0xaa, 512);
    ck_assert_uint_eq(driver_run(&d, 0, &command), GOOD);
    ck_assert_uint_eq(port_read(&d, 0, PX_IS), IS_PSS | IS_OFS);
    ck_assert_uint_eq(ram(DRIVER_DATA)[100], 0xaa);
    ck_assert_uint_eq(pci_get32(ram(driver_list(0) + 4)), 100);
}
END_TEST

/* Each command that reads or writes, at its place in the disk. */
START_TEST(reads_and_writes)
{
    static const struct {
        uint8_t command;
        bool write, pio_in;
        uint64_t lba;
        unsigned count;
        uint8_t device;
    } cases[] = {
        {0xc8, false, false, 5, 3, 0x40},    {0xca, true, false, 7, 256, 0x40},
        {0x25, false, false, 4000, 9, 0x40}, {0x35, true, false, SECTORS - 4, 4, 0x40},
        {0x20, false, true, 11, 2, 0x40},    {0x30, true, false, 12, 2, 0x40},
        {0x24, false, true, 100, 1, 0x40},   {0x34, true, false, 101, 5, 0x40},
        {0xc4, false, true, 60, 10, 0x40},   {0xc5, true, false, 61, 16, 0x40},
        {0x29, false, true, 62, 20, 0x40},   {0x39, true, false, 63, 30, 0x40},
        {0x3d, true, false, 500, 2, 0x40},   {0xce, true, false, 510, 2, 0x40},
    };
    const struct driver_command multiple = {.command = 0xc6, .count = 8};

    ck_assert_uint_eq(driver_run(&d, 0, &multiple), GOOD);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint32_t size = cases[i].count * 512;
        uint8_t *on_disk = disk->data + cases[i].lba * 512;
        const struct driver_command command = {
            .command = cases[i].command,
            .lba = cases[i].lba,
            .count = cases[i].count,
            .device = cases[i].device,
            .size = size,
        };

        port_write(&d, 0, PX_IS, 0xffffffff);
        memset(ram(DRIVER_DATA), 0x40 + i, size);
        ck_assert_uint_eq(driver_run(&d, 0, &command), GOOD);
        ck_assert_mem_eq(on_disk, ram(DRIVER_DATA), size);
        ck_assert_uint_eq(*ram(DRIVER_DATA) == 0x40 + i, cases[i].write);
        ck_assert_uint_eq(port_read(&d, 0, PX_IS), cases[i].pio_in ? IS_PSS : IS_DHRS);
        ck_assert_uint_eq(pci_get32(ram(driver_list(0) + 4)), size);
    }
}
END_TEST

START_TEST(scattered_memory)
{
    static const uint32_t sizes[] = {2, 510, 1000, 24, 4098, 510};
    struct driver_command command = {.command = 0x25, .lba = 64, .count = 12};
    uint64_t address = DRIVER_DATA + 0x10002, at = 64 * 512;

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        driver_prd(&d, 0, 0, i, address + i * 0x3000, sizes[i]);
        command.prds++;
    }
    ck_assert_uint_eq(driver_run(&d, 0, &command), GOOD);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); at += sizes[i++]) {
        ck_assert_mem_eq(ram(address + i * 0x3000), disk->data + at, sizes[i]);
        ck_assert_uint_eq(ram(address + i * 0x3000)[sizes[i]], 0);
    }
}
END_TEST

/* The most PRDs there can be, each of two bytes and apart: one request becomes many. */
START_TEST(most_prds)
{
    enum { PRDS = 65535, COUNT = PRDS * 2 / 512 };
    uint64_t table = 0x100000, data = DRIVER_DATA;
    const struct driver_command command = {.command = 0x25, .lba = 1, .count = COUNT};
    uint8_t *header = ram(driver_list(0));

    driver_prepare(&d, 0, 0, &command);
    memcpy(ram(table), ram(driver_table(0, 0)), 0x80);
    pci_set32(header, 5 | (uint32_t)PRDS << 16);
    pci_set32(header + 8, table);
    for (unsigned i = 0; i < PRDS; i++) {
        uint8_t *prd = ram(table + 0x80 + i * 16);

        pci_set32(prd, data + i * 4);
        pci_set32(prd + 12, i == 0 ? 0x80000001 : 1);
    }
    port_write(&d, 0, PX_CI, 1);
    ck_assert(driver_wait(&d, 0, PX_CI, 1, 0));
    ck_assert_uint_eq(port_read(&d, 0, PX_TFD), GOOD);
    ck_assert_uint_eq(port_read(&d, 0, PX_IS), IS_DHRS | IS_DPS);
    for (unsigned i = 0; i < COUNT * 256; i++)
        ck_assert_mem_eq(ram(data + i * 4), disk->data + 512 + i * 2, 2);
    ck_assert_uint_gt(disk->calls[FILE_READ], COUNT * 256 / IMAGE_REQUEST_MAX_IOV);
}
END_TEST

START_TEST(memory_that_is_not_there)
{
    static const uint64_t bad[] = {DRIVER_RAM, DRIVER_RAM - 512, DRIVER_ABAR, UINT64_MAX - 1};
    const struct driver_command good = {.command = 0x25, .count = 2, .size = 1024};

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct driver_command command = good;

        command.data = bad[i];
        driver_run(&d, 0, &command);
        ck_assert_uint_eq(port_read(&d, 0, PX_IS), IS_HBFS);
        ck_assert_uint_eq(port_read(&d, 0, PX_CI), 1);
        driver_restart(&d, 0);
        ck_assert_uint_eq(port_read(&d, 0, PX_CI), 0);
        ck_assert_uint_eq(driver_run(&d, 0, &good), GOOD);
        port_write(&d, 0, PX_IS, 0xffffffff);
    }
    /* The table, the list, and where FIS are received. */
    driver_prepare(&d, 0, 0, &good);
    pci_set32(ram(driver_list(0) + 8), DRIVER_RAM);
    port_write(&d, 0, PX_CI, 1);
    ck_assert_uint_eq(port_read(&d, 0, PX_IS), IS_HBFS);
    driver_restart(&d, 0);
    port_write(&d, 0, PX_CLB, DRIVER_RAM);
    port_write(&d, 0, PX_CI, 1);
    ck_assert_uint_eq(port_read(&d, 0, PX_IS), IS_HBFS);
    port_write(&d, 0, PX_CLB, driver_list(0));
    driver_restart(&d, 0);
    port_write(&d, 0, PX_FB, DRIVER_RAM);
    driver_run(&d, 0, &good);
    ck_assert_uint_eq(port_read(&d, 0, PX_IS) & IS_HBFS, IS_HBFS);
    port_write(&d, 0, PX_FB, driver_fis(0));
    driver_restart(&d, 0);
    ck_assert_uint_eq(driver_run(&d, 0, &good), GOOD);
}
END_TEST

START_TEST(slots_that_hold_no_command)
{
    const struct driver_command command = {.command = 0x25, .count = 1, .size = 512};

    driver_prepare(&d, 0, 0, &command);
    *ram(driver_table(0, 0)) = 0x34;
    port_write(&d, 0, PX_CI, 1);
    ck_assert_uint_eq(port_read(&d, 0, PX_IS), IS_IFS);
    driver_restart(&d, 0);
    driver_prepare(&d, 0, 0, &command);
    *ram(driver_list(0)) = 0;
    port_write(&d, 0, PX_CI, 1);
    ck_assert_uint_eq(port_read(&d, 0, PX_IS), IS_IFS);
    driver_restart(&d, 0);
    ck_assert_uint_eq(driver_run(&d, 0, &command), GOOD);
}
END_TEST

START_TEST(refused_commands)
{
    static const struct {
        struct driver_command command;
        uint8_t error;
    } cases[] = {
        {{.command = 0x25, .lba = SECTORS, .count = 1, .size = 512}, 0x10},
        {{.command = 0x25, .lba = SECTORS - 1, .count = 2, .size = 1024}, 0x10},
        {{.command = 0x35, .lba = UINT64_C(0xffffffffffff), .count = 0, .size = 512}, 0x10},
        {{.command = 0xc8, .lba = 0, .count = 1, .device = 0xa0, .size = 512}, 0x04},
        {{.command = 0x25, .lba = 0, .count = 2, .size = 512}, 0x04}, /* too little memory */
        {{.command = 0xc4, .lba = 0, .count = 1, .size = 512}, 0x04}, /* no SET MULTIPLE MODE */
        {{.command = 0xc6, .count = 3}, 0x04},
        {{.command = 0xef, .features = 0x99}, 0x04},
        {{.command = 0x00}, 0x04},
        {{.command = 0xa0}, 0x04},
        {{.command = 0xa1, .size = 512}, 0x04},
        {{.command = 0x06, .features = 1, .count = 9, .size = 4608}, 0x04},
        {{.command = 0x06, .features = 2, .count = 1, .size = 512}, 0x04},
        {{.command = 0x2f, .lba = 0x30, .count = 1, .size = 512}, 0x04},
        {{.command = 0x42, .lba = SECTORS, .count = 1}, 0x10},
        {{.command = 0x60, .features = 1, .count = 5 << 3, .size = 512}, 0x04}, /* tag 5 */
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        ck_assert_uint_eq(driver_run(&d, 0, &cases[i].command), cases[i].error << 8 | 0x51);
        ck_assert_uint_eq(port_read(&d, 0, PX_IS) & ~IS_OFS, IS_TFES | IS_DHRS);
        ck_assert_uint_eq(port_read(&d, 0, PX_CI), 1);
        ck_assert_uint_eq(ram(driver_fis(0) + 0x40)[3], cases[i].error);
        driver_restart(&d, 0);
    }
    assert_disk_log("s");
}
END_TEST

START_TEST(errors_of_the_disk)
{
    const struct driver_command read = {.command = 0x25, .count = 1, .size = 512};
    const struct driver_command write = {.command = 0x35, .count = 1, .size = 512};
    const struct driver_command flush = {.command = 0xea};

    disk->fail_call[FILE_READ] = disk->fail_call[FILE_WRITE] = disk->fail_call[FILE_FLUSH] = 1;
    disk->fail_errno = EIO;
    ck_assert_uint_eq(driver_run(&d, 0, &read), 0x4051);
    driver_restart(&d, 0);
    disk->fail_errno = ENOSPC;
    ck_assert_uint_eq(driver_run(&d, 0, &write), 0x0451);
    driver_restart(&d, 0);
    ck_assert_uint_eq(driver_run(&d, 0, &flush), 0x0451);
    driver_restart(&d, 0);
    ck_assert_uint_eq(driver_run(&d, 0, &flush), GOOD);
}
END_TEST

START_TEST(a_disk_that_is_read_only)
{
    const struct driver_command read = {.command = 0x25, .count = 1, .size = 512};
    const struct driver_command write = {.command = 0x35, .count = 1, .size = 512};
    const struct driver_command flush = {.command = 0xe7};
    struct memory_file *file = driver_add_disk(&d, 2, 4096, true);

    driver_start(&d, 2);
    ck_assert_uint_eq(driver_run(&d, 2, &read), GOOD);
    ck_assert_uint_eq(driver_run(&d, 2, &write), 0x0451);
    driver_restart(&d, 2);
    ck_assert_uint_eq(driver_run(&d, 2, &flush), GOOD);
    teardown();
    memory_file_free(file);
    setup();
}
END_TEST

START_TEST(what_must_be_stable_is_flushed)
{
    const struct driver_command write = {.command = 0x35, .count = 1, .size = 512};
    const struct driver_command forced = {.command = 0x3d, .count = 1, .size = 512};
    const struct driver_command flush = {.command = 0xea};
    const struct driver_command cache_off = {.command = 0xef, .features = 0x82};
    const struct driver_command cache_on = {.command = 0xef, .features = 0x02};
    const struct driver_command queued = {.command = 0x61,
                                          .device = 0xc0,
                                          .features = 1,
                                          .size = 512};

    driver_run(&d, 0, &write);
    assert_disk_log("sw");
    driver_run(&d, 0, &flush);
    assert_disk_log("swf");
    driver_run(&d, 0, &forced);
    assert_disk_log("swfwf");
    driver_run(&d, 0, &cache_off);
    driver_run(&d, 0, &write);
    assert_disk_log("swfwffwf");
    driver_run(&d, 0, &cache_on);
    driver_issue(&d, 0, 0, &queued);
    ck_assert(driver_wait(&d, 0, PX_SACT, 1, 0));
    assert_disk_log("swfwffwfwf");
}
END_TEST

START_TEST(trim)
{
    const struct driver_command command = {.command = 0x06, .features = 1, .count = 1, .size = 512};
    uint8_t *ranges = ram(DRIVER_DATA);

    pci_set32(ranges, 8);
    pci_set32(ranges + 4, 16 << 16);
    pci_set32(ranges + 16, 100);
    pci_set32(ranges + 20, 1 << 16);
    ck_assert_uint_eq(driver_run(&d, 0, &command), GOOD);
    assert_disk_log("sdd");
    ck_assert_uint_eq(disk->data[8 * 512 + 1] | disk->data[24 * 512 - 1], 0);
    ck_assert_uint_ne(disk->data[24 * 512 + 1], 0);
    pci_set32(ranges + 16, SECTORS);
    ck_assert_uint_eq(driver_run(&d, 0, &command), 0x1051);
    assert_disk_log("sdd");
}
END_TEST

START_TEST(small_commands)
{
    const struct driver_command native = {.command = 0xf8}, native_ext = {.command = 0x27};
    const struct driver_command power = {.command = 0xe5}, standby = {.command = 0xe0};
    const struct driver_command mode = {.command = 0xef, .features = 3, .count = 0x46};
    const struct driver_command identify = {.command = 0xec, .size = 512};
    const uint8_t *fis = ram(driver_fis(0) + 0x40);

    ck_assert_uint_eq(driver_run(&d, 0, &native), GOOD);
    ck_assert_uint_eq(fis[4] | fis[5] << 8 | fis[6] << 16, SECTORS - 1);
    ck_assert_uint_eq(driver_run(&d, 0, &native_ext), GOOD);
    ck_assert_uint_eq(fis[4] | fis[5] << 8 | fis[6] << 16, SECTORS - 1);
    driver_run(&d, 0, &power);
    ck_assert_uint_eq(fis[12], 0xff);
    ck_assert_uint_eq(driver_run(&d, 0, &standby), GOOD);
    driver_run(&d, 0, &power);
    ck_assert_uint_eq(fis[12], 0x00);
    ck_assert_uint_eq(driver_run(&d, 0, &mode), GOOD);
    driver_run(&d, 0, &identify);
    ck_assert_uint_eq(word(88), 0x407f);
    ck_assert_uint_eq(word(63), 0x0007);
}
END_TEST

static void issue_queued(unsigned slots, bool write)
{
    for (unsigned i = 0; i < slots; i++) {
        const struct driver_command command = {
            .command = write ? 0x61 : 0x60,
            .features = 8,
            .count = i << 3,
            .lba = i * 8,
            .data = DRIVER_DATA + i * 4096,
            .size = 4096,
        };

        driver_issue(&d, 0, i, &command);
    }
}

START_TEST(thirty_two_queued_commands)
{
    memory_file_hold(disk);
    issue_queued(32, false);
    ck_assert_uint_eq(port_read(&d, 0, PX_CI), 0);
    ck_assert_uint_eq(port_read(&d, 0, PX_SACT), 0xffffffff);
    ck_assert_uint_eq(port_read(&d, 0, PX_IS), 0);
    ck_assert_uint_eq(port_read(&d, 0, PX_TFD), GOOD);
    memory_file_release(disk);
    ck_assert(driver_wait(&d, 0, PX_SACT, 0xffffffff, 0));
    ck_assert_uint_eq(port_read(&d, 0, PX_IS), IS_SDBS);
    ck_assert_uint_eq(port_read(&d, 0, PX_TFD), GOOD);
    ck_assert_uint_eq(ram(driver_fis(0) + 0x58)[0], 0xa1);
    ck_assert_mem_eq(ram(DRIVER_DATA), disk->data, 32 * 4096);
    issue_queued(32, true);
    ck_assert(driver_wait(&d, 0, PX_SACT, 0xffffffff, 0));
    ck_assert(ahci_drain(d.ahci, 0));
}
END_TEST

START_TEST(a_queued_command_that_fails)
{
    const struct driver_command read = {.command = 0x25, .count = 1, .size = 512};
    const struct driver_command log = {
        .command = 0x2f, .lba = 0x10, .count = 1, .data = DRIVER_DATA + 0x40000, .size = 512};
    const uint8_t *page = ram(DRIVER_DATA + 0x40000);
    unsigned tag;
    uint8_t sum = 0;

    disk->fail_call[FILE_READ] = 3;
    disk->fail_errno = EIO;
    memory_file_hold(disk);
    issue_queued(8, false);
    memory_file_release(disk);
    ck_assert(driver_wait(&d, 0, PX_IS, IS_TFES, IS_TFES));
    ck_assert_uint_eq(port_read(&d, 0, PX_TFD), 0x4051);
    ck_assert_uint_ne(port_read(&d, 0, PX_SACT), 0);
    driver_restart(&d, 0);
    ck_assert_uint_eq(port_read(&d, 0, PX_SACT), 0);
    ck_assert_uint_eq(driver_run(&d, 0, &read), 0x0451); /* the log first */
    driver_restart(&d, 0);
    ck_assert_uint_eq(driver_run(&d, 0, &log), GOOD);
    tag = page[0];
    ck_assert_uint_lt(tag, 8);
    ck_assert_uint_eq(page[2], 0x51);
    ck_assert_uint_eq(page[3], 0x40);
    ck_assert_uint_eq(page[4], tag * 8);
    for (unsigned i = 0; i < 512; i++)
        sum += page[i];
    ck_assert_uint_eq(sum, 0);
    ck_assert_uint_eq(driver_run(&d, 0, &read), GOOD);
}
END_TEST

START_TEST(an_unqueued_command_among_queued_ones)
{
    const struct driver_command read = {.command = 0x25,
                                        .count = 1,
                                        .data = DRIVER_DATA + 0x40000,
                                        .size = 512};
    const struct driver_command log = {
        .command = 0x2f, .lba = 0x10, .count = 1, .data = DRIVER_DATA + 0x40000, .size = 512};

    memory_file_hold(disk);
    issue_queued(4, false);
    driver_issue(&d, 0, 9, &read);
    ck_assert_uint_eq(port_read(&d, 0, PX_TFD), 0x0451);
    ck_assert_uint_eq(port_read(&d, 0, PX_IS) & IS_TFES, IS_TFES);
    ck_assert_uint_eq(port_read(&d, 0, PX_CI), 1 << 9);
    memory_file_release(disk);
    driver_restart(&d, 0);
    ck_assert_uint_eq(driver_run(&d, 0, &log), GOOD);
    ck_assert_uint_eq(ram(DRIVER_DATA + 0x40000)[0], 0x80);
}
END_TEST

START_TEST(unqueued_commands_run_one_by_one)
{
    memory_file_hold(disk);
    for (unsigned i = 0; i < 32; i++) {
        const struct driver_command command = {
            .command = 0x25, .count = 1, .lba = i, .data = DRIVER_DATA + i * 512, .size = 512};

        driver_prepare(&d, 0, i, &command);
    }
    port_write(&d, 0, PX_CI, 0xffffffff);
    ck_assert_uint_eq(port_read(&d, 0, PX_CI), 0xffffffff);
    ck_assert_uint_eq(port_read(&d, 0, PX_TFD), 0x80);
    memory_file_release(disk);
    ck_assert(driver_wait(&d, 0, PX_CI, 0xffffffff, 0));
    ck_assert_mem_eq(ram(DRIVER_DATA), disk->data, 32 * 512);
}
END_TEST

static void start_held_read(void)
{
    const struct driver_command read = {.command = 0x25, .count = 8, .size = 4096};

    memset(ram(DRIVER_DATA), 0xcc, 4096);
    memory_file_hold(disk);
    driver_issue(&d, 0, 0, &read);
}

START_TEST(stopping_with_a_command_in_flight)
{
    const struct driver_command identify = {.command = 0xec,
                                            .data = DRIVER_DATA + 0x10000,
                                            .size = 512};

    start_held_read();
    port_write(&d, 0, PX_CMD, CMD_FRE);
    ck_assert_uint_eq(port_read(&d, 0, PX_CI), 0);
    ck_assert_uint_eq(port_read(&d, 0, PX_CMD) & CMD_CR, CMD_CR); /* its memory is still in use */
    /* Starting too early holds the new command back. */
    port_write(&d, 0, PX_CMD, CMD_FRE | CMD_ST);
    driver_issue(&d, 0, 1, &identify);
    ck_assert_uint_eq(port_read(&d, 0, PX_CI), 2);
    memory_file_release(disk);
    ck_assert(driver_wait(&d, 0, PX_CI, 2, 0));
    ck_assert_uint_eq(port_read(&d, 0, PX_IS), IS_PSS);
    port_write(&d, 0, PX_CMD, CMD_FRE);
    ck_assert_uint_eq(port_read(&d, 0, PX_CMD) & CMD_CR, 0);
}
END_TEST

START_TEST(comreset_with_a_command_in_flight)
{
    const struct driver_command identify = {.command = 0xec, .size = 512};

    start_held_read();
    port_write(&d, 0, PX_SCTL, 0x301);
    ck_assert_uint_eq(port_read(&d, 0, PX_SSTS), 0);
    ck_assert_uint_eq(port_read(&d, 0, PX_TFD), 0x7f);
    port_write(&d, 0, PX_SCTL, 0x300);
    ck_assert_uint_eq(port_read(&d, 0, PX_SSTS), 0);
    memory_file_release(disk);
    ck_assert(driver_wait(&d, 0, PX_SSTS, 0xf, 3));
    ck_assert_uint_eq(port_read(&d, 0, PX_TFD), 0x150);
    ck_assert_uint_eq(ram(driver_fis(0) + 0x40)[0], 0x34);
    driver_restart(&d, 0);
    ck_assert_uint_eq(driver_run(&d, 0, &identify), GOOD);
}
END_TEST

START_TEST(controller_reset_with_a_command_in_flight)
{
    const struct driver_command identify = {.command = 0xec, .size = 512};

    port_write(&d, 0, PX_IE, 0xffffffff);
    driver_write(&d, HBA_GHC, 0x80000002);
    start_held_read();
    driver_write(&d, HBA_GHC, 0x80000001);
    ck_assert_uint_eq(driver_read(&d, HBA_GHC), 0x80000001);
    port_write(&d, 0, PX_IE, 0xff); /* goes nowhere */
    memory_file_release(disk);
    ck_assert(driver_wait(&d, 0, PX_SSTS, 0xf, 3));
    ck_assert_uint_eq(driver_read(&d, HBA_GHC), 0x80000000);
    ck_assert_uint_eq(port_read(&d, 0, PX_IE), 0);
    ck_assert_uint_eq(port_read(&d, 0, PX_CMD), 6);
    ck_assert_uint_eq(port_read(&d, 0, PX_CLB), driver_list(0));
    driver_start(&d, 0);
    ck_assert_uint_eq(driver_run(&d, 0, &identify), GOOD);
}
END_TEST

START_TEST(machine_reset_after_draining)
{
    start_held_read();
    ck_assert(!ahci_drain(d.ahci, 10));
    memory_file_release(disk);
    ck_assert(ahci_drain(d.ahci, 5000));
    ck_assert_mem_eq(ram(DRIVER_DATA), disk->data, 4096);
    fake_board_reset(&d.fake);
    ck_assert_uint_eq(driver_read(&d, HBA_CAP), 0xffffffff); /* the BAR is gone */
}
END_TEST

static void *release_later(void *opaque)
{
    g_usleep(20 * 1000);
    memory_file_release(opaque);
    return NULL;
}

START_TEST(destruction_waits)
{
    GThread *thread;

    start_held_read();
    thread = g_thread_new("release", release_later, disk);
    driver_finish(&d);
    g_thread_join(thread);
    ck_assert_str_eq(disk->log->str, "srfc");
    memory_file_free(disk);
    setup();
}
END_TEST

START_TEST(soft_reset)
{
    uint8_t *fis = ram(driver_table(0, 0));
    const struct driver_command any = {.command = 0};

    driver_prepare(&d, 0, 0, &any);
    fis[1] = 0;
    fis[15] = 4;
    port_write(&d, 0, PX_CI, 1);
    ck_assert_uint_eq(port_read(&d, 0, PX_CI), 0);
    ck_assert_uint_eq(port_read(&d, 0, PX_TFD), 0x80);
    fis[15] = 0;
    port_write(&d, 0, PX_CI, 1);
    ck_assert_uint_eq(port_read(&d, 0, PX_TFD), 0x150);
    ck_assert_uint_eq(ram(driver_fis(0) + 0x40)[12], 1);
    ck_assert_uint_eq(port_read(&d, 0, PX_IS), 0);
}
END_TEST

START_TEST(each_port_that_starts_to_wait_sends_a_message)
{
    const struct driver_command flush = {.command = 0xe5};
    struct memory_file *second = driver_add_disk(&d, 1, 4096, false);
    struct pci_bus *pci = d.fake.board.pci;
    unsigned msi = pci_bus_config_read(pci, 0, DRIVER_DEVFN, PCI_CAPABILITY_LIST, 1);

    pci_bus_config_write(pci, 0, DRIVER_DEVFN, msi + 2, 1, 2);
    driver_start(&d, 1);
    driver_write(&d, HBA_GHC, 0x80000002);
    for (unsigned port = 0; port < 2; port++) {
        port_write(&d, port, PX_IE, IS_DHRS);
        driver_run(&d, port, &flush);
        ck_assert_uint_eq(d.msis, port + 1);
    }
    ck_assert_uint_eq(d.intx_rises, 0);
    /* A handler that looked at port 0 only and leaves port 1 for later. */
    port_write(&d, 0, PX_IS, IS_DHRS);
    driver_run(&d, 0, &flush);
    ck_assert_uint_eq(d.msis, 2);
    driver_write(&d, HBA_IS, 1);
    ck_assert_uint_eq(d.msis, 3);
    teardown();
    memory_file_free(second);
    setup();
}
END_TEST

START_TEST(no_memory_access_unless_bus_master)
{
    struct pci_bus *pci = d.fake.board.pci;
    const struct driver_command identify = {.command = 0xec, .size = 512};

    pci_bus_config_write(pci, 0, DRIVER_DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    driver_issue(&d, 0, 0, &identify);
    ck_assert_uint_eq(port_read(&d, 0, PX_CI), 1);
    pci_bus_config_write(pci, 0, DRIVER_DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
                         2);
    ck_assert_uint_eq(port_read(&d, 0, PX_CI), 0);
    ck_assert_uint_eq(word(0), 0x0040);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        controller_shows_what_it_is,
        ports_show_what_they_hold,
        narrow_accesses_reach_their_bytes,
        identify_device,
        a_disk_that_grows,
        identify_into_too_little_memory,
        reads_and_writes,
        scattered_memory,
        most_prds,
        memory_that_is_not_there,
        slots_that_hold_no_command,
        refused_commands,
        errors_of_the_disk,
        a_disk_that_is_read_only,
        what_must_be_stable_is_flushed,
        trim,
        small_commands,
        thirty_two_queued_commands,
        a_queued_command_that_fails,
        an_unqueued_command_among_queued_ones,
        unqueued_commands_run_one_by_one,
        stopping_with_a_command_in_flight,
        comreset_with_a_command_in_flight,
        controller_reset_with_a_command_in_flight,
        machine_reset_after_draining,
        destruction_waits,
        soft_reset,
        each_port_that_starts_to_wait_sends_a_message,
        no_memory_access_unless_bus_master,
    };
    Suite *suite = suite_create("ahci");
    TCase *tc = tcase_create("ahci");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
        tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
