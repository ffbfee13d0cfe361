/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions on the host's processor itself, in a traced child: registers are set, the code runs
 * up to a trap or a fault, and everything is read back.
 */
#ifndef TESTS_DIFF_NATIVE_H
#define TESTS_DIFF_NATIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

/* Memory at the same address in the child and here. Behind the data stands a page of nothing. */
#define NATIVE_DATA UINT64_C(0x10000000)
#define NATIVE_DATA_SIZE 8192
#define NATIVE_CODE UINT64_C(0x10010000)
#define NATIVE_CODE_SIZE 4096

struct native_state {
    uint64_t gpr[16]; /* in encoding order */
    uint64_t rip, rflags;
    bool narrow;         /* 32-bit code, where it starts */
    uint16_t segment[6]; /* selectors in encoding order */
    uint64_t fs_base, gs_base;
    struct user_fpregs_struct fpu; /* the image of FXSAVE64 */
};

/* Faults as far as a process can tell them apart. */
enum native_fault {
    NATIVE_NONE,
    NATIVE_DIVIDE,
    NATIVE_UD,
    NATIVE_GP, /* #NP, #SS, #BR, #OF */
    NATIVE_PF,
    NATIVE_FP,   /* #MF, #XM */
    NATIVE_TRAP, /* #BP, #DB */
    NATIVE_OTHER,
};

struct native;

/* NULL: processes cannot be traced here. */
struct native *native_new(void);
void native_free(struct native *native); /* NULL is fine */
/* Whether the kernel gave the child the LDT of descriptors.h. */
bool native_has_ldt(const struct native *native);

/* The segments that a process begins with; before->narrow says which. */
void native_set_segments(struct native_state *state);

/* Runs the code at NATIVE_CODE; *state becomes what it left. */
enum native_fault native_run(struct native *native, struct native_state *state);

#endif
