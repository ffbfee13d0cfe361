/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The x86 boot protocol: Documentation/x86/boot.rst of Linux. */
#include "engine/machine/direct_boot_internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"

/* The setup header's fields, as offsets in the file. */
enum {
    SETUP_SECTS = 0x1f1,
    SYSSIZE = 0x1f4,
    VID_MODE = 0x1fa,
    BOOT_FLAG = 0x1fe,
    HEADER = 0x202,
    VERSION = 0x206,
    TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21c,
    HEAP_END_PTR = 0x224,
    CMD_LINE_PTR = 0x228,
    INITRD_ADDR_MAX = 0x22c,
    CMDLINE_SIZE = 0x238,
    PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260,
    HEADER_END = 0x264,
};

enum { LOADED_HIGH = 0x01, CAN_USE_HEAP = 0x80 };
enum { UNDEFINED_LOADER = 0xff, DEFAULT_SETUP_SECTS = 4, SECTOR = 512 };

/* The setup code and its heap and stack share a segment; the command line follows. */
#define SETUP_ADDRESS BOOT_LOW_START
#define SETUP_MAX_SIZE 0x8000u
#define STACK_TOP 0xfff0u
#define HEAP_END (0x10000u - 0x200 - 0x200)
#define CMDLINE_ADDRESS (SETUP_ADDRESS + 0x10000)
#define CMDLINE_MAX_SIZE (BOOT_LOW_END - CMDLINE_ADDRESS)

struct header {
    uint16_t version;
    uint32_t setup_size; /* bytes, the boot sector included */
    uint32_t cmdline_max;
    uint32_t initrd_addr_max;
    uint64_t runtime_end; /* where the kernel's own early memory use ends */
};

bool linux_is_kernel(GBytes *kernel)
{
    gsize size;
    const uint8_t *data = g_bytes_get_data(kernel, &size);

    return size >= HEADER_END && boot_get16(data + BOOT_FLAG) == 0xaa55 &&
           memcmp(data + HEADER, "HdrS", 4) == 0;
}

static bool parse_header(struct header *ret, const struct boot_input *input, GError **err)
{
    gsize size;
    const uint8_t *data = g_bytes_get_data(input->kernel, &size);
    struct header h = {.version = boot_get16(data + VERSION)};
    unsigned sectors = data[SETUP_SECTS] != 0 ? data[SETUP_SECTS] : DEFAULT_SETUP_SECTS;

    if (h.version < 0x202)
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The kernel %s speaks boot protocol %u.%02u; 2.02 (Linux 2.4) is the "
                           "oldest that can be started. Use a newer kernel.",
                           input->name, h.version >> 8, h.version & 0xff);
    if (!(data[LOADFLAGS] & LOADED_HIGH))
        return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                           "The kernel %s is a zImage. Build it as a bzImage.", input->name);

    h.setup_size = (sectors + 1) * SECTOR;
    if (h.setup_size > SETUP_MAX_SIZE)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The kernel %s says that it has %u setup sectors; %u are possible. "
                           "The file is damaged: fetch it again.",
                           input->name, sectors, SETUP_MAX_SIZE / SECTOR - 1);

    uint64_t body = h.version >= 0x204 ? boot_get32(data + SYSSIZE) * UINT64_C(16)
                                       : boot_get16(data + SYSSIZE) * UINT64_C(16);
    /* The count is in units of 16 bytes, the last of them perhaps not whole. */
    if (size <= h.setup_size || size - h.setup_size + 15 < body)
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The kernel %s is cut short: it has %" G_GSIZE_FORMAT
                           " bytes, its header asks for %" G_GUINT64_FORMAT
                           ". Fetch or copy it again.",
                           input->name, size, h.setup_size + body);

    h.initrd_addr_max = h.version >= 0x203 ? boot_get32(data + INITRD_ADDR_MAX) : 0x37ffffff;
    h.cmdline_max = h.version >= 0x206 ? boot_get32(data + CMDLINE_SIZE) : 255;
    h.runtime_end = BOOT_HIGH_START + (size - h.setup_size);
    if (h.version >= 0x20a) {
        uint64_t preferred = boot_get64(data + PREF_ADDRESS);
        uint32_t init_size = boot_get32(data + INIT_SIZE);

        if (preferred > UINT32_MAX)
            return vmdesk_fail(err, VMDESK_ERROR_UNSUPPORTED,
                               "The kernel %s wants to run above 4 GiB, at 0x%" G_GINT64_MODIFIER
                               "x. Use a kernel with the usual load address.",
                               input->name, preferred);
        h.runtime_end = MAX(h.runtime_end, preferred + init_size);
    }
    *ret = h;
    return true;
}

/* Where the initrd goes: as high as the kernel and the RAM allow. */
static bool place_initrd(uint32_t *ret_address, const struct header *h,
                         const struct boot_input *input, GError **err)
{
    gsize size = g_bytes_get_size(input->initrd);
    uint64_t end = MIN(boot_high_end(input), (uint64_t)h->initrd_addr_max + 1);

    if (size > end || ((end - size) & ~(uint64_t)(BOOT_PAGE - 1)) < h->runtime_end) {
        uint64_t needed = h->runtime_end + size + BOOT_PAGE + BOOT_HIGH_RESERVE;

        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The kernel %s and its initrd need memory up to %" G_GUINT64_FORMAT
                           " MiB, but can use it up to %" G_GUINT64_FORMAT
                           " MiB. Give the machine more memory, or use a smaller initrd.",
                           input->name, (needed >> 20) + 1, end >> 20);
    }
    *ret_address = (end - size) & ~(uint64_t)(BOOT_PAGE - 1);
    return true;
}

/* "vga=" as the setup code understands it; the kernel itself ignores the word. */
static uint16_t video_mode(const char *cmdline)
{
    enum { ASK = 0xfffd, EXTENDED = 0xfffe, NORMAL = 0xffff };
    const char *word = cmdline;

    while ((word = strstr(word, "vga=")) != NULL && word != cmdline && word[-1] != ' ')
        word++;
    if (word == NULL)
        return NORMAL;
    word += strlen("vga=");
    if (g_str_has_prefix(word, "ask"))
        return ASK;
    if (g_str_has_prefix(word, "ext"))
        return EXTENDED;
    if (!g_ascii_isdigit(*word))
        return NORMAL;
    return strtoul(word, NULL, 0);
}

static GBytes *patch_setup(const struct boot_input *input, const struct header *h,
                           uint32_t initrd_address)
{
    uint8_t *setup = g_memdup2(g_bytes_get_data(input->kernel, NULL), h->setup_size);

    setup[TYPE_OF_LOADER] = UNDEFINED_LOADER;
    setup[LOADFLAGS] |= CAN_USE_HEAP;
    boot_set16(setup + HEAP_END_PTR, HEAP_END);
    boot_set32(setup + CMD_LINE_PTR, CMDLINE_ADDRESS);
    boot_set16(setup + VID_MODE, video_mode(input->cmdline));
    if (input->initrd != NULL) {
        boot_set32(setup + RAMDISK_IMAGE, initrd_address);
        boot_set32(setup + RAMDISK_SIZE, g_bytes_get_size(input->initrd));
    }
    return g_bytes_new_take(setup, h->setup_size);
}

bool linux_plan(struct boot_plan *ret_plan, const struct boot_input *input, GError **err)
{
    struct header h = {0};
    uint32_t initrd_address = 0;
    size_t cmdline_size = strlen(input->cmdline) + 1;

    if (!parse_header(&h, input, err))
        return false;
    if (cmdline_size - 1 > MIN(h.cmdline_max, CMDLINE_MAX_SIZE - 1))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The kernel command line has %zu characters; the kernel %s takes %u. "
                           "Shorten it.",
                           cmdline_size - 1, input->name, MIN(h.cmdline_max, CMDLINE_MAX_SIZE - 1));
    if (h.runtime_end > boot_high_end(input))
        return vmdesk_fail(err, VMDESK_ERROR_INVALID,
                           "The kernel %s needs %" G_GUINT64_FORMAT
                           " MiB of memory. Give the machine more.",
                           input->name, ((h.runtime_end + BOOT_HIGH_RESERVE) >> 20) + 1);
    if (input->initrd != NULL && !place_initrd(&initrd_address, &h, input, err))
        return false;

    gsize size = g_bytes_get_size(input->kernel);
    *ret_plan = (struct boot_plan){
        .protocol = BOOT_LINUX,
        .setup = {patch_setup(input, &h, initrd_address), SETUP_ADDRESS},
        .kernel = {g_bytes_new_from_bytes(input->kernel, h.setup_size, size - h.setup_size),
                   BOOT_HIGH_START},
        .cmdline = {g_bytes_new(input->cmdline, cmdline_size), CMDLINE_ADDRESS},
        .initrd = {input->initrd != NULL ? g_bytes_ref(input->initrd) : NULL, initrd_address},
        .entry = SETUP_ADDRESS >> 4,
        .argument = STACK_TOP,
    };
    return true;
}
