/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/machine/smbios.h"

#include "config.h"
#include "engine/machine/byte_writer.h"

enum {
    TYPE_SYSTEM = 1,
    TYPE_CHASSIS = 3,
    TYPE_PROCESSOR = 4,
    TYPE_MEMORY_ARRAY = 16,
    TYPE_MEMORY_DEVICE = 17,
    TYPE_MEMORY_ARRAY_MAPPED = 19,
    TYPE_BOOT_INFORMATION = 32,
    TYPE_END = 127,
};

/* Handles: type << 8 | index. */
#define HANDLE(type, index) ((type) << 8 | (index))
#define NO_HANDLE 0xffff
#define NOT_PROVIDED 0xfffe /* of error information */

enum { UNKNOWN = 2, OTHER = 1, SAFE = 3 }; /* values that most enumerations share */

struct tables {
    GByteArray *bytes;
    unsigned count;
    unsigned max_size;
    unsigned start; /* of the structure being written */
};

static void begin(struct tables *t, uint8_t type, uint16_t index)
{
    t->start = t->bytes->len;
    put8(t->bytes, type);
    put8(t->bytes, 0); /* length: end() */
    put16(t->bytes, HANDLE(type, index));
}

/* strings: those that the structure numbers 1, 2, ...; NULL after the last. */
static void end(struct tables *t, const char *const *strings)
{
    t->bytes->data[t->start + 1] = t->bytes->len - t->start;
    for (unsigned i = 0; strings[i] != NULL; i++)
        put_text(t->bytes, strings[i], strlen(strings[i]) + 1);
    put_zeros(t->bytes, strings[0] != NULL ? 1 : 2);
    t->max_size = MAX(t->max_size, t->bytes->len - t->start);
    t->count++;
}

static const char *const no_strings[] = {NULL};

/* The first three fields are little-endian since version 2.6 (7.2.1). */
static void put_uuid(GByteArray *out, const uint8_t *uuid)
{
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

    for (unsigned i = 0; i < 16; i++)
        put8(out, uuid[order[i]]);
}

static void add_system(struct tables *t, const uint8_t *uuid)
{
    enum { WAKE_UP_BY_POWER_SWITCH = 6 };
    static const char *const strings[] = {"vmdesk", "vmdesk virtual machine", PACKAGE_VERSION,
                                          NULL};

    begin(t, TYPE_SYSTEM, 0);
    put8(t->bytes, 1); /* manufacturer */
    put8(t->bytes, 2); /* product */
    put8(t->bytes, 3); /* version */
    put8(t->bytes, 0); /* serial number */
    put_uuid(t->bytes, uuid);
    put8(t->bytes, WAKE_UP_BY_POWER_SWITCH);
    put8(t->bytes, 0); /* SKU */
    put8(t->bytes, 0); /* family */
    end(t, strings);
}

static void add_chassis(struct tables *t)
{
    static const char *const strings[] = {"vmdesk", NULL};

    begin(t, TYPE_CHASSIS, 0);
    put8(t->bytes, 1); /* manufacturer */
    put8(t->bytes, OTHER);
    put_zeros(t->bytes, 3); /* version, serial number, asset tag */
    put8(t->bytes, SAFE);   /* at boot: the chassis, its power supply, its temperature */
    put8(t->bytes, SAFE);
    put8(t->bytes, SAFE);
    put8(t->bytes, UNKNOWN); /* security */
    put32(t->bytes, 0);
    put8(t->bytes, 0); /* height and power cords: unspecified */
    put8(t->bytes, 0);
    put8(t->bytes, 0); /* no contained elements, of no size */
    put8(t->bytes, 0);
    put8(t->bytes, 0); /* SKU */
    end(t, strings);
}

static void add_processor(struct tables *t, unsigned index)
{
    enum { CENTRAL = 3, FAMILY_OTHER = 1, POPULATED_AND_ENABLED = 0x41, CAN_64_BIT = 1 << 2 };
    char socket[16];

    g_snprintf(socket, sizeof(socket), "CPU %u", index);
    begin(t, TYPE_PROCESSOR, index);
    put8(t->bytes, 1); /* socket */
    put8(t->bytes, CENTRAL);
    put8(t->bytes, FAMILY_OTHER);
    put8(t->bytes, 2);      /* manufacturer */
    put64(t->bytes, 0);     /* CPUID has it */
    put8(t->bytes, 0);      /* version */
    put8(t->bytes, 0);      /* voltage */
    put_zeros(t->bytes, 6); /* clocks: unknown */
    put8(t->bytes, POPULATED_AND_ENABLED);
    put8(t->bytes, OTHER); /* upgrade */
    put16(t->bytes, NO_HANDLE);
    put16(t->bytes, NO_HANDLE);
    put16(t->bytes, NO_HANDLE);
    put_zeros(t->bytes, 3); /* serial number, asset tag, part number */
    put8(t->bytes, 1);      /* cores, of them enabled, threads */
    put8(t->bytes, 1);
    put8(t->bytes, 1);
    put16(t->bytes, CAN_64_BIT);
    put16(t->bytes, FAMILY_OTHER);
    end(t, (const char *const[]){socket, "vmdesk", NULL});
}

static void add_memory_array(struct tables *t, uint64_t ram)
{
    enum { ON_SYSTEM_BOARD = 3, SYSTEM_MEMORY = 3, NO_CORRECTION = 3 };

    begin(t, TYPE_MEMORY_ARRAY, 0);
    put8(t->bytes, ON_SYSTEM_BOARD);
    put8(t->bytes, SYSTEM_MEMORY);
    put8(t->bytes, NO_CORRECTION);
    put32(t->bytes, 0x80000000); /* capacity: in the field below */
    put16(t->bytes, NOT_PROVIDED);
    put16(t->bytes, 1); /* devices */
    put64(t->bytes, ram);
    end(t, no_strings);
}

static void add_memory_device(struct tables *t, uint64_t ram)
{
    enum { FORM_DIMM = 9, TYPE_RAM = 7, DETAIL_OTHER = 1 << 1 };
    enum { SIZE_IS_EXTENDED = 0x7fff };
    static const char *const strings[] = {"DIMM 0", "vmdesk", NULL};
    uint64_t mib = ram >> 20;

    begin(t, TYPE_MEMORY_DEVICE, 0);
    put16(t->bytes, HANDLE(TYPE_MEMORY_ARRAY, 0));
    put16(t->bytes, NOT_PROVIDED);
    put16(t->bytes, 64); /* total and data width in bits */
    put16(t->bytes, 64);
    put16(t->bytes, MIN(mib, SIZE_IS_EXTENDED));
    put8(t->bytes, FORM_DIMM);
    put8(t->bytes, 0); /* no device set */
    put8(t->bytes, 1); /* locator */
    put8(t->bytes, 0); /* bank */
    put8(t->bytes, TYPE_RAM);
    put16(t->bytes, DETAIL_OTHER);
    put16(t->bytes, 0);     /* speed */
    put8(t->bytes, 2);      /* manufacturer */
    put_zeros(t->bytes, 4); /* serial number, asset tag, part number, rank */
    put32(t->bytes, mib);
    put_zeros(t->bytes, 8); /* configured speed, voltages */
    end(t, strings);
}

static void add_mapped_range(struct tables *t, unsigned index, uint64_t base, uint64_t size)
{
    enum { ADDRESSES_ARE_EXTENDED = 0xffffffff };

    begin(t, TYPE_MEMORY_ARRAY_MAPPED, index);
    put32(t->bytes, ADDRESSES_ARE_EXTENDED);
    put32(t->bytes, ADDRESSES_ARE_EXTENDED);
    put16(t->bytes, HANDLE(TYPE_MEMORY_ARRAY, 0));
    put8(t->bytes, 1); /* devices in a row */
    put64(t->bytes, base);
    put64(t->bytes, base + size - 1);
    end(t, no_strings);
}

static void add_boot_information(struct tables *t)
{
    begin(t, TYPE_BOOT_INFORMATION, 0);
    put_zeros(t->bytes, 6);
    put8(t->bytes, 0); /* no errors */
    end(t, no_strings);
}

static void add_end(struct tables *t)
{
    begin(t, TYPE_END, 0);
    end(t, no_strings);
}

/* The 32-bit entry point (5.2.1). The firmware sets the address and both checksums. */
static GBytes *build_anchor(const struct tables *t)
{
    enum { ENTRY_POINT_SIZE = 0x1f, VERSION_MAJOR = 2, VERSION_MINOR = 8 };
    GByteArray *out = g_byte_array_new();

    put_text(out, "_SM_", 4);
    put8(out, 0);
    put8(out, ENTRY_POINT_SIZE);
    put8(out, VERSION_MAJOR);
    put8(out, VERSION_MINOR);
    put16(out, t->max_size);
    put8(out, 0);
    put_zeros(out, 5);
    put_text(out, "_DMI_", 5);
    put8(out, 0);
    put16(out, t->bytes->len);
    put32(out, 0);
    put16(out, t->count);
    put8(out, VERSION_MAJOR << 4 | VERSION_MINOR);
    return g_byte_array_free_to_bytes(out);
}

void smbios_build(struct smbios_blobs *ret_blobs, unsigned cpus, uint64_t low_ram,
                  uint64_t high_ram, const uint8_t *uuid)
{
    struct tables t = {.bytes = g_byte_array_new()};

    add_system(&t, uuid);
    add_chassis(&t);
    for (unsigned i = 0; i < cpus; i++)
        add_processor(&t, i);
    add_memory_array(&t, low_ram + high_ram);
    add_memory_device(&t, low_ram + high_ram);
    add_mapped_range(&t, 0, 0, low_ram);
    if (high_ram > 0)
        add_mapped_range(&t, 1, UINT64_C(1) << 32, high_ram);
    add_boot_information(&t);
    add_end(&t);
    ret_blobs->anchor = build_anchor(&t);
    ret_blobs->tables = g_byte_array_free_to_bytes(t.bytes);
}

void smbios_blobs_finish(struct smbios_blobs *blobs)
{
    g_bytes_unref(blobs->anchor);
    g_bytes_unref(blobs->tables);
}
