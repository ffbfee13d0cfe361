/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/firmware_tables.h"

#include "engine/dev/fw_cfg.h"
#include "engine/machine/acpi.h"
#include "engine/machine/byte_writer.h"
#include "engine/machine/direct_boot.h"
#include "engine/machine/smbios.h"

#define BOOT_MENU_WAIT_MS 3000
#define NEVER UINT32_MAX

/* Takes bytes. */
static bool add_file(struct fw_cfg *fw, const char *name, GBytes *bytes, GError **err)
{
    bool added = fw_cfg_add_file(fw, name, bytes, err);

    g_bytes_unref(bytes);
    return added;
}

static bool add_number_file(struct fw_cfg *fw, const char *name, uint32_t value, GError **err)
{
    uint32_t le = GUINT32_TO_LE(value);

    return add_file(fw, name, g_bytes_new(&le, sizeof(le)), err);
}

/* The RAM, as entries of { u64 address, u64 length, u32 type }. */
static GBytes *build_e820(const struct firmware_facts *facts)
{
    enum { E820_RAM = 1 };
    GByteArray *out = g_byte_array_new();

    put64(out, 0);
    put64(out, facts->low_ram);
    put32(out, E820_RAM);
    if (facts->high_ram > 0) {
        put64(out, UINT64_C(1) << 32);
        put64(out, facts->high_ram);
        put32(out, E820_RAM);
    }
    return g_byte_array_free_to_bytes(out);
}

/* OpenFirmware device paths, one a line, with a zero at the end. */
static GBytes *build_boot_order(const struct firmware_facts *facts)
{
    GString *out = g_string_new(NULL);

    if (facts->direct_boot)
        g_string_append(out, DIRECT_BOOT_ORDER "\n");
    for (unsigned i = 0; i < facts->boot_port_count; i++) {
        unsigned port = facts->boot_ports[i];

        if (port & FIRMWARE_BOOT_USB)
            g_string_append_printf(out, "/pci@i0cf8/usb@14/storage@%u/channel@0/disk@0,0\n",
                                   port & ~FIRMWARE_BOOT_USB);
        else
            g_string_append_printf(out, "/pci@i0cf8/pci8086,2922@1f,2/drive@%u/disk@0\n", port);
    }
    if (out->len > 0)
        g_string_truncate(out, out->len - 1);

    gsize size = out->len + 1;
    return g_bytes_new_take(g_string_free(out, FALSE), size);
}

/* One byte a sleep state: bit 7 says that the machine has it. S0 and S5 it is. */
static GBytes *build_system_states(void)
{
    static const uint8_t states[6] = {0x80, 0, 0, 0, 0, 0x80};

    return g_bytes_new_static(states, sizeof(states));
}

/* A count of nodes, and the node of each processor. */
static GBytes *build_numa(const struct firmware_facts *facts)
{
    gsize size = (1 + facts->cpus) * sizeof(uint64_t);

    return g_bytes_new_take(g_malloc0(size), size);
}

static bool add_acpi(struct fw_cfg *fw, const struct firmware_facts *facts, GError **err)
{
    struct acpi_blobs acpi;

    acpi_build(&acpi, facts->cpus);
    bool added = fw_cfg_add_file(fw, "etc/acpi/tables", acpi.tables, err) &&
                 fw_cfg_add_file(fw, "etc/acpi/rsdp", acpi.rsdp, err) &&
                 fw_cfg_add_file(fw, "etc/table-loader", acpi.loader, err);
    acpi_blobs_finish(&acpi);
    return added;
}

static bool add_smbios(struct fw_cfg *fw, const struct firmware_facts *facts, GError **err)
{
    struct smbios_blobs smbios;

    smbios_build(&smbios, facts->cpus, facts->low_ram, facts->high_ram, facts->uuid);
    bool added = fw_cfg_add_file(fw, "etc/smbios/smbios-anchor", smbios.anchor, err) &&
                 fw_cfg_add_file(fw, "etc/smbios/smbios-tables", smbios.tables, err);
    smbios_blobs_finish(&smbios);
    return added;
}

bool firmware_tables_add(struct fw_cfg *fw, const struct firmware_facts *facts, GError **err)
{
    g_autoptr(GBytes) uuid = g_bytes_new(facts->uuid, sizeof(facts->uuid));
    g_autoptr(GBytes) numa = build_numa(facts);

    fw_cfg_add(fw, FW_CFG_UUID, uuid);
    fw_cfg_add(fw, FW_CFG_NUMA, numa);
    fw_cfg_add_u16(fw, FW_CFG_NOGRAPHIC, 0);
    fw_cfg_add_u16(fw, FW_CFG_NB_CPUS, facts->cpus);
    fw_cfg_add_u16(fw, FW_CFG_MAX_CPUS, facts->cpus);
    fw_cfg_add_u16(fw, FW_CFG_BOOT_MENU, facts->boot_menu);
    return add_acpi(fw, facts, err) && add_smbios(fw, facts, err) &&
           add_file(fw, "etc/e820", build_e820(facts), err) &&
           add_file(fw, "etc/system-states", build_system_states(), err) &&
           add_file(fw, "bootorder", build_boot_order(facts), err) &&
           add_number_file(fw, "etc/boot-menu-wait", BOOT_MENU_WAIT_MS, err) &&
           add_number_file(fw, "etc/boot-fail-wait", NEVER, err);
}
