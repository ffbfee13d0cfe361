/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Foreign kernels: the Linux boot header, multiboot's header and its ELF side. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "engine/machine/direct_boot_internal.h"

/* What a plan promises to the option ROM: every part lies in RAM that it may fill. */
static void check_part(const struct boot_part *part, uint64_t start, uint64_t end)
{
    if (part->bytes != NULL &&
        (part->address < start || part->address + g_bytes_get_size(part->bytes) > end))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Little memory, so that accepted images stay small. */
    const uint64_t low_ram = UINT64_C(24) << 20;
    g_autoptr(GBytes) kernel = g_bytes_new(data, size);
    g_autoptr(GBytes) other = g_bytes_new_static("module", 6);
    const struct boot_module module = {"module words", other};
    struct boot_input input = {
        .name = "kernel",
        .kernel = kernel,
        .cmdline = "quiet vga=ask",
        .initrd = other,
        .modules = &module,
        .module_count = 1,
        .low_ram = low_ram,
    };
    struct boot_plan plan = {.protocol = BOOT_LINUX};
    bool planned = false;

    if (linux_is_kernel(kernel))
        planned = linux_plan(&plan, &input, NULL);
    else if (multiboot_is_kernel(kernel))
        planned = multiboot_plan(&plan, &input, NULL);
    if (planned) {
        check_part(&plan.setup, BOOT_LOW_START, BOOT_LOW_END);
        check_part(&plan.cmdline, BOOT_LOW_START, BOOT_LOW_END);
        check_part(&plan.kernel, BOOT_HIGH_START, low_ram - BOOT_HIGH_RESERVE);
        check_part(&plan.initrd, BOOT_HIGH_START, low_ram - BOOT_HIGH_RESERVE);
    }
    boot_plan_finish(&plan);
    return 0;
}
