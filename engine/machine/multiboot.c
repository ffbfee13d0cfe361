/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Multiboot Specification 0.6.96; the ELF side is the System V ABI's, chapter 5. */
#include "engine/machine/direct_boot_internal.h"

#include <elf.h>
#include <string.h>

#include "core/error.h"
#include "engine/machine/byte_writer.h"
#include "engine/machine/direct_boot.h"

/* The header (3.1): within the first 8 KiB, aligned to 4 bytes. */
enum { SEARCH_SIZE = 8192, HEADER_SIZE = 12, ADDRESS_HEADER_SIZE = 32 };
enum { MAGIC = 0x1badb002 };
enum {
    FLAG_ALIGN_MODULES = 1 << 0,
    FLAG_MEMORY_INFO = 1 << 1,
    FLAG_VIDEO_MODE = 1 << 2,
    FLAGS_MUST_KNOW = 0xffff,
    FLAG_ADDRESSES = 1 << 16,
};
enum { KNOWN_FLAGS = FLAG_ALIGN_MODULES | FLAG_MEMORY_INFO | FLAG_VIDEO_MODE };

/* The information structure (3.3): its flags, and where it and what it points to go. */
enum {
    INFO_MEMORY = 1 << 0,
    INFO_CMDLINE = 1 << 2,
    INFO_MODULES = 1 << 3,
    INFO_MEMORY_MAP = 1 << 6,
    INFO_LOADER_NAME = 1 << 9,
    INFO_FRAMEBUFFER = 1 << 12,
    INFO_SIZE = 116,
};
#define INFO_ADDRESS BOOT_LOW_START
#define INFO_MAX_SIZE (BOOT_LOW_END - BOOT_LOW_START)
#define MAX_SEGMENTS 64

/* The kernel in memory: RAM from start to end, and which bytes of the file go where. */
struct image {
    uint64_t start, end;
    uint32_t entry;
    unsigned count;
    struct {
        uint64_t address;
        gsize offset, size;
    } segments[MAX_SEGMENTS];
};

/* The offset of the header; -1: there is none. */
static gssize find_header(GBytes *kernel)
{
    gsize size;
    const uint8_t *data = g_bytes_get_data(kernel, &size);
    gsize limit = MIN(size, SEARCH_SIZE);

    for (gsize i = 0; i + HEADER_SIZE <= limit; i += 4)
        if (boot_get32(data + i) == MAGIC &&
            boot_get32(data + i) + boot_get32(data + i + 4) + boot_get32(data + i + 8) == 0)
            return i;
    return -1;
}

bool multiboot_is_kernel(GBytes *kernel)
{
    return find_header(kernel) >= 0;
}

static bool damaged(const struct boot_input *input, const char *what, GError **err)
{
    return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                       "The multiboot kernel %s %s. Build or fetch it again.", input->name, what);
}

/* Adds file bytes [offset, offset + file_size) at address, followed by zeros to memory_size. */
static bool add_segment(struct image *image, const struct boot_input *input, uint64_t address,
                        uint64_t offset, uint64_t file_size, uint64_t memory_size, GError **err)
{
    gsize size = g_bytes_get_size(input->kernel);

    if (offset > size || file_size > size - offset)
        return damaged(input, "is cut short: a segment lies past its end", err);
    if (file_size > memory_size)
        return damaged(input, "has a segment that is larger in the file than in memory", err);
    if (address < BOOT_HIGH_START)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The multiboot kernel %s loads at 0x%" G_GINT64_MODIFIER
                           "x; memory below 1 MiB is the firmware's. Link it at 1 MiB or above.",
                           input->name, address);
    if (memory_size > boot_high_end(input) || address > boot_high_end(input) - memory_size)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The multiboot kernel %s needs memory up to 0x%" G_GINT64_MODIFIER
                           "x; the machine has it up to 0x%" G_GINT64_MODIFIER
                           "x. Give it more memory, or link the kernel lower.",
                           input->name, address + memory_size, boot_high_end(input));
    if (image->count == MAX_SEGMENTS)
        return damaged(input, "has too many segments", err);

    image->start = image->count == 0 ? address : MIN(image->start, address);
    image->end = MAX(image->end, address + memory_size);
    image->segments[image->count].address = address;
    image->segments[image->count].offset = offset;
    image->segments[image->count].size = file_size;
    image->count++;
    return true;
}

/* The address fields of the header (3.1.3) say it all. */
static bool parse_addresses(struct image *image, const struct boot_input *input, gsize header,
                            GError **err)
{
    gsize size;
    const uint8_t *data = g_bytes_get_data(input->kernel, &size);

    if (size - header < ADDRESS_HEADER_SIZE)
        return damaged(input, "is cut short in its header", err);

    uint32_t header_address = boot_get32(data + header + 12);
    uint32_t load_address = boot_get32(data + header + 16);
    uint32_t load_end = boot_get32(data + header + 20);
    uint32_t bss_end = boot_get32(data + header + 24);

    if (header_address < load_address || header_address - load_address > header)
        return damaged(input, "has a header whose load address is not before it in the file", err);
    gsize offset = header - (header_address - load_address);
    uint64_t file_size = load_end != 0 ? (uint64_t)load_end - load_address : size - offset;
    if (load_end != 0 && load_end < load_address)
        return damaged(input, "has a header whose load end is before its start", err);
    uint64_t memory_size = file_size;
    if (bss_end != 0) {
        if (bss_end < load_address + file_size)
            return damaged(input, "has a header whose bss ends before its data", err);
        memory_size = bss_end - load_address;
    }
    image->entry = boot_get32(data + header + 28);
    return add_segment(image, input, load_address, offset, file_size, memory_size, err);
}

static bool parse_elf(struct image *image, const struct boot_input *input, GError **err)
{
    gsize size;
    const uint8_t *data = g_bytes_get_data(input->kernel, &size);
    Elf32_Ehdr header;

    if (size < sizeof(header) || memcmp(data, ELFMAG, SELFMAG) != 0)
        return damaged(input, "is neither ELF nor has load addresses in its header", err);
    memcpy(&header, data, sizeof(header));
    if (header.e_ident[EI_CLASS] != ELFCLASS32 || header.e_machine != EM_386 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The multiboot kernel %s is not a 32-bit x86 ELF file, but multiboot "
                           "starts kernels in 32-bit mode. Link it as elf32-i386.",
                           input->name);
    if (header.e_phentsize != sizeof(Elf32_Phdr) || header.e_phoff > size ||
        header.e_phnum > (size - header.e_phoff) / sizeof(Elf32_Phdr))
        return damaged(input, "has program headers outside of the file", err);

    bool entry_found = false;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf32_Phdr p;

        memcpy(&p, data + header.e_phoff + i * sizeof(p), sizeof(p));
        if (p.p_type != PT_LOAD || p.p_memsz == 0)
            continue;
        if (!add_segment(image, input, p.p_paddr, p.p_offset, p.p_filesz, p.p_memsz, err))
            return false;
        /* The entry is a virtual address; the kernel starts without paging. */
        if (!entry_found && header.e_entry >= p.p_vaddr && header.e_entry - p.p_vaddr < p.p_memsz) {
            image->entry = header.e_entry - p.p_vaddr + p.p_paddr;
            entry_found = true;
        }
    }
    if (!entry_found)
        return damaged(input, "has its entry outside of its segments", err);
    return true;
}

static GBytes *load_image(const struct image *image, const struct boot_input *input, GError **err)
{
    gsize size = image->end - image->start;
    const uint8_t *data = g_bytes_get_data(input->kernel, NULL);

    if (size > DIRECT_BOOT_MAX_KERNEL) {
        vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                    "The multiboot kernel %s spreads over %" G_GSIZE_FORMAT
                    " MiB of memory; %" G_GUINT64_FORMAT
                    " MiB are possible. Link its parts closer together.",
                    input->name, size >> 20, DIRECT_BOOT_MAX_KERNEL >> 20);
        return NULL;
    }
    uint8_t *memory = g_try_malloc0(size);
    if (memory == NULL) {
        vmdesk_fail(err, VMDESK_ERROR_IO,
                    "The multiboot kernel %s does not fit into the host's memory.", input->name);
        return NULL;
    }
    for (unsigned i = 0; i < image->count; i++)
        memcpy(memory + (image->segments[i].address - image->start),
               data + image->segments[i].offset, image->segments[i].size);
    return g_bytes_new_take(memory, size);
}

/* Modules lie one after the other behind the kernel, each at the start of a page. */
static bool load_modules(struct boot_part *ret_part, const struct image *image,
                         const struct boot_input *input, GError **err)
{
    uint64_t start = (image->end + BOOT_PAGE - 1) & ~(uint64_t)(BOOT_PAGE - 1);
    uint64_t end = start;

    for (unsigned i = 0; i < input->module_count; i++) {
        end = (end + BOOT_PAGE - 1) & ~(uint64_t)(BOOT_PAGE - 1);
        end += g_bytes_get_size(input->modules[i].bytes);
    }
    if (end > boot_high_end(input))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The multiboot kernel %s and its modules need %" G_GUINT64_FORMAT
                           " MiB of memory. Give the machine more.",
                           input->name, ((end + BOOT_HIGH_RESERVE) >> 20) + 1);

    gsize size = end - start;
    uint8_t *memory = g_try_malloc0(MAX(size, 1));
    if (memory == NULL)
        return vmdesk_fail(err, VMDESK_ERROR_IO,
                           "The modules of %s do not fit into the host's memory.", input->name);
    gsize offset = 0;
    for (unsigned i = 0; i < input->module_count; i++) {
        gsize module_size;
        const void *module = g_bytes_get_data(input->modules[i].bytes, &module_size);

        offset = (offset + BOOT_PAGE - 1) & ~(gsize)(BOOT_PAGE - 1);
        if (module_size > 0)
            memcpy(memory + offset, module, module_size);
        offset += module_size;
    }
    *ret_part = (struct boot_part){g_bytes_new_take(memory, size), start};
    return true;
}

/* Appends text with its zero; returns its address in the guest. */
static uint32_t put_string(GByteArray *out, const char *text)
{
    uint32_t address = INFO_ADDRESS + out->len;

    put_text(out, text, strlen(text) + 1);
    return address;
}

/* The structure, the module list and the strings. The option ROM adds what it asks the BIOS for:
 * memory sizes and the memory map. */
static GBytes *build_info(const struct boot_input *input, uint32_t modules_address)
{
    enum { MODULE_ENTRY_SIZE = 16, EGA_TEXT = 2 };
    enum { TEXT_BUFFER = 0xb8000, COLUMNS = 80, ROWS = 25, CELL = 2 };
    g_autofree char *base_name = g_path_get_basename(input->name);
    g_autofree char *cmdline =
        g_strconcat(base_name, *input->cmdline != '\0' ? " " : "", input->cmdline, NULL);
    uint32_t list = INFO_ADDRESS + INFO_SIZE;
    g_autoptr(GByteArray) strings = g_byte_array_new();
    GByteArray *out = g_byte_array_new();

    /* The strings' addresses are needed first: lay them out behind the list. */
    put_zeros(strings, INFO_SIZE + input->module_count * MODULE_ENTRY_SIZE);
    uint32_t cmdline_address = put_string(strings, cmdline);
    uint32_t name_address = put_string(strings, "vmdesk");

    put32(out, INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MEMORY_MAP | INFO_LOADER_NAME |
                   INFO_FRAMEBUFFER);
    put_zeros(out, 8); /* memory sizes: the option ROM */
    put32(out, 0);     /* no boot device */
    put32(out, cmdline_address);
    put32(out, input->module_count);
    put32(out, list);
    put_zeros(out, 16); /* no symbols */
    put_zeros(out, 8);  /* the memory map: the option ROM */
    put_zeros(out, 12); /* no drives, no configuration table */
    put32(out, name_address);
    put_zeros(out, 20); /* no APM, no VBE */
    put64(out, TEXT_BUFFER);
    put32(out, COLUMNS * CELL);
    put32(out, COLUMNS);
    put32(out, ROWS);
    put8(out, CELL * 8);
    put8(out, EGA_TEXT);
    put_zeros(out, INFO_SIZE - out->len);

    uint64_t address = modules_address;
    for (unsigned i = 0; i < input->module_count; i++) {
        gsize size = g_bytes_get_size(input->modules[i].bytes);

        address = (address + BOOT_PAGE - 1) & ~(uint64_t)(BOOT_PAGE - 1);
        put32(out, address);
        put32(out, address + size);
        put32(out, put_string(strings, input->modules[i].words));
        put32(out, 0);
        address += size;
    }
    g_byte_array_append(out, strings->data + out->len, strings->len - out->len);
    return g_byte_array_free_to_bytes(out);
}

static bool check_flags(const struct boot_input *input, uint32_t flags, GError **err)
{
    uint32_t unknown = flags & FLAGS_MUST_KNOW & ~KNOWN_FLAGS;

    if (unknown != 0)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The multiboot kernel %s asks for features that multiboot does not "
                           "define (flags 0x%x). Clear them in its header.",
                           input->name, unknown);
    return true;
}

bool multiboot_plan(struct boot_plan *ret_plan, const struct boot_input *input, GError **err)
{
    const uint8_t *data = g_bytes_get_data(input->kernel, NULL);
    gssize header = find_header(input->kernel);
    struct image image = {.count = 0};
    struct boot_part modules = {NULL, 0};

    if (header < 0)
        return damaged(input, "has no multiboot header", err);
    uint32_t flags = boot_get32(data + header + 4);
    if (!check_flags(input, flags, err))
        return false;
    if (!(flags & FLAG_ADDRESSES ? parse_addresses(&image, input, header, err)
                                 : parse_elf(&image, input, err)))
        return false;
    if (image.entry < image.start || image.entry >= image.end)
        return damaged(input, "has its entry outside of what it loads", err);
    if (input->module_count > 0 && !load_modules(&modules, &image, input, err))
        return false;

    g_autoptr(GBytes) info = build_info(input, modules.address);
    GBytes *memory = NULL;
    if (g_bytes_get_size(info) > INFO_MAX_SIZE)
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "The command lines of %s and its modules are longer than %u bytes. Shorten "
                    "them.",
                    input->name, INFO_MAX_SIZE);
    else
        memory = load_image(&image, input, err);
    if (memory == NULL) {
        g_clear_pointer(&modules.bytes, g_bytes_unref);
        return false;
    }
    *ret_plan = (struct boot_plan){
        .protocol = BOOT_MULTIBOOT,
        .setup = {g_steal_pointer(&info), INFO_ADDRESS},
        .kernel = {memory, image.start},
        .initrd = modules,
        .entry = image.entry,
        .argument = INFO_ADDRESS,
    };
    return true;
}
