/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between direct_boot.c, which has the files, and what knows the kernels' formats. */
#ifndef ENGINE_MACHINE_DIRECT_BOOT_INTERNAL_H
#define ENGINE_MACHINE_DIRECT_BOOT_INTERNAL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Low memory that the boot may use: SeaBIOS keeps away from it once it has handed over. The option
 * ROM has its scratch memory below. */
#define BOOT_LOW_START 0x10000u
#define BOOT_LOW_END 0x80000u
/* At the end of low RAM SeaBIOS keeps its tables. */
#define BOOT_HIGH_RESERVE (UINT64_C(1) << 20)
#define BOOT_HIGH_START 0x100000u
#define BOOT_PAGE 4096u

/* The option ROM's names for them: see option_rom.S. */
enum boot_protocol { BOOT_LINUX = 0, BOOT_MULTIBOOT = 1 };

/* Bytes and where in guest memory they go; bytes NULL: nothing. */
struct boot_part {
    GBytes *bytes;
    uint32_t address;
};

struct boot_plan {
    enum boot_protocol protocol;
    struct boot_part setup; /* Linux: real-mode code. Multiboot: the information structure. */
    struct boot_part kernel;
    struct boot_part cmdline; /* Linux only */
    struct boot_part initrd;  /* multiboot: all modules */
    uint32_t entry;           /* Linux: segment of the real-mode code. Multiboot: address. */
    uint32_t argument;        /* Linux: stack pointer. Multiboot: address of the information. */
};

void boot_plan_finish(struct boot_plan *plan);

/* A multiboot module: its words as the user gave them, and its content. */
struct boot_module {
    const char *words;
    GBytes *bytes;
};

struct boot_input {
    const char *name; /* of the kernel's file, for errors */
    GBytes *kernel;
    const char *cmdline;
    GBytes *initrd; /* Linux; NULL: none */
    const struct boot_module *modules;
    unsigned module_count;
    uint64_t low_ram;
};

/* Whether the file claims to be one. */
bool linux_is_kernel(GBytes *kernel);
bool multiboot_is_kernel(GBytes *kernel);

/* Fill in *ret_plan, which is untouched on failure. */
bool linux_plan(struct boot_plan *ret_plan, const struct boot_input *input, GError **err);
bool multiboot_plan(struct boot_plan *ret_plan, const struct boot_input *input, GError **err);

/* The end of what a kernel may use of low RAM. */
static inline uint64_t boot_high_end(const struct boot_input *input)
{
    return input->low_ram > BOOT_HIGH_RESERVE ? input->low_ram - BOOT_HIGH_RESERVE : 0;
}

/* Little-endian fields of a foreign file; the caller has checked that they lie inside. */
static inline uint16_t boot_get16(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

static inline uint32_t boot_get32(const uint8_t *p)
{
    return boot_get16(p) | (uint32_t)boot_get16(p + 2) << 16;
}

static inline uint64_t boot_get64(const uint8_t *p)
{
    return boot_get32(p) | (uint64_t)boot_get32(p + 4) << 32;
}

static inline void boot_set16(uint8_t *p, uint16_t value)
{
    p[0] = value;
    p[1] = value >> 8;
}

static inline void boot_set32(uint8_t *p, uint32_t value)
{
    boot_set16(p, value);
    boot_set16(p + 2, value >> 16);
}

#endif
