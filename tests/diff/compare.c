/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the processors left of a case, side by side. */
#include "tests/diff/case.h"

#include <stdio.h>
#include <string.h>

#include "engine/cpu/soft/flags.h"

#define COMPARED_FLAGS                                                                \
    (X86_FLAGS_ARITHMETIC | X86_FLAG_DF | X86_FLAG_TF | X86_FLAG_IF | X86_FLAG_IOPL | \
     X86_FLAG_NT | X86_FLAG_AC | X86_FLAG_ID)

/* Flags that SDM volume 2 leaves undefined, or that processors do not agree on. */
static uint64_t undefined_flags(const struct test_case *c)
{
    static const struct {
        const char *prefix;
        uint64_t flags;
    } table[] = {
        {"aaa", X86_FLAG_OF | X86_FLAG_SF | X86_FLAG_ZF | X86_FLAG_PF},
        {"aas", X86_FLAG_OF | X86_FLAG_SF | X86_FLAG_ZF | X86_FLAG_PF},
        {"aad", X86_FLAG_OF | X86_FLAG_AF | X86_FLAG_CF},
        {"aam", X86_FLAG_OF | X86_FLAG_AF | X86_FLAG_CF},
        {"daa", X86_FLAG_OF},
        {"das", X86_FLAG_OF},
        {"and", X86_FLAG_AF},
        {"or", X86_FLAG_AF},
        {"xor", X86_FLAG_AF},
        {"test", X86_FLAG_AF},
        {"sh", X86_FLAG_AF | X86_FLAG_OF | X86_FLAG_CF},
        {"sar", X86_FLAG_AF | X86_FLAG_OF},
        {"rol", X86_FLAG_OF},
        {"ror", X86_FLAG_OF},
        {"rcl", X86_FLAG_OF},
        {"rcr", X86_FLAG_OF},
        {"mul", X86_FLAG_SF | X86_FLAG_ZF | X86_FLAG_AF | X86_FLAG_PF},
        {"imul", X86_FLAG_SF | X86_FLAG_ZF | X86_FLAG_AF | X86_FLAG_PF},
        {"div", X86_FLAGS_ARITHMETIC},
        {"idiv", X86_FLAGS_ARITHMETIC},
        {"bt", X86_FLAGS_ARITHMETIC & ~(X86_FLAG_CF | X86_FLAG_ZF)},
        {"bs", X86_FLAGS_ARITHMETIC & ~X86_FLAG_ZF},
    };

    if (c->row->flags & (ROW_SSE | ROW_MMX) || case_named(c, "bswap"))
        return 0;
    if (c->native_fault != NATIVE_NONE && (case_named(c, "cmps") || case_named(c, "scas")))
        return X86_FLAGS_ARITHMETIC;
    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        if (g_str_has_prefix(c->row->operation->name, table[i].prefix))
            return table[i].flags;
    }
    return 0;
}

/* SDM volume 2, SHLD and SHRD: what a count beyond the operand's size does is undefined. */
static bool is_undefined(const struct test_case *c)
{
    unsigned count = case_named(c, "shld_cl") || case_named(c, "shrd_cl") ? c->before.gpr[X86_RCX]
                                                                          : c->code[c->length - 1];

    return (g_str_has_prefix(c->row->operation->name, "shld") ||
            g_str_has_prefix(c->row->operation->name, "shrd")) &&
           c->size == 2 && (count & 31) > 16;
}

/* What a store wrote that processors do not agree on. */
static void forget_pointers(const struct test_case *c)
{
    uint8_t *data = (uint8_t *)NATIVE_DATA;
    uint64_t at = case_memory(c) - data;
    unsigned step = c->size == 2 ? 2 : 4;

    if (c->native_fault != NATIVE_NONE)
        return;
    if (case_named(c, "fxsave") || g_str_has_prefix(c->row->operation->name, "xsave")) {
        memcpy(data + at + 6, c->data_native + at + 6, 18);
        memcpy(data + at + 28, c->data_native + at + 28, 4);
    } else if (case_named(c, "fnsave") || case_named(c, "fnstenv")) {
        memcpy(data + at + step * 3, c->data_native + at + step * 3, step * 4);
    }
}

/* Beside an unmasked overflow or underflow the soft core's PE tells of the masked result. */
static bool same_mxcsr(const struct test_case *c)
{
    uint32_t native = c->native.fpu.mxcsr, soft = c->soft.fpu.mxcsr;
    uint32_t unmasked = native & ~native >> MXCSR_MASK_SHIFT;

    if (c->native_fault == NATIVE_FP && unmasked & (X87_OVERFLOW | X87_UNDERFLOW))
        return ((native ^ soft) & ~(uint32_t)X87_PRECISION) == 0;
    return native == soft;
}

static const char *x87_difference(const struct user_fpregs_struct *n,
                                  const struct user_fpregs_struct *s)
{
    if (n->cwd != s->cwd)
        return "x87 control";
    if (n->swd != s->swd)
        return "x87 status";
    if ((uint8_t)n->ftw != (uint8_t)s->ftw)
        return "x87 tags";
    for (unsigned i = 0; i < 8; i++) {
        if (memcmp(&n->st_space[i * 4], &s->st_space[i * 4], 10) != 0)
            return "x87 registers";
    }
    return NULL;
}

/* Faults of which some processors show that they had begun. */
static bool began(const struct test_case *c, const char *prefix)
{
    return c->native_fault != NATIVE_NONE && g_str_has_prefix(c->row->operation->name, prefix);
}

static bool is_masked_move(const struct test_case *c)
{
    return case_named(c, "maskmovdqu") || case_named(c, "mmx_maskmovq");
}

/* An interrupt of the host may clear the RPL of a null selector. */
static bool same_segments(const struct test_case *c)
{
    bool same = true;

    for (unsigned i = 0; i < G_N_ELEMENTS(c->native.segment); i++) {
        uint16_t native = c->native.segment[i], soft = c->soft.segment[i];

        same &= native == soft || (native == 0 && soft <= 3);
    }
    return same;
}

static bool stores_mmx(const struct test_case *c)
{
    return case_named(c, "mmx_maskmovq") || case_named(c, "mmx_movq_store") ||
           case_named(c, "mmx_movd_store");
}

static const char *find_difference(const struct test_case *c)
{
    const struct user_fpregs_struct *n = &c->native.fpu, *s = &c->soft.fpu;
    const char *x87 = x87_difference(n, s);

#ifdef __SANITIZE_ADDRESS__
    /* The sanitizer's shadow is memory that only the child has. */
    if (c->native_fault == NATIVE_NONE && c->soft_fault == NATIVE_PF)
        return NULL;
#endif
    if (c->native_fault == NATIVE_PF && c->soft_fault == NATIVE_NONE && is_masked_move(c))
        return NULL;
    if (c->native_fault != c->soft_fault)
        return "fault";
    if (memcmp(c->native.gpr, c->soft.gpr, sizeof(c->native.gpr)) != 0 &&
        !(case_named(c, "popa") && c->native_fault == NATIVE_PF))
        return "general registers";
    if ((c->native.rflags ^ c->soft.rflags) & COMPARED_FLAGS & ~undefined_flags(c))
        return "flags";
    if (c->native.rip != c->soft.rip)
        return "RIP";
    if (!same_segments(c))
        return "segments";
    if (c->native.fs_base != c->soft.fs_base || c->native.gs_base != c->soft.gs_base)
        return "bases";
    if (x87 != NULL && !(case_named(c, "cvtpi2ps") && c->base < 16) &&
        !(c->native_fault == NATIVE_PF && stores_mmx(c)) && !began(c, "xrstor"))
        return x87;
    if (!same_mxcsr(c))
        return "MXCSR";
    if (memcmp(n->xmm_space, s->xmm_space, sizeof(n->xmm_space)) != 0 && !began(c, "xrstor"))
        return "XMM registers";
    if (began(c, "call_far") ||
        ((began(c, "fstp_m80") || began(c, "fbstp")) && c->native_fault == NATIVE_PF))
        return NULL;
    return memcmp(c->data_native, (void *)NATIVE_DATA, NATIVE_DATA_SIZE) != 0 ? "memory" : NULL;
}

/* Numbers of 32 bits that are the host's own. */
static void forget_answers(struct test_case *c)
{
    static const struct {
        const char *operation;
        unsigned registers; /* bits */
    } table[] = {
        {"rdtsc", 1 << X86_RAX | 1 << X86_RDX},
        {"rdtscp", 1 << X86_RAX | 1 << X86_RCX | 1 << X86_RDX},
        {"cpuid", 1 << X86_RAX | 1 << X86_RBX | 1 << X86_RCX | 1 << X86_RDX},
        {"xgetbv", 1 << X86_RAX},
    };

    if (c->native_fault != NATIVE_NONE)
        return;
    for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
        for (unsigned j = 0; case_named(c, table[i].operation) && j < 16; j++) {
            if (table[i].registers >> j & 1 && c->soft.gpr[j] <= UINT32_MAX)
                c->soft.gpr[j] = (uint32_t)c->native.gpr[j];
        }
    }
}

const char *case_difference(struct test_case *c)
{
    forget_pointers(c);
    forget_answers(c);
    return is_undefined(c) ? NULL : find_difference(c);
}

static void print_state(const char *name, const struct native_state *s, enum native_fault fault)
{
    printf("  %s: fault %d rip %lx flags %06lx cw %04x sw %04x tags %02x mxcsr %04x\n", name, fault,
           (unsigned long)s->rip, (unsigned long)(s->rflags & COMPARED_FLAGS), s->fpu.cwd,
           s->fpu.swd, s->fpu.ftw & 0xff, s->fpu.mxcsr);
    printf("    segments");
    for (unsigned i = 0; i < G_N_ELEMENTS(s->segment); i++)
        printf(" %04x", s->segment[i]);
    printf(" bases %lx %lx", (unsigned long)s->fs_base, (unsigned long)s->gs_base);
    for (unsigned i = 0; i < 16; i++)
        printf("%s%016lx", i % 8 == 0 ? "\n    " : " ", (unsigned long)s->gpr[i]);
    for (unsigned i = 0; i < 8; i++)
        printf("%s%04x:%08x%08x", i % 4 == 0 ? "\n    st " : " ",
               s->fpu.st_space[i * 4 + 2] & 0xffff, s->fpu.st_space[i * 4 + 1],
               s->fpu.st_space[i * 4]);
    for (unsigned i = 0; i < 16; i++)
        printf("%s%08x%08x%08x%08x", i % 4 == 0 ? "\n    xmm " : " ", s->fpu.xmm_space[i * 4 + 3],
               s->fpu.xmm_space[i * 4 + 2], s->fpu.xmm_space[i * 4 + 1], s->fpu.xmm_space[i * 4]);
    printf("\n");
}

void case_print(const struct test_case *c)
{
    printf("%s (%s), %d bits, memory %d\n  code", c->row->operation->name, c->row->operands,
           c->before.narrow ? 32 : 64, c->base < 16);
    for (unsigned i = 0; i < c->length; i++)
        printf(" %02x", c->code[i]);
    printf("\n");
    print_state("before", &c->before, NATIVE_NONE);
    print_state("native", &c->native, c->native_fault);
    print_state("soft", &c->soft, c->soft_fault);
    for (unsigned i = 0; i < NATIVE_DATA_SIZE; i++) {
        uint8_t soft = ((const uint8_t *)NATIVE_DATA)[i];

        if (c->data_native[i] != soft)
            printf("  memory +%x: %02x, native %02x, soft %02x\n", i, c->data_before[i],
                   c->data_native[i], soft);
    }
}
