/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/direct_boot.h"

#include <string.h>

#include "core/error.h"
#include "engine/dev/fw_cfg.h"
#include "engine/machine/byte_writer.h"
#include "engine/machine/direct_boot_internal.h"
#include "engine/machine/option_rom.h"
#include "engine/machine/read_file.h"

static GBytes *read_in_folder(const struct direct_boot *boot, const char *file, const char *what,
                              GError **err)
{
    g_autofree char *path = g_canonicalize_filename(file, boot->folder);

    return read_file(path, 0, MAX(boot->low_ram, DIRECT_BOOT_MAX_KERNEL), what,
                     "Check the [boot] group of the machine's definition.", err);
}

/* The words of "file arguments, file arguments", each with its file. */
static bool read_modules(GArray *modules, const struct direct_boot *boot, GError **err)
{
    g_auto(GStrv) list = g_strsplit(boot->initrd, ",", DIRECT_BOOT_MAX_MODULES + 1);
    uint64_t total = 0;

    for (unsigned i = 0; list[i] != NULL; i++) {
        char *words = g_strstrip(list[i]);
        g_autofree char *file = g_strndup(words, strcspn(words, " "));
        struct boot_module module;

        if (i == DIRECT_BOOT_MAX_MODULES)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "The multiboot kernel %s is given more than %d modules. Take some "
                               "out of boot.initrd.",
                               boot->kernel, DIRECT_BOOT_MAX_MODULES);
        if (*file == '\0')
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "The list of modules \"%s\" has an empty entry. Separate files by "
                               "one comma.",
                               boot->initrd);
        module.bytes = read_in_folder(boot, file, "The module", err);
        if (module.bytes == NULL)
            return false;
        module.words = g_strdup(words);
        g_array_append_val(modules, module);
        total += g_bytes_get_size(module.bytes);
        if (total > boot->low_ram)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                               "The modules of %s are larger than the machine's memory. Give it "
                               "more.",
                               boot->kernel);
    }
    return true;
}

static void clear_module(gpointer data)
{
    struct boot_module *module = data;

    g_free((char *)module->words);
    g_bytes_unref(module->bytes);
}

/* Not a kernel: says what it is instead, when that helps. */
static bool explain(const struct boot_input *input, GError **err)
{
    static const struct {
        const char *magic;
        unsigned size;
        const char *advice;
    } others[] = {
        {"\177ELF", 4,
         "is an ELF file without a multiboot header. For Linux, give its bzImage (vmlinuz)"},
        {"MZ", 2, "is an EFI program, not a Linux kernel with setup code. Give a bzImage"},
        {"\037\213", 2, "is compressed by gzip. Unpack it first"},
        {"\3757zXZ", 5, "is compressed by xz. Unpack it first"},
        {"\050\265\057\375", 4, "is compressed by zstd. Unpack it first"},
    };
    gsize size;
    const uint8_t *data = g_bytes_get_data(input->kernel, &size);

    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
        if (size >= others[i].size && memcmp(data, others[i].magic, others[i].size) == 0)
            return vmdesk_fail(err, VMDESK_ERROR_INVALID, "The kernel %s %s.", input->name,
                               others[i].advice);
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The kernel %s is neither a Linux bzImage nor a multiboot kernel for PCs. "
                       "Name another file.",
                       input->name);
}

static bool make_plan(struct boot_plan *ret_plan, const struct direct_boot *boot,
                      struct boot_input *input, GError **err)
{
    g_autoptr(GArray) modules = NULL;
    g_autoptr(GBytes) initrd = NULL;

    if (linux_is_kernel(input->kernel)) {
        if (boot->initrd != NULL) {
            initrd = read_in_folder(boot, boot->initrd, "The initrd", err);
            if (initrd == NULL)
                return false;
        }
        input->initrd = initrd;
        return linux_plan(ret_plan, input, err);
    }
    if (!multiboot_is_kernel(input->kernel))
        return explain(input, err);
    if (boot->uefi)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The firmware OVMF cannot start the multiboot kernel %s. Set "
                           "machine.firmware to seabios.",
                           input->name);
    modules = g_array_new(FALSE, FALSE, sizeof(struct boot_module));
    g_array_set_clear_func(modules, clear_module);
    if (boot->initrd != NULL && !read_modules(modules, boot, err))
        return false;
    input->modules = (const struct boot_module *)modules->data;
    input->module_count = modules->len;
    return multiboot_plan(ret_plan, input, err);
}

/* Gives one part its keys. */
static void add_part(struct fw_cfg *fw, const struct boot_part *part, uint16_t data_key,
                     uint16_t size_key, uint16_t address_key)
{
    if (part->bytes == NULL)
        return;
    fw_cfg_add(fw, data_key, part->bytes);
    fw_cfg_add_u32(fw, size_key, g_bytes_get_size(part->bytes));
    fw_cfg_add_u32(fw, address_key, part->address);
}

static uint8_t sum(const uint8_t *bytes, gsize size)
{
    uint8_t total = 0;

    for (gsize i = 0; i < size; i++)
        total += bytes[i];
    return total;
}

/* A fw_cfg DMA control block: select the key and read it all to where the part goes. */
static void put_transfer(GByteArray *out, const struct boot_part *part, uint16_t key)
{
    enum { DMA_READ = 0x02, DMA_SELECT = 0x08 };

    put32(out, GUINT32_SWAP_LE_BE((uint32_t)key << 16 | DMA_SELECT | DMA_READ));
    put32(out, GUINT32_SWAP_LE_BE((uint32_t)g_bytes_get_size(part->bytes)));
    put32(out, 0);
    put32(out, GUINT32_SWAP_LE_BE(part->address));
}

/* The option ROM: its code, then the plan in the form that option_rom.S describes. */
static GBytes *build_rom(const struct boot_plan *plan)
{
    enum { BLOCK = 512, BLOCK_COUNT = 2, PNP_POINTER = 0x1a };
    enum { PNP_SIZE = 32, PNP_CHECKSUM = 9 };
    const struct {
        const struct boot_part *part;
        uint16_t key;
    } parts[] = {
        {&plan->setup, FW_CFG_SETUP_DATA},
        {&plan->kernel, FW_CFG_KERNEL_DATA},
        {&plan->cmdline, FW_CFG_CMDLINE_DATA},
        {&plan->initrd, FW_CFG_INITRD_DATA},
    };
    GByteArray *rom = g_byte_array_new();
    unsigned count = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
        count += parts[i].part->bytes != NULL;
    g_byte_array_append(rom, option_rom, sizeof(option_rom));
    put16(rom, plan->protocol);
    put16(rom, count);
    put32(rom, plan->entry);
    put32(rom, plan->argument);
    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
        if (parts[i].part->bytes != NULL)
            put_transfer(rom, parts[i].part, parts[i].key);
    put_zeros(rom, (BLOCK - rom->len % BLOCK) % BLOCK);

    uint8_t *pnp = rom->data + boot_get16(rom->data + PNP_POINTER);
    pnp[PNP_CHECKSUM] = -sum(pnp, PNP_SIZE);
    rom->data[BLOCK_COUNT] = rom->len / BLOCK;
    rom->data[rom->len - 1] = -sum(rom->data, rom->len);
    return g_byte_array_free_to_bytes(rom);
}

bool direct_boot_prepare(struct fw_cfg *fw, const struct direct_boot *boot, GError **err)
{
    g_autoptr(GBytes) kernel = read_in_folder(boot, boot->kernel, "The kernel", err);
    struct boot_input input = {
        .name = boot->kernel,
        .kernel = kernel,
        .cmdline = boot->cmdline != NULL ? boot->cmdline : "",
        .low_ram = boot->low_ram,
    };
    struct boot_plan plan;

    if (kernel == NULL || !make_plan(&plan, boot, &input, err))
        return false;
    add_part(fw, &plan.setup, FW_CFG_SETUP_DATA, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_ADDR);
    add_part(fw, &plan.kernel, FW_CFG_KERNEL_DATA, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_ADDR);
    add_part(fw, &plan.cmdline, FW_CFG_CMDLINE_DATA, FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_ADDR);
    add_part(fw, &plan.initrd, FW_CFG_INITRD_DATA, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_ADDR);

    g_autoptr(GBytes) rom = build_rom(&plan);
    bool added = fw_cfg_add_file(fw, DIRECT_BOOT_ROM_FILE, rom, err);
    boot_plan_finish(&plan);
    return added;
}

void boot_plan_finish(struct boot_plan *plan)
{
    g_clear_pointer(&plan->setup.bytes, g_bytes_unref);
    g_clear_pointer(&plan->kernel.bytes, g_bytes_unref);
    g_clear_pointer(&plan->cmdline.bytes, g_bytes_unref);
    g_clear_pointer(&plan->initrd.bytes, g_bytes_unref);
}
