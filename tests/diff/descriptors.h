/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments of a process of x86-64 Linux: what its kernel has in the GDT, and an LDT that the child
 * of native.h asks it for and the software CPU has as bytes.
 */
#ifndef TESTS_DIFF_DESCRIPTORS_H
#define TESTS_DIFF_DESCRIPTORS_H

#include <asm/ldt.h>
#include <glib.h>
#include <stdint.h>

#define USER_CODE32 0x23
#define USER_DATA 0x2b
#define USER_CODE64 0x33

#define GDT_COUNT 16
#define GDT_KERNEL_CODE 0x10
#define GDT_TSS 0x40
#define GDT_PROCESSOR 0x78 /* its limit tells on which processor the process runs */

#define LDT_COUNT 12
#define LDT_SELECTOR(entry) ((entry) << 3 | 7)

/* The kernel's own segments are there for the sake of their privilege. */
void descriptors_make_gdt(uint64_t gdt[GDT_COUNT], uint64_t tss, uint64_t ldt);
void descriptors_make_ldt(uint64_t ldt[LDT_COUNT]);

/* As modify_ldt() takes them. */
void descriptors_get_ldt(unsigned entry, struct user_desc *ret);

/* Any that a program may try; most exist. */
uint16_t descriptors_random(GRand *rand);
uint16_t descriptors_random_code(GRand *rand);

#endif
