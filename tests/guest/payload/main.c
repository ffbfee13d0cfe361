/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "payload.h"

enum { MULTIBOOT_MAGIC = 0x2badb002, INFO_CMDLINE = 1 << 2, INFO_MODULES = 1 << 3 };
enum { INFO_MEMORY = 1 << 0, INFO_MEMORY_MAP = 1 << 6 };

struct multiboot_info {
    uint32_t flags, memory_lower, memory_upper, boot_device, cmdline, modules_count, modules;
    uint32_t symbols[4], map_length, map;
};

struct multiboot_module {
    uint32_t start, end, words, reserved;
};

void payload_main(uint32_t magic, const struct multiboot_info *info);

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"pm-timer", test_pm_timer}, {"pit", test_pit},          {"pic", test_pic},
    {"rtc", test_rtc},           {"lapic", test_local_apic}, {"ioapic", test_io_apic},
    {"pci", test_pci},           {"fwcfg", test_fw_cfg},     {"ahci", test_ahci},
    {"smp", test_smp},
};

static void test_multiboot(uint32_t magic, const struct multiboot_info *info)
{
    const char *reason = NULL;
    const uint8_t *map = (const uint8_t *)info->map;
    bool high_found = false;

    for (uint32_t i = 0; i + 24 <= info->map_length; i += *(const uint32_t *)(map + i) + 4) {
        const uint32_t *entry = (const uint32_t *)(map + i);

        if (entry[1] == 0x100000 && entry[5] == 1 && entry[3] >> 10 == info->memory_upper)
            high_found = true;
    }
    if (magic != MULTIBOOT_MAGIC)
        reason = "EAX is not the magic number";
    else if (!(info->flags & INFO_MEMORY) || !(info->flags & INFO_MEMORY_MAP))
        reason = "no memory information";
    else if (info->memory_lower < 512 || info->memory_lower > 640)
        reason = "lower memory is not what a PC has";
    else if (!high_found)
        reason = "upper memory is not in the memory map";
    report("multiboot", reason);
}

/* Each module's words and content, as far as it is text. */
static void print_modules(const struct multiboot_info *info)
{
    const struct multiboot_module *modules = (const void *)info->modules;

    if (!(info->flags & INFO_MODULES))
        return;
    for (uint32_t i = 0; i < info->modules_count; i++) {
        const char *content = (const char *)modules[i].start;

        print("module \"%s\", %u bytes: ", (const char *)modules[i].words,
              (unsigned)(modules[i].end - modules[i].start));
        for (uint32_t n = 0; n < modules[i].end - modules[i].start && content[n] >= ' '; n++)
            print("%c", content[n]);
        print("\n");
    }
}

/* With words "exit=PORT", through the debug exit port: 0 when all passed. Else by power off. */
static void leave(void)
{
    const char *port = option("exit");

    if (port != NULL)
        out8(parse_number(port), 0);
    power_off();
}

/*
 * Words: "hammer" (with "seed=N"), "hang", "triple", "badop", "poweroff", "reboot=cf9|i8042|
 * port92|triple"; "only=NAME" for one test; without any, all tests. "exit=PORT" how to end.
 */
void payload_main(uint32_t magic, const struct multiboot_info *info)
{
    serial_init();
    print("vmdesk payload\n");
    if (info->flags & INFO_CMDLINE)
        set_command_line((const char *)info->cmdline);
    interrupts_init();
    if (option("hang") != NULL) {
        print("hanging\n");
        hang();
    }
    if (option("triple") != NULL)
        triple_fault();
    if (option("badop") != NULL) {
        bad_instruction();
        report("badop", NULL);
    }
    if (option("poweroff") != NULL)
        power_off();
    const char *how = option("reboot");
    if (how != NULL)
        reboot(how);
    if (option("hammer") != NULL)
        hammer();
    if (how == NULL && option("hammer") == NULL && option("badop") == NULL) {
        const char *only = option("only");

        if (only == NULL) {
            test_multiboot(magic, info);
            print_modules(info);
        }
        for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
            if (only == NULL || text_equal(only, tests[i].name))
                tests[i].run();
    }
    print_done();
    leave();
}
