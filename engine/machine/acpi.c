/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/acpi.h"

#include <stdint.h>
#include <string.h>

#include "engine/machine/byte_writer.h"
#include "engine/machine/dsdt_aml.h"

#define TABLES_FILE "etc/acpi/tables"
#define RSDP_FILE "etc/acpi/rsdp"

#define LOCAL_APIC_ADDRESS 0xfee00000u
#define IO_APIC_ADDRESS 0xfec00000u
#define RESET_PORT 0xcf9
#define RESET_VALUE 0x06 /* full reset: RST_CPU and SYS_RST */

/* Offsets in the standard table header (5.2.6). */
enum { HEADER_LENGTH = 4, HEADER_CHECKSUM = 9, HEADER_SIZE = 36 };

/* Tables grow in one blob, in which pointers are offsets until the firmware has placed it; the
 * script records where they are. */
struct builder {
    GByteArray *tables;
    GByteArray *loader;
};

/* One command of the loader script: 128 bytes, files named by 56. */
enum { COMMAND_ALLOCATE = 1, COMMAND_ADD_POINTER = 2, COMMAND_ADD_CHECKSUM = 3 };
enum { COMMAND_SIZE = 128, COMMAND_FILE_SIZE = 56 };
enum loader_zone { ZONE_HIGH = 1, ZONE_FSEG = 2 };

static void end_command(GByteArray *loader)
{
    put_zeros(loader, COMMAND_SIZE - loader->len % COMMAND_SIZE);
}

static void command_allocate(GByteArray *loader, const char *file, uint32_t align,
                             enum loader_zone zone)
{
    put32(loader, COMMAND_ALLOCATE);
    put_text(loader, file, COMMAND_FILE_SIZE);
    put32(loader, align);
    put8(loader, zone);
    end_command(loader);
}

/* To the pointer of size bytes at offset in file, the firmware adds where the tables are. */
static void command_add_pointer(GByteArray *loader, const char *file, uint32_t offset, uint8_t size)
{
    put32(loader, COMMAND_ADD_POINTER);
    put_text(loader, file, COMMAND_FILE_SIZE);
    put_text(loader, TABLES_FILE, COMMAND_FILE_SIZE);
    put32(loader, offset);
    put8(loader, size);
    end_command(loader);
}

static void command_add_checksum(GByteArray *loader, const char *file, uint32_t offset,
                                 uint32_t start, uint32_t length)
{
    put32(loader, COMMAND_ADD_CHECKSUM);
    put_text(loader, file, COMMAND_FILE_SIZE);
    put32(loader, offset);
    put32(loader, start);
    put32(loader, length);
    end_command(loader);
}

/* Appends a pointer to another table of the blob. */
static void put_pointer(struct builder *b, uint32_t target, uint8_t size)
{
    command_add_pointer(b->loader, TABLES_FILE, b->tables->len, size);
    put32(b->tables, target);
    put_zeros(b->tables, size - 4);
}

static uint32_t begin_table(struct builder *b, const char *signature, uint8_t revision)
{
    uint32_t start = b->tables->len;

    put_text(b->tables, signature, 4);
    put32(b->tables, 0); /* length: end_table() */
    put8(b->tables, revision);
    put8(b->tables, 0); /* checksum: the firmware, when the pointers are right */
    put_text(b->tables, "VMDESK", 6);
    put_text(b->tables, "VMDESK35", 8);
    put32(b->tables, 1);
    put_text(b->tables, "VMDK", 4);
    put32(b->tables, 1);
    return start;
}

static void end_table(struct builder *b, uint32_t start)
{
    uint32_t length = b->tables->len - start;
    uint32_t le = GUINT32_TO_LE(length);

    memcpy(b->tables->data + start + HEADER_LENGTH, &le, sizeof(le));
    command_add_checksum(b->loader, TABLES_FILE, start + HEADER_CHECKSUM, start, length);
}

/* 5.2.10: no header checksum; aligned to 64 bytes, as the start of the blob is. */
static uint32_t build_facs(struct builder *b)
{
    uint32_t start = b->tables->len;

    put_text(b->tables, "FACS", 4);
    put32(b->tables, 64);
    put_zeros(b->tables, 64 - 8);
    return start;
}

static uint32_t build_dsdt(struct builder *b)
{
    uint32_t start = begin_table(b, "DSDT", 1);

    g_byte_array_append(b->tables, dsdt_aml, sizeof(dsdt_aml));
    end_table(b, start);
    return start;
}

/* A generic address (5.2.3.2) in port space. */
static void put_port(GByteArray *out, uint16_t port, uint8_t bytes, uint8_t access_size)
{
    put8(out, 1); /* system I/O */
    put8(out, bytes * 8);
    put8(out, 0);
    put8(out, access_size);
    put64(out, port);
}

static void put_no_address(GByteArray *out)
{
    put_zeros(out, 12);
}

/* The PM block (ICH9 datasheet, 13.8.3), and how its registers are accessed. */
enum {
    PM1_EVENT = ACPI_PM_BASE,
    PM1_EVENT_BYTES = 4,
    PM1_CONTROL = ACPI_PM_BASE + 4,
    PM1_CONTROL_BYTES = 2,
    PM_TIMER = ACPI_PM_BASE + 8,
    PM_TIMER_BYTES = 4,
    GPE0 = ACPI_PM_BASE + 0x20,
    GPE0_BYTES = 16,
};
enum { ACCESS_BYTE = 1, ACCESS_WORD = 2, ACCESS_DWORD = 3 };

/* 5.2.9, revision 3: 244 bytes. */
static uint32_t build_fadt(struct builder *b, uint32_t facs, uint32_t dsdt)
{
    enum {
        FLAG_WBINVD = 1 << 0,
        FLAG_C1 = 1 << 2,
        FLAG_NO_FIXED_SLEEP_BUTTON = 1 << 5,
        FLAG_NO_FIXED_RTC_WAKE = 1 << 6,
        FLAG_RESET_REGISTER = 1 << 10,
    };
    enum { BOOT_LEGACY_DEVICES = 1 << 0, BOOT_8042 = 1 << 1 };
    enum { PROFILE_DESKTOP = 1 };
    enum { NO_C2 = 0xfff, NO_C3 = 0xfff, CENTURY_CMOS_INDEX = 0x32 };
    GByteArray *t = b->tables;
    uint32_t start = begin_table(b, "FACP", 3);

    put_pointer(b, facs, 4);
    put_pointer(b, dsdt, 4);
    put8(t, 0);
    put8(t, PROFILE_DESKTOP);
    put16(t, ACPI_SCI_IRQ);
    put32(t, ACPI_SMI_COMMAND_PORT);
    put8(t, ACPI_ENABLE_COMMAND);
    put8(t, ACPI_DISABLE_COMMAND);
    put_zeros(t, 2); /* no S4BIOS, no processor performance control */
    put32(t, PM1_EVENT);
    put32(t, 0);
    put32(t, PM1_CONTROL);
    put32(t, 0);
    put32(t, 0); /* no PM2 control */
    put32(t, PM_TIMER);
    put32(t, GPE0);
    put32(t, 0);
    put8(t, PM1_EVENT_BYTES);
    put8(t, PM1_CONTROL_BYTES);
    put8(t, 0);
    put8(t, PM_TIMER_BYTES);
    put8(t, GPE0_BYTES);
    put_zeros(t, 3); /* no GPE1, no C-state notification */
    put16(t, NO_C2);
    put16(t, NO_C3);
    put_zeros(t, 6); /* no cache flush by size, no throttling */
    put_zeros(t, 2); /* no alarm by day or month */
    put8(t, CENTURY_CMOS_INDEX);
    put16(t, BOOT_LEGACY_DEVICES | BOOT_8042);
    put8(t, 0);
    put32(t, FLAG_WBINVD | FLAG_C1 | FLAG_NO_FIXED_SLEEP_BUTTON | FLAG_NO_FIXED_RTC_WAKE |
                 FLAG_RESET_REGISTER);
    put_port(t, RESET_PORT, 1, ACCESS_BYTE);
    put8(t, RESET_VALUE);
    put_zeros(t, 3);
    put64(t, 0); /* the FACS is below 4 GiB: FIRMWARE_CTRL has it */
    put_pointer(b, dsdt, 8);
    put_port(t, PM1_EVENT, PM1_EVENT_BYTES, ACCESS_WORD);
    put_no_address(t);
    put_port(t, PM1_CONTROL, PM1_CONTROL_BYTES, ACCESS_WORD);
    put_no_address(t);
    put_no_address(t);
    put_port(t, PM_TIMER, PM_TIMER_BYTES, ACCESS_DWORD);
    put_port(t, GPE0, GPE0_BYTES, ACCESS_BYTE);
    put_no_address(t);
    end_table(b, start);
    return start;
}

/* 5.2.12 */
static uint32_t build_madt(struct builder *b, unsigned cpus)
{
    enum { LOCAL_APIC, IO_APIC, INTERRUPT_OVERRIDE, LOCAL_APIC_NMI = 4 };
    enum { ACTIVE_HIGH = 1, LEVEL = 3 << 2, HAS_PICS = 1, ENABLED = 1, ALL_CPUS = 0xff };
    static const struct {
        uint8_t irq, gsi, flags;
    } overrides[] = {
        {0, 2, 0},
        {5, 5, ACTIVE_HIGH | LEVEL},
        {9, 9, ACTIVE_HIGH | LEVEL},
        {10, 10, ACTIVE_HIGH | LEVEL},
        {11, 11, ACTIVE_HIGH | LEVEL},
    };
    GByteArray *t = b->tables;
    uint32_t start = begin_table(b, "APIC", 1);

    put32(t, LOCAL_APIC_ADDRESS);
    put32(t, HAS_PICS);
    for (unsigned i = 0; i < cpus; i++) {
        put8(t, LOCAL_APIC);
        put8(t, 8);
        put8(t, i); /* the processor object's number */
        put8(t, i); /* APIC id */
        put32(t, ENABLED);
    }
    put8(t, IO_APIC);
    put8(t, 12);
    put16(t, 0); /* id */
    put32(t, IO_APIC_ADDRESS);
    put32(t, 0); /* first GSI */
    for (unsigned i = 0; i < G_N_ELEMENTS(overrides); i++) {
        put8(t, INTERRUPT_OVERRIDE);
        put8(t, 10);
        put8(t, 0); /* ISA */
        put8(t, overrides[i].irq);
        put32(t, overrides[i].gsi);
        put16(t, overrides[i].flags);
    }
    put8(t, LOCAL_APIC_NMI);
    put8(t, 6);
    put8(t, ALL_CPUS);
    put16(t, 0);
    put8(t, 1); /* LINT1 */
    end_table(b, start);
    return start;
}

/* PCI Firmware Specification 3.0, 4.1.2 */
static uint32_t build_mcfg(struct builder *b)
{
    uint32_t start = begin_table(b, "MCFG", 1);

    put_zeros(b->tables, 8);
    put64(b->tables, ACPI_MMCONFIG_BASE);
    put16(b->tables, 0); /* segment */
    put8(b->tables, 0);  /* first and last bus */
    put8(b->tables, 255);
    put_zeros(b->tables, 4);
    end_table(b, start);
    return start;
}

/* Processor objects for those that the MADT has: their number is not known to dsdt.asl.
 * The encoding is chapter 20's. */
static uint32_t build_ssdt(struct builder *b, unsigned cpus)
{
    enum { SCOPE_OP = 0x10, EXT_OP = 0x5b, PROCESSOR_OP = 0x83 };
    enum { SCOPE_HEADER = 2 + 5, PROCESSOR_SIZE = 13 };
    unsigned scope_length = SCOPE_HEADER + cpus * PROCESSOR_SIZE;
    GByteArray *t = b->tables;
    uint32_t start = begin_table(b, "SSDT", 1);

    put8(t, SCOPE_OP);
    put8(t, 0x40 | (scope_length & 0x0f)); /* PkgLength of two bytes */
    put8(t, scope_length >> 4);
    put_text(t, "\\_SB_", 5);
    for (unsigned i = 0; i < cpus; i++) {
        char name[5];

        g_snprintf(name, sizeof(name), "CP%02X", i & 0xff);
        put8(t, EXT_OP);
        put8(t, PROCESSOR_OP);
        put8(t, PROCESSOR_SIZE - 2);
        put_text(t, name, 4);
        put8(t, i);
        put32(t, 0); /* no processor block */
        put8(t, 0);
    }
    end_table(b, start);
    return start;
}

/* RSDT (5.2.7) with pointers of 4 bytes, or XSDT (5.2.8) of 8. */
static uint32_t build_root(struct builder *b, const char *signature, uint8_t pointer_size,
                           const uint32_t *tables, unsigned count)
{
    uint32_t start = begin_table(b, signature, 1);

    for (unsigned i = 0; i < count; i++)
        put_pointer(b, tables[i], pointer_size);
    end_table(b, start);
    return start;
}

/* 5.2.5.3 */
static GByteArray *build_rsdp(GByteArray *loader, uint32_t rsdt, uint32_t xsdt)
{
    enum { CHECKSUM = 8, RSDT = 16, XSDT = 24, EXTENDED_CHECKSUM = 32, V1_SIZE = 20, SIZE = 36 };
    GByteArray *rsdp = g_byte_array_new();

    put_text(rsdp, "RSD PTR ", 8);
    put8(rsdp, 0);
    put_text(rsdp, "VMDESK", 6);
    put8(rsdp, 2);
    put32(rsdp, rsdt);
    put32(rsdp, SIZE);
    put64(rsdp, xsdt);
    put_zeros(rsdp, 4);
    command_add_pointer(loader, RSDP_FILE, RSDT, 4);
    command_add_pointer(loader, RSDP_FILE, XSDT, 8);
    command_add_checksum(loader, RSDP_FILE, CHECKSUM, 0, V1_SIZE);
    command_add_checksum(loader, RSDP_FILE, EXTENDED_CHECKSUM, 0, SIZE);
    return rsdp;
}

void acpi_build(struct acpi_blobs *ret_blobs, unsigned cpus)
{
    struct builder b = {.tables = g_byte_array_new(), .loader = g_byte_array_new()};
    uint32_t tables[4];

    command_allocate(b.loader, TABLES_FILE, 64, ZONE_HIGH);
    command_allocate(b.loader, RSDP_FILE, 16, ZONE_FSEG);

    uint32_t facs = build_facs(&b);
    uint32_t dsdt = build_dsdt(&b);
    tables[0] = build_fadt(&b, facs, dsdt);
    tables[1] = build_madt(&b, cpus);
    tables[2] = build_mcfg(&b);
    tables[3] = build_ssdt(&b, cpus);
    uint32_t rsdt = build_root(&b, "RSDT", 4, tables, G_N_ELEMENTS(tables));
    uint32_t xsdt = build_root(&b, "XSDT", 8, tables, G_N_ELEMENTS(tables));
    GByteArray *rsdp = build_rsdp(b.loader, rsdt, xsdt);

    ret_blobs->tables = g_byte_array_free_to_bytes(b.tables);
    ret_blobs->rsdp = g_byte_array_free_to_bytes(rsdp);
    ret_blobs->loader = g_byte_array_free_to_bytes(b.loader);
}

void acpi_blobs_finish(struct acpi_blobs *blobs)
{
    g_bytes_unref(blobs->tables);
    g_bytes_unref(blobs->rsdp);
    g_bytes_unref(blobs->loader);
}
