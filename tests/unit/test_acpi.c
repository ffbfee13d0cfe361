/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ACPI tables, after a firmware has run the loader script over them. */
#include <check.h>
#include <stdbool.h>
#include <string.h>

#include "engine/machine/acpi.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

#define TABLES_BASE 0x7ffd0000u
#define RSDP_BASE 0xf5000u
#define COMMAND_SIZE 128
#define HEADER_SIZE 36

/* What the firmware allocated. */
static struct {
    const char *name;
    uint32_t base;
    uint8_t *data;
    gsize size;
    bool allocated;
} files[] = {
    {.name = "etc/acpi/tables", .base = TABLES_BASE},
    {.name = "etc/acpi/rsdp", .base = RSDP_BASE},
};

static uint32_t get32(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return GUINT32_FROM_LE(value);
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static uint8_t sum(const uint8_t *p, gsize size)
{
    uint8_t total = 0;

    while (size-- > 0)
        total += *p++;
    return total;
}

static unsigned find_file(const uint8_t *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++)
        if (strncmp((const char *)name, files[i].name, 56) == 0)
            return i;
    ck_abort_msg("the script names the file %.56s", (const char *)name);
}

static void run_command(const uint8_t *c)
{
    unsigned i = find_file(c + 4);

    switch (get32(c)) {
    case 1:
        ck_assert(!files[i].allocated);
        ck_assert_uint_eq(files[i].base % get32(c + 60), 0);
        files[i].allocated = true;
        break;
    case 2: {
        unsigned source = find_file(c + 60);
        uint32_t offset = get32(c + 116), size = c[120];
        uint64_t value = 0;

        ck_assert(files[i].allocated && files[source].allocated);
        ck_assert_uint_le(offset + size, files[i].size);
        memcpy(&value, files[i].data + offset, size);
        ck_assert_uint_lt(value, files[source].size);
        value += files[source].base;
        memcpy(files[i].data + offset, &value, size);
        break;
    }
    case 3: {
        uint32_t offset = get32(c + 60), start = get32(c + 64), length = get32(c + 68);

        ck_assert_uint_le(start + length, files[i].size);
        ck_assert_uint_ge(offset, start);
        ck_assert_uint_lt(offset, start + length);
        files[i].data[offset] -= sum(files[i].data + start, length);
        break;
    }
    default:
        ck_abort_msg("the script has an unknown command");
    }
}

static void build(unsigned cpus)
{
    struct acpi_blobs blobs;
    gsize script_size;

    acpi_build(&blobs, cpus);
    files[0].data = g_bytes_unref_to_data(blobs.tables, &files[0].size);
    files[1].data = g_bytes_unref_to_data(blobs.rsdp, &files[1].size);
    const uint8_t *script = g_bytes_get_data(blobs.loader, &script_size);
    ck_assert_uint_eq(script_size % COMMAND_SIZE, 0);
    for (gsize i = 0; i < script_size; i += COMMAND_SIZE)
        run_command(script + i);
    g_bytes_unref(blobs.loader);
}

static void finish(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        g_free(files[i].data);
        files[i].allocated = false;
    }
}

/* The table at a guest address, whole and with the right sum. */
static const uint8_t *table_at(uint64_t address, const char *signature)
{
    ck_assert_uint_ge(address, TABLES_BASE);
    ck_assert_uint_le(address + HEADER_SIZE, TABLES_BASE + files[0].size);

    const uint8_t *table = files[0].data + (address - TABLES_BASE);
    ck_assert_uint_le(address + get32(table + 4), TABLES_BASE + files[0].size);
    if (signature != NULL)
        ck_assert_mem_eq(table, signature, 4);
    if (memcmp(table, "FACS", 4) != 0)
        ck_assert_uint_eq(sum(table, get32(table + 4)), 0);
    return table;
}

/* Found as an operating system does: RSDP, XSDT. */
static const uint8_t *find_table(const char *signature)
{
    const uint8_t *xsdt = table_at(get64(files[1].data + 24), "XSDT");
    const uint8_t *found = NULL;

    for (uint32_t i = HEADER_SIZE; i < get32(xsdt + 4); i += 8) {
        const uint8_t *table = table_at(get64(xsdt + i), NULL);

        if (memcmp(table, signature, 4) == 0)
            found = table;
    }
    ck_assert_ptr_nonnull(found);
    return found;
}

START_TEST(root_pointer)
{
    build(1);
    const uint8_t *rsdp = files[1].data;
    ck_assert_mem_eq(rsdp, "RSD PTR ", 8);
    ck_assert_uint_eq(sum(rsdp, 20), 0);
    ck_assert_uint_eq(sum(rsdp, 36), 0);

    const uint8_t *rsdt = table_at(get32(rsdp + 16), "RSDT");
    const uint8_t *xsdt = table_at(get64(rsdp + 24), "XSDT");
    unsigned count = (get32(rsdt + 4) - HEADER_SIZE) / 4;
    ck_assert_uint_eq(count, (get32(xsdt + 4) - HEADER_SIZE) / 8);
    for (unsigned i = 0; i < count; i++)
        ck_assert_uint_eq(get32(rsdt + HEADER_SIZE + 4 * i), get64(xsdt + HEADER_SIZE + 8 * i));
    finish();
}
END_TEST

START_TEST(fixed_hardware)
{
    build(2);
    const uint8_t *fadt = find_table("FACP");
    ck_assert_uint_eq(get32(fadt + 4), 244);
    table_at(get32(fadt + 40), "DSDT");
    ck_assert_uint_eq(get32(fadt + 40), get64(fadt + 140));
    table_at(get32(fadt + 36), "FACS");
    ck_assert_uint_eq(get32(fadt + 36) % 64, 0);
    ck_assert_uint_eq(get32(fadt + 56), 0x600);
    ck_assert_uint_eq(get32(fadt + 64), 0x604);
    ck_assert_uint_eq(get32(fadt + 76), 0x608);
    ck_assert_uint_eq(get32(fadt + 80), 0x620);
    ck_assert_uint_eq(get32(fadt + 48), 0xb2);
    ck_assert_uint_eq(get64(fadt + 120), 0xcf9);
    finish();
}
END_TEST

START_TEST(processors)
{
    static const unsigned counts[] = {1, 2, 5, 8};
    unsigned cpus = counts[_i], seen = 0, overrides = 0;

    build(cpus);
    const uint8_t *madt = find_table("APIC");
    for (uint32_t i = 44; i < get32(madt + 4); i += madt[i + 1]) {
        ck_assert_uint_ge(madt[i + 1], 6);
        if (madt[i] == 0) {
            ck_assert_uint_eq(madt[i + 2], seen);
            ck_assert_uint_eq(madt[i + 3], seen);
            ck_assert_uint_eq(get32(madt + i + 4), 1);
            seen++;
        } else if (madt[i] == 2) {
            overrides++;
        }
    }
    ck_assert_uint_eq(seen, cpus);
    ck_assert_uint_eq(overrides, 5);
    /* Scope (\_SB) { Processor (...) ... }: the package length spans the table. */
    const uint8_t *ssdt = find_table("SSDT");
    ck_assert_uint_eq(ssdt[HEADER_SIZE], 0x10);
    ck_assert_uint_eq((ssdt[37] & 0x0f) + (ssdt[38] << 4), get32(ssdt + 4) - HEADER_SIZE - 1);
    finish();
}
END_TEST

START_TEST(mmconfig)
{
    build(1);
    const uint8_t *mcfg = find_table("MCFG");
    ck_assert_uint_eq(get64(mcfg + 44), 0xb0000000);
    ck_assert_uint_eq(mcfg[54], 0);
    ck_assert_uint_eq(mcfg[55], 255);
    finish();
}
END_TEST

/* The value of an AML integer; *p moves behind it. */
static uint32_t aml_integer(const uint8_t **p)
{
    static const uint8_t sizes[] = {[0x0a] = 1, [0x0b] = 2, [0x0c] = 4};
    uint8_t op = *(*p)++;
    uint32_t value = 0;

    if (op <= 1)
        return op;
    ck_assert(op == 0x0a || op == 0x0b || op == 0x0c);
    memcpy(&value, *p, sizes[op]);
    *p += sizes[op];
    return value;
}

/* The 128 entries of a routing table: each is checked against the chipset's rule. */
static void check_routes(const char *name, bool by_link)
{
    const uint8_t *dsdt = table_at(get32(find_table("FACP") + 40), "DSDT");
    const uint8_t *p = memmem(dsdt, get32(dsdt + 4), name, 4);

    ck_assert_ptr_nonnull(p);
    p += 4;
    ck_assert_uint_eq(*p++, 0x12); /* package */
    p += 1 + (*p >> 6);
    ck_assert_uint_eq(*p++, 128);
    for (unsigned slot = 0; slot < 32; slot++)
        for (unsigned pin = 0; pin < 4; pin++) {
            unsigned pirq = slot < 25 ? 4 + (slot + pin) % 4 : pin;

            ck_assert_uint_eq(*p++, 0x12);
            p += 1 + (*p >> 6);
            ck_assert_uint_eq(*p++, 4);
            ck_assert_uint_eq(aml_integer(&p), slot << 16 | 0xffff);
            ck_assert_uint_eq(aml_integer(&p), pin);
            if (by_link) {
                char link[] = {0x2e, 'L', 'P', 'C', '_', 'L', 'N', 'K', 'A' + pirq};

                ck_assert_mem_eq(p, link, sizeof(link));
                p += sizeof(link);
                ck_assert_uint_eq(aml_integer(&p), 0);
            } else {
                ck_assert_uint_eq(aml_integer(&p), 0);
                ck_assert_uint_eq(aml_integer(&p), 16 + pirq);
            }
        }
}

START_TEST(interrupt_routes)
{
    build(1);
    check_routes("PRTP", true);
    check_routes("PRTA", false);
    finish();
}
END_TEST

/* ACPICA's own reading of the tables, where it is installed. */
START_TEST(disassembly)
{
    static const char *const signatures[] = {"FACP", "APIC", "MCFG", "SSDT", "DSDT"};
    g_autofree char *iasl = g_find_program_in_path("iasl");

    if (iasl == NULL)
        return;
    build(8);
    char *folder = temp_folder_new();
    for (unsigned i = 0; i < G_N_ELEMENTS(signatures); i++) {
        const uint8_t *table = strcmp(signatures[i], "DSDT") == 0
                                   ? table_at(get32(find_table("FACP") + 40), "DSDT")
                                   : find_table(signatures[i]);
        g_autofree char *path = g_strdup_printf("%s/%s.dat", folder, signatures[i]);
        g_autofree char *out = NULL, *errors = NULL;
        const char *argv[] = {iasl, "-d", path, NULL};
        int status;

        ck_assert(g_file_set_contents(path, (const char *)table, get32(table + 4), NULL));
        ck_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out,
                               &errors, &status, NULL));
        ck_assert_int_eq(status, 0);
        ck_assert_msg(strstr(errors, "rror") == NULL, "%s", errors);
    }
    temp_folder_remove(folder);
    finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("acpi");
    TCase *tcase = tcase_create("tables");

    tcase_add_test(tcase, root_pointer);
    tcase_add_test(tcase, fixed_hardware);
    tcase_add_loop_test(tcase, processors, 0, 4);
    tcase_add_test(tcase, mmconfig);
    tcase_add_test(tcase, interrupt_routes);
    tcase_add_test(tcase, disassembly);
    suite_add_tcase(suite, tcase);

    return run_suite(suite);
}
