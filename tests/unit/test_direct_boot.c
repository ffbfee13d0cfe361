/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Direct boot: what becomes of good kernels, and that bad ones are refused with the reason. */
#include <check.h>
#include <elf.h>
#include <string.h>

#include "core/error.h"
#include "engine/dev/fw_cfg.h"
#include "engine/machine/direct_boot.h"
#include "engine/machine/direct_boot_internal.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

#define LOW_RAM (UINT64_C(128) << 20)
#define KERNEL_SIZE 8192

static struct boot_plan plan;
static GError *error;

static void setup(void)
{
    memset(&plan, 0, sizeof(plan));
    error = NULL;
}

static void teardown(void)
{
    boot_plan_finish(&plan);
    g_clear_error(&error);
}

/* A bzImage of protocol 2.10: 4 setup sectors, and a body of what is left. */
static uint8_t *make_linux(void)
{
    uint8_t *k = g_malloc0(KERNEL_SIZE);

    k[0x1f1] = 4;
    boot_set32(k + 0x1f4, (KERNEL_SIZE - 5 * 512) / 16);
    boot_set16(k + 0x1fe, 0xaa55);
    memcpy(k + 0x202, "HdrS", 4);
    boot_set16(k + 0x206, 0x20a);
    k[0x211] = 1;
    boot_set32(k + 0x22c, 0x7fffffff);
    boot_set32(k + 0x238, 2047);
    boot_set32(k + 0x258, 0x1000000);
    boot_set32(k + 0x260, 0x200000);
    return k;
}

static bool plan_linux(uint8_t *kernel, gsize size, const char *cmdline, gsize initrd_size,
                       uint64_t low_ram)
{
    g_autoptr(GBytes) bytes = g_bytes_new_take(kernel, size);
    g_autoptr(GBytes) initrd =
        initrd_size > 0 ? g_bytes_new_take(g_malloc0(initrd_size), initrd_size) : NULL;
    struct boot_input input = {
        .name = "vmlinuz",
        .kernel = bytes,
        .cmdline = cmdline,
        .initrd = initrd,
        .low_ram = low_ram,
    };

    return linux_is_kernel(bytes) && linux_plan(&plan, &input, &error);
}

START_TEST(linux_setup)
{
    ck_assert(plan_linux(make_linux(), KERNEL_SIZE, "quiet vga=0x317", 5000, LOW_RAM));
    gsize size;
    const uint8_t *s = g_bytes_get_data(plan.setup.bytes, &size);

    ck_assert_uint_eq(size, 5 * 512);
    ck_assert_uint_eq(g_bytes_get_size(plan.kernel.bytes), KERNEL_SIZE - 5 * 512);
    ck_assert_uint_eq(plan.kernel.address, 0x100000);
    ck_assert_uint_eq(plan.entry << 4, plan.setup.address);
    ck_assert_uint_eq(s[0x210], 0xff);
    ck_assert_uint_eq(s[0x211], 0x81);
    ck_assert_uint_eq(boot_get16(s + 0x1fa), 0x317);
    ck_assert_uint_eq(boot_get32(s + 0x228), plan.cmdline.address);
    ck_assert_str_eq(g_bytes_get_data(plan.cmdline.bytes, NULL), "quiet vga=0x317");
    ck_assert_uint_eq(boot_get32(s + 0x218), plan.initrd.address);
    ck_assert_uint_eq(boot_get32(s + 0x21c), 5000);
    /* At a page, above what the kernel unpacks to, below what the firmware keeps. */
    ck_assert_uint_eq(plan.initrd.address % 4096, 0);
    ck_assert_uint_ge(plan.initrd.address, 0x1200000);
    ck_assert_uint_le(plan.initrd.address + 5000, LOW_RAM - BOOT_HIGH_RESERVE);
}
END_TEST

START_TEST(linux_initrd_below_its_limit)
{
    uint8_t *k = make_linux();

    boot_set32(k + 0x22c, 0x3ffffff);
    ck_assert(plan_linux(k, KERNEL_SIZE, "", 5000, LOW_RAM));
    ck_assert_uint_eq(plan.initrd.address, 0x4000000 - 8192);
}
END_TEST

START_TEST(linux_video_modes)
{
    static const struct {
        const char *cmdline;
        uint16_t mode;
    } modes[] = {
        {"", 0xffff},     {"vga=ask", 0xfffd},   {"a vga=ext b", 0xfffe}, {"vga=normal", 0xffff},
        {"vga=788", 788}, {"novga=788", 0xffff}, {"novga=1 vga=2", 2},    {"vga=", 0xffff},
    };

    ck_assert(plan_linux(make_linux(), KERNEL_SIZE, modes[_i].cmdline, 0, LOW_RAM));
    const uint8_t *s = g_bytes_get_data(plan.setup.bytes, NULL);
    ck_assert_uint_eq(boot_get16(s + 0x1fa), modes[_i].mode);
}
END_TEST

static void old_protocol(uint8_t *k)
{
    boot_set16(k + 0x206, 0x201);
}

static void low_image(uint8_t *k)
{
    k[0x211] = 0;
}

static void too_much_setup(uint8_t *k)
{
    k[0x1f1] = 255;
}

static void longer_than_the_file(uint8_t *k)
{
    boot_set32(k + 0x1f4, UINT32_MAX);
}

static void far_above(uint8_t *k)
{
    boot_set32(k + 0x25c, 0xffffffff);
}

static void huge_init_size(uint8_t *k)
{
    boot_set32(k + 0x260, UINT32_MAX);
}

static const struct {
    void (*damage)(uint8_t *kernel);
    const char *message;
} bad_linux[] = {
    {old_protocol, "boot protocol 2.01"}, {low_image, "zImage"},
    {too_much_setup, "setup sectors"},    {longer_than_the_file, "cut short"},
    {far_above, "above 4 GiB"},           {huge_init_size, "of memory"},
};

START_TEST(linux_damaged)
{
    uint8_t *k = make_linux();

    bad_linux[_i].damage(k);
    ck_assert(!plan_linux(k, KERNEL_SIZE, "", 0, LOW_RAM));
    ck_assert_ptr_nonnull(strstr(error->message, bad_linux[_i].message));
    ck_assert_ptr_nonnull(strstr(error->message, "vmlinuz"));
    ck_assert_ptr_null(plan.setup.bytes);
}
END_TEST

/* Cut anywhere, a kernel is refused and nothing is read behind its end. */
START_TEST(linux_truncated)
{
    for (gsize size = 0; size < KERNEL_SIZE - 16; size += 7) {
        uint8_t *whole = make_linux();
        uint8_t *cut = g_memdup2(whole, MAX(size, 1));

        g_free(whole);
        ck_assert(!plan_linux(cut, size, "", 0, LOW_RAM));
        g_clear_error(&error);
    }
}
END_TEST

START_TEST(linux_too_much)
{
    g_autofree char *cmdline = g_strnfill(2048, 'x');

    ck_assert(!plan_linux(make_linux(), KERNEL_SIZE, cmdline, 0, LOW_RAM));
    ck_assert_ptr_nonnull(strstr(error->message, "command line"));
    g_clear_error(&error);
    ck_assert(!plan_linux(make_linux(), KERNEL_SIZE, "", 120 << 20, LOW_RAM));
    ck_assert_ptr_nonnull(strstr(error->message, "initrd"));
    g_clear_error(&error);
    ck_assert(!plan_linux(make_linux(), KERNEL_SIZE, "", 0, 1 << 20));
    ck_assert_ptr_nonnull(strstr(error->message, "of memory"));
}
END_TEST

/* A multiboot kernel: ELF header, two segments, the header at 0x100. */
#define ELF_FILE_SIZE 0x3000
#define SEGMENT(k, i) ((Elf32_Phdr *)((k) + 52) + (i))

static void set_header(uint8_t *at, uint32_t flags)
{
    boot_set32(at, 0x1badb002);
    boot_set32(at + 4, flags);
    boot_set32(at + 8, -(0x1badb002 + flags));
}

static uint8_t *make_elf(void)
{
    uint8_t *k = g_malloc0(ELF_FILE_SIZE);
    Elf32_Ehdr header = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_386,
        .e_entry = 0xc0100010,
        .e_phoff = 52,
        .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = 2,
    };

    memcpy(k, &header, sizeof(header));
    set_header(k + 0x100, 3);
    *SEGMENT(k, 0) = (Elf32_Phdr){
        .p_type = PT_LOAD,
        .p_offset = 0x1000,
        .p_vaddr = 0xc0100000,
        .p_paddr = 0x100000,
        .p_filesz = 0x1000,
        .p_memsz = 0x1000,
    };
    *SEGMENT(k, 1) = (Elf32_Phdr){
        .p_type = PT_LOAD,
        .p_offset = 0x2000,
        .p_vaddr = 0xc0102000,
        .p_paddr = 0x102000,
        .p_filesz = 0x1000,
        .p_memsz = 0x3000,
    };
    memset(k + 0x1000, 'c', 0x1000);
    memset(k + 0x2000, 'd', 0x1000);
    return k;
}

static bool plan_multiboot(uint8_t *kernel, gsize size, const struct boot_module *modules,
                           unsigned module_count, uint64_t low_ram)
{
    g_autoptr(GBytes) bytes = g_bytes_new_take(kernel, size);
    struct boot_input input = {
        .name = "kernel.elf",
        .kernel = bytes,
        .cmdline = "one two",
        .modules = modules,
        .module_count = module_count,
        .low_ram = low_ram,
    };

    return multiboot_is_kernel(bytes) && multiboot_plan(&plan, &input, &error);
}

START_TEST(multiboot_elf)
{
    ck_assert(plan_multiboot(make_elf(), ELF_FILE_SIZE, NULL, 0, LOW_RAM));
    gsize size;
    const uint8_t *image = g_bytes_get_data(plan.kernel.bytes, &size);

    ck_assert_uint_eq(plan.kernel.address, 0x100000);
    ck_assert_uint_eq(size, 0x5000);
    ck_assert_uint_eq(plan.entry, 0x100010);
    ck_assert_int_eq(image[0xfff], 'c');
    ck_assert_int_eq(image[0x1000], 0);
    ck_assert_int_eq(image[0x2fff], 'd');
    ck_assert_int_eq(image[0x3000], 0);

    const uint8_t *info = g_bytes_get_data(plan.setup.bytes, &size);
    ck_assert_uint_eq(plan.argument, plan.setup.address);
    ck_assert_str_eq((const char *)info + boot_get32(info + 16) - plan.argument,
                     "kernel.elf one two");
}
END_TEST

START_TEST(multiboot_modules)
{
    struct boot_module modules[] = {
        {"first a b", g_bytes_new_static("1", 1)},
        {"empty", g_bytes_new_static("", 0)},
        {"third", g_bytes_new_static("333", 3)},
    };

    ck_assert(plan_multiboot(make_elf(), ELF_FILE_SIZE, modules, 3, LOW_RAM));
    const uint8_t *info = g_bytes_get_data(plan.setup.bytes, NULL);
    const uint8_t *memory = g_bytes_get_data(plan.initrd.bytes, NULL);
    const uint8_t *list = info + boot_get32(info + 24) - plan.argument;
    ck_assert_uint_eq(boot_get32(info + 20), 3);
    ck_assert_uint_ge(plan.initrd.address, 0x105000);
    for (unsigned i = 0; i < 3; i++, list += 16) {
        gsize size;
        const void *content = g_bytes_get_data(modules[i].bytes, &size);

        ck_assert_uint_eq(boot_get32(list) % 4096, 0);
        ck_assert_uint_eq(boot_get32(list + 4) - boot_get32(list), size);
        if (size > 0)
            ck_assert_mem_eq(memory + boot_get32(list) - plan.initrd.address, content, size);
        ck_assert_str_eq((const char *)info + boot_get32(list + 8) - plan.argument,
                         modules[i].words);
        g_bytes_unref(modules[i].bytes);
    }
}
END_TEST

static void segment_behind_the_file(uint8_t *k)
{
    SEGMENT(k, 1)->p_offset = 0x2001;
}

static void segment_offset_wraps(uint8_t *k)
{
    SEGMENT(k, 1)->p_offset = 0xfffff000;
    SEGMENT(k, 1)->p_filesz = 0x2000;
}

static void file_larger_than_memory(uint8_t *k)
{
    SEGMENT(k, 1)->p_memsz = 0xfff;
}

static void below_1_mib(uint8_t *k)
{
    SEGMENT(k, 0)->p_paddr = 0x7c00;
}

static void above_ram(uint8_t *k)
{
    SEGMENT(k, 1)->p_paddr = 0xfffff000;
}

static void huge_bss(uint8_t *k)
{
    SEGMENT(k, 1)->p_memsz = 0xffffffff;
}

static void entry_outside(uint8_t *k)
{
    ((Elf32_Ehdr *)k)->e_entry = 0xc0101000;
}

static void headers_behind_the_file(uint8_t *k)
{
    ((Elf32_Ehdr *)k)->e_phoff = ELF_FILE_SIZE - 32;
}

static void header_offset_wraps(uint8_t *k)
{
    ((Elf32_Ehdr *)k)->e_phoff = 0xffffffe0;
}

static void many_headers(uint8_t *k)
{
    ((Elf32_Ehdr *)k)->e_phnum = 0xffff;
}

static void header_size(uint8_t *k)
{
    ((Elf32_Ehdr *)k)->e_phentsize = 1;
}

static void no_segments(uint8_t *k)
{
    ((Elf32_Ehdr *)k)->e_phnum = 0;
}

static void elf64(uint8_t *k)
{
    k[EI_CLASS] = ELFCLASS64;
}

static void not_elf(uint8_t *k)
{
    k[0] = 0;
}

static void unknown_flags(uint8_t *k)
{
    set_header(k + 0x100, 3 | 1 << 9);
}

static const struct {
    void (*damage)(uint8_t *kernel);
    const char *message;
} bad_elf[] = {
    {segment_behind_the_file, "past its end"},
    {segment_offset_wraps, "past its end"},
    {file_larger_than_memory, "larger in the file"},
    {below_1_mib, "below 1 MiB"},
    {above_ram, "needs memory up to"},
    {huge_bss, "needs memory up to"},
    {entry_outside, "entry outside"},
    {headers_behind_the_file, "program headers outside"},
    {header_offset_wraps, "program headers outside"},
    {many_headers, "program headers outside"},
    {header_size, "program headers outside"},
    {no_segments, "entry outside"},
    {elf64, "32-bit"},
    {not_elf, "neither ELF"},
    {unknown_flags, "flags 0x200"},
};

START_TEST(multiboot_damaged)
{
    uint8_t *k = make_elf();

    bad_elf[_i].damage(k);
    ck_assert(!plan_multiboot(k, ELF_FILE_SIZE, NULL, 0, LOW_RAM));
    ck_assert_ptr_nonnull(strstr(error->message, bad_elf[_i].message));
    ck_assert_ptr_nonnull(strstr(error->message, "kernel.elf"));
    ck_assert_ptr_null(plan.kernel.bytes);
}
END_TEST

START_TEST(multiboot_needs_memory)
{
    GBytes *large = g_bytes_new_take(g_malloc0(8 << 20), 8 << 20);
    struct boot_module module = {"large", large};

    ck_assert(!plan_multiboot(make_elf(), ELF_FILE_SIZE, NULL, 0, 1 << 20));
    g_clear_error(&error);
    ck_assert(!plan_multiboot(make_elf(), ELF_FILE_SIZE, &module, 1, 8 << 20));
    ck_assert_ptr_nonnull(strstr(error->message, "modules need 11 MiB"));
    g_bytes_unref(large);
}
END_TEST

/* A flat kernel: load addresses in the header instead of ELF. */
#define FLAT_SIZE 0x800
#define FLAT_HEADER 0x40

static uint8_t *make_flat(uint32_t header, uint32_t load, uint32_t load_end, uint32_t bss_end,
                          uint32_t entry)
{
    uint8_t *k = g_malloc0(FLAT_SIZE);

    set_header(k + FLAT_HEADER, 1 << 16);
    boot_set32(k + FLAT_HEADER + 12, header);
    boot_set32(k + FLAT_HEADER + 16, load);
    boot_set32(k + FLAT_HEADER + 20, load_end);
    boot_set32(k + FLAT_HEADER + 24, bss_end);
    boot_set32(k + FLAT_HEADER + 28, entry);
    k[0x30] = 'f';
    return k;
}

START_TEST(multiboot_flat)
{
    /* Loads from 0x30 in the file. */
    ck_assert(plan_multiboot(make_flat(0x200010, 0x200000, 0x200400, 0x201000, 0x200020), FLAT_SIZE,
                             NULL, 0, LOW_RAM));
    ck_assert_uint_eq(plan.kernel.address, 0x200000);
    ck_assert_uint_eq(g_bytes_get_size(plan.kernel.bytes), 0x1000);
    ck_assert_int_eq(*(const char *)g_bytes_get_data(plan.kernel.bytes, NULL), 'f');
    ck_assert_uint_eq(plan.entry, 0x200020);
    boot_plan_finish(&plan);

    /* Without ends: all of the file, no bss. */
    ck_assert(
        plan_multiboot(make_flat(0x200040, 0x200000, 0, 0, 0x200000), FLAT_SIZE, NULL, 0, LOW_RAM));
    ck_assert_uint_eq(g_bytes_get_size(plan.kernel.bytes), FLAT_SIZE);
}
END_TEST

static const struct {
    uint32_t header, load, load_end, bss_end, entry;
} bad_flat[] = {
    {0x200041, 0x200000, 0, 0, 0x200000},                 /* begins before the file */
    {0x1fffff, 0x200000, 0, 0, 0x200000},                 /* header before the start */
    {0x200040, 0x200000, 0x200801, 0, 0x200000},          /* ends behind the file */
    {0x200040, 0x200000, 0x1fffff, 0, 0x200000},          /* ends before it starts */
    {0x200040, 0x200000, 0x200000, 0, 0x200000},          /* is empty */
    {0x200040, 0x200000, 0x200800, 0x2007ff, 0x200000},   /* bss before the data's end */
    {0x200040, 0x200000, 0x200800, 0xffffffff, 0x200000}, /* bss over all memory */
    {0x200040, 0x200000, 0, 0, 0x200800},                 /* entry at the end */
    {0x200040, 0x200000, 0, 0, 0},                        /* entry before it */
    {0xfffff040, 0xfffff000, 0, 0, 0xfffff000},           /* above RAM */
};

START_TEST(multiboot_flat_damaged)
{
    ck_assert(
        !plan_multiboot(make_flat(bad_flat[_i].header, bad_flat[_i].load, bad_flat[_i].load_end,
                                  bad_flat[_i].bss_end, bad_flat[_i].entry),
                        FLAT_SIZE, NULL, 0, LOW_RAM));
    ck_assert_ptr_nonnull(error);
}
END_TEST

/* From files to fw_cfg. */
static char *folder;
static struct board board;
static struct fw_cfg *fw_cfg;

static void setup_files(void)
{
    setup();
    folder = temp_folder_new();
    board_init(&board, NULL);
    fw_cfg = fw_cfg_new(&board);
}

static void teardown_files(void)
{
    board_finish(&board);
    temp_folder_remove(folder);
    teardown();
}

static void write_bytes(const char *name, uint8_t *data, gsize size)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);

    ck_assert(g_file_set_contents(path, (const char *)data, size, NULL));
    g_free(data);
}

static uint32_t read_number(uint16_t key)
{
    uint32_t value = 0;

    pio_bus_write(board.pio, 0x510, key, 2);
    for (unsigned i = 0; i < 4; i++)
        value |= pio_bus_read(board.pio, 0x511, 1) << 8 * i;
    return value;
}

static bool prepare(const char *kernel, const char *initrd, bool uefi)
{
    struct direct_boot boot = {
        .folder = folder,
        .kernel = kernel,
        .initrd = initrd,
        .low_ram = LOW_RAM,
        .uefi = uefi,
    };

    return direct_boot_prepare(fw_cfg, &boot, &error);
}

START_TEST(keys_and_rom)
{
    uint8_t rom[2048], total = 0;

    write_bytes("vmlinuz", make_linux(), KERNEL_SIZE);
    temp_folder_write(folder, "initrd", "hello");
    ck_assert(prepare("vmlinuz", "initrd", false));
    ck_assert_uint_eq(read_number(FW_CFG_SETUP_SIZE), 5 * 512);
    ck_assert_uint_eq(read_number(FW_CFG_KERNEL_SIZE), KERNEL_SIZE - 5 * 512);
    ck_assert_uint_eq(read_number(FW_CFG_KERNEL_ADDR), 0x100000);
    ck_assert_uint_eq(read_number(FW_CFG_CMDLINE_SIZE), 1);
    ck_assert_uint_eq(read_number(FW_CFG_INITRD_SIZE), 5);
    ck_assert_uint_eq(read_number(FW_CFG_INITRD_DATA), 0x6c6c6568);

    pio_bus_write(board.pio, 0x510, FW_CFG_FILE_FIRST, 2);
    for (unsigned i = 0; i < sizeof(rom); i++)
        rom[i] = pio_bus_read(board.pio, 0x511, 1);
    ck_assert_uint_eq(boot_get16(rom), 0xaa55);
    ck_assert_uint_gt(rom[2], 0);
    ck_assert_uint_le(rom[2] * 512u, sizeof(rom));
    for (unsigned i = 0; i < rom[2] * 512u; i++)
        total += rom[i];
    ck_assert_uint_eq(total, 0);
    const uint8_t *pnp = rom + boot_get16(rom + 0x1a);
    ck_assert_mem_eq(pnp, "$PnP", 4);
    total = 0;
    for (unsigned i = 0; i < 32; i++)
        total += pnp[i];
    ck_assert_uint_eq(total, 0);
}
END_TEST

START_TEST(multiboot_files)
{
    write_bytes("kernel.elf", make_elf(), ELF_FILE_SIZE);
    temp_folder_write(folder, "one", "1");
    temp_folder_write(folder, "two", "22");
    ck_assert(prepare("kernel.elf", "one with words, two", false));
    ck_assert_uint_eq(read_number(FW_CFG_INITRD_SIZE), 4096 + 2);
}
END_TEST

START_TEST(bad_module_lists)
{
    static const struct {
        const char *list, *message;
    } lists[] = {
        {"one,", "empty entry"},
        {",one", "empty entry"},
        {"missing words", "missing"},
        {"one,one,one,one,one,one,one,one,one,one,one,one,one,one,one,one,one,one,one,one,one,one,"
         "one,one,one,one,one,one,one,one,one,one,one",
         "more than 32"},
    };

    write_bytes("kernel.elf", make_elf(), ELF_FILE_SIZE);
    temp_folder_write(folder, "one", "1");
    ck_assert(!prepare("kernel.elf", lists[_i].list, false));
    ck_assert_ptr_nonnull(strstr(error->message, lists[_i].message));
}
END_TEST

START_TEST(multiboot_not_by_ovmf)
{
    write_bytes("kernel.elf", make_elf(), ELF_FILE_SIZE);
    ck_assert(!prepare("kernel.elf", NULL, true));
    ck_assert_ptr_nonnull(strstr(error->message, "seabios"));
}
END_TEST

START_TEST(what_is_no_kernel)
{
    static const struct {
        const char *content, *message;
    } others[] = {
        {"", "neither"},
        {"hello", "neither"},
        {"\177ELF and no more", "bzImage"},
        {"MZ and no more", "EFI"},
        {"\037\213\010", "gzip"},
        {"\3757zXZ", "xz"},
        {"\050\265\057\375", "zstd"},
    };

    temp_folder_write(folder, "thing", others[_i].content);
    ck_assert(!prepare("thing", NULL, false));
    ck_assert_ptr_nonnull(strstr(error->message, others[_i].message));
    ck_assert_ptr_nonnull(strstr(error->message, "thing"));
}
END_TEST

START_TEST(files_that_are_not)
{
    ck_assert(!prepare("nothing", NULL, false));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_NOT_FOUND));
    g_clear_error(&error);
    ck_assert(!prepare("/dev/zero", NULL, false));
    ck_assert(g_error_matches(error, VMDESK_ERROR, VMDESK_ERROR_INVALID));
    g_clear_error(&error);
    ck_assert(!prepare(".", NULL, false));
    g_clear_error(&error);
    write_bytes("vmlinuz", make_linux(), KERNEL_SIZE);
    ck_assert(!prepare("vmlinuz", "nothing", false));
    ck_assert_ptr_nonnull(strstr(error->message, "initrd"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("direct boot");
    TCase *formats = tcase_create("formats");
    TCase *through_files = tcase_create("files");

    tcase_add_checked_fixture(formats, setup, teardown);
    tcase_add_test(formats, linux_setup);
    tcase_add_test(formats, linux_initrd_below_its_limit);
    tcase_add_loop_test(formats, linux_video_modes, 0, 8);
    tcase_add_loop_test(formats, linux_damaged, 0, G_N_ELEMENTS(bad_linux));
    tcase_add_test(formats, linux_truncated);
    tcase_add_test(formats, linux_too_much);
    tcase_add_test(formats, multiboot_elf);
    tcase_add_test(formats, multiboot_modules);
    tcase_add_loop_test(formats, multiboot_damaged, 0, G_N_ELEMENTS(bad_elf));
    tcase_add_test(formats, multiboot_needs_memory);
    tcase_add_test(formats, multiboot_flat);
    tcase_add_loop_test(formats, multiboot_flat_damaged, 0, G_N_ELEMENTS(bad_flat));
    suite_add_tcase(suite, formats);
    tcase_add_checked_fixture(through_files, setup_files, teardown_files);
    tcase_add_test(through_files, keys_and_rom);
    tcase_add_test(through_files, multiboot_files);
    tcase_add_loop_test(through_files, bad_module_lists, 0, 4);
    tcase_add_test(through_files, multiboot_not_by_ovmf);
    tcase_add_loop_test(through_files, what_is_no_kernel, 0, 7);
    tcase_add_test(through_files, files_that_are_not);
    suite_add_tcase(suite, through_files);

    return run_suite(suite);
}
