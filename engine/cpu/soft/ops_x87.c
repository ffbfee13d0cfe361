/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 instructions that compute: the host executes the very instruction on the guest's whole x87
 * state, so that stack faults, tags, condition codes and unmasked responses need no further care.
 * SDM volume 1, chapter 8.
 */
#include "engine/cpu/soft/flags.h"
#include "engine/cpu/soft/fpu_internal.h"

#define THUNK_SIZE 4
#define THUNKS_OF_OPCODE 64

/*
 * One function for each instruction: by opcode d8 to df, register forms by the low six bits of
 * ModRM, memory forms with the operand at (%rdi) by ModRM.reg.
 */
extern const uint8_t soft_x87_register_thunks[], soft_x87_memory_thunks[];
__asm__(".pushsection .text\n"
        ".balign 16\n"
        "soft_x87_register_thunks:\n"
        ".set soft_x87_opcode, 0xd8\n"
        ".rept 8\n"
        ".set soft_x87_modrm, 0xc0\n"
        ".rept 64\n"
        ".byte soft_x87_opcode, soft_x87_modrm, 0xc3, 0xcc\n"
        ".set soft_x87_modrm, soft_x87_modrm + 1\n"
        ".endr\n"
        ".set soft_x87_opcode, soft_x87_opcode + 1\n"
        ".endr\n"
        "soft_x87_memory_thunks:\n"
        ".set soft_x87_opcode, 0xd8\n"
        ".rept 8\n"
        ".set soft_x87_modrm, 0x07\n"
        ".rept 8\n"
        ".byte soft_x87_opcode, soft_x87_modrm, 0xc3, 0xcc\n"
        ".set soft_x87_modrm, soft_x87_modrm + 8\n"
        ".endr\n"
        ".set soft_x87_opcode, soft_x87_opcode + 1\n"
        ".endr\n"
        ".popsection\n");

static const uint8_t *register_thunk(unsigned opcode, const struct soft_insn *insn)
{
    unsigned modrm = (insn->reg & 7) << 3 | (insn->rm & 7);

    return soft_x87_register_thunks + ((opcode - 0xd8) * THUNKS_OF_OPCODE + modrm) * THUNK_SIZE;
}

static const uint8_t *memory_thunk(unsigned opcode, const struct soft_insn *insn)
{
    return soft_x87_memory_thunks + ((opcode - 0xd8) * 8 + (insn->reg & 7)) * THUNK_SIZE;
}

/* Takes the host's registers, runs the function with these flags, and gives them back. Nothing in
 * here waits for a pending x87 error, but the guest's instruction itself: none is pending there. */
static uint64_t run_on_host(struct soft_fpu *fpu, const uint8_t *thunk, void *operand,
                            uint64_t flags)
{
    uint32_t host_mxcsr = __builtin_ia32_stmxcsr();

    __asm__ volatile("fxrstor64 (%[fpu])\n"
                     "lea -128(%%rsp), %%rsp\n" /* the red zone */
                     "push %[flags]\n"
                     "popfq\n"
                     "call *%[thunk]\n"
                     "pushfq\n"
                     "pop %[flags]\n"
                     "lea 128(%%rsp), %%rsp\n"
                     "fxsave64 (%[fpu])\n"
                     "fninit\n"
                     : [flags] "+&r"(flags)
                     : [fpu] "r"(fpu), [thunk] "r"(thunk), "D"(operand)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
                       "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
    __builtin_ia32_ldmxcsr(host_mxcsr);
    return flags;
}

/*
 * Executes the guest's instruction. With FERR# (CR0.NE clear) it runs although errors are pending:
 * they are put aside, as the host would trap.
 */
static uint64_t execute(struct soft_cpu *cpu, const struct soft_insn *insn, const uint8_t *thunk,
                        void *operand)
{
    struct soft_fpu *fpu = &cpu->fpu;
    uint64_t ip = soft_insn_rip(cpu, insn), dp = fpu->dp;
    uint16_t pending = 0, opcode = fpu->opcode;
    uint64_t flags;

    if (G_UNLIKELY(fpu->status & X87_SUMMARY)) {
        pending = fpu->status & X87_EXCEPTIONS;
        fpu->status &= ~(X87_EXCEPTIONS | X87_SUMMARY | X87_BUSY);
    }
    flags = run_on_host(fpu, thunk, operand, soft_arithmetic_flags(cpu) | X86_FLAG_1);
    if (G_UNLIKELY(pending != 0)) {
        fpu->status |= pending;
        soft_x87_settle(fpu);
    }
    fpu->mxcsr_mask = MXCSR_VALID;
    fpu->ip = ip;
    fpu->cs = cpu->segment[X86_CS].selector;
    fpu->dp = dp;
    fpu->opcode = opcode;
    if (insn->flags & SOFT_INSN_MEM) {
        fpu->dp = soft_effective(cpu, insn);
        fpu->ds = cpu->segment[insn->segment].selector;
    }
    return flags;
}

static void run_register(struct soft_cpu *cpu, const struct soft_insn *insn, unsigned opcode)
{
    soft_x87_check_pending(cpu);
    execute(cpu, insn, register_thunk(opcode, insn), NULL);
    if (cpu->fpu.status & X87_SUMMARY)
        cpu->fpu.opcode = (opcode & 7) << 8 | 0xc0 | (insn->reg & 7) << 3 | (insn->rm & 7);
}

static void run_compare(struct soft_cpu *cpu, const struct soft_insn *insn, unsigned opcode)
{
    soft_x87_check_pending(cpu);
    soft_set_arithmetic_flags(cpu, execute(cpu, insn, register_thunk(opcode, insn), NULL));
}

static void run_load(struct soft_cpu *cpu, const struct soft_insn *insn, unsigned opcode,
                     unsigned size)
{
    uint8_t operand[16];

    soft_x87_check_pending(cpu);
    soft_read_mem(cpu, insn, operand, size);
    execute(cpu, insn, memory_thunk(opcode, insn), operand);
}

/* An unmasked exception other than precision leaves memory and stack as they were. */
static bool may_store(const struct soft_fpu *fpu)
{
    return !(fpu->status & ~fpu->control & X87_EXCEPTIONS & ~X87_PRECISION);
}

/* Such an exception comes before the page is looked at: the result is there first, and counts once
 * memory has it. */
static G_GNUC_NO_INLINE void run_store_slow(struct soft_cpu *cpu, const struct soft_insn *insn,
                                            unsigned opcode, uint64_t linear, unsigned size)
{
    struct soft_fpu before = cpu->fpu, after;
    uint8_t operand[16];

    execute(cpu, insn, memory_thunk(opcode, insn), operand);
    if (!may_store(&cpu->fpu))
        return;
    after = cpu->fpu;
    cpu->fpu = before;
    soft_store_bytes(cpu, linear, operand, size);
    cpu->fpu = after;
}

static void run_store(struct soft_cpu *cpu, const struct soft_insn *insn, unsigned opcode,
                      unsigned size)
{
    uint8_t operand[16], *host;
    uint64_t linear;

    soft_x87_check_pending(cpu);
    linear = soft_linear(cpu, insn, size, SOFT_WRITE);
    host = soft_tlb_find(cpu->tlb_write, linear, size);
    if (host == NULL) {
        run_store_slow(cpu, insn, opcode, linear, size);
        return;
    }
    execute(cpu, insn, memory_thunk(opcode, insn), operand);
    if (may_store(&cpu->fpu))
        memcpy(host, operand, size);
}

#define X87_REGISTER(NAME, OPCODE)           \
    SOFT_OPERATION(NAME)                     \
    {                                        \
        run_register(cpu, insn, 0x##OPCODE); \
    }
#define X87_COMPARE(NAME, OPCODE)           \
    SOFT_OPERATION(NAME)                    \
    {                                       \
        run_compare(cpu, insn, 0x##OPCODE); \
    }
#define X87_LOAD(NAME, OPCODE, SIZE)           \
    SOFT_OPERATION(NAME)                       \
    {                                          \
        run_load(cpu, insn, 0x##OPCODE, SIZE); \
    }
#define X87_STORE(NAME, OPCODE, SIZE)           \
    SOFT_OPERATION(NAME)                        \
    {                                           \
        run_store(cpu, insn, 0x##OPCODE, SIZE); \
    }

/* Arithmetic with memory */
X87_LOAD(fadd_m32, d8, 4)
X87_LOAD(fmul_m32, d8, 4)
X87_LOAD(fcom_m32, d8, 4)
X87_LOAD(fcomp_m32, d8, 4)
X87_LOAD(fsub_m32, d8, 4)
X87_LOAD(fsubr_m32, d8, 4)
X87_LOAD(fdiv_m32, d8, 4)
X87_LOAD(fdivr_m32, d8, 4)
X87_LOAD(fadd_m64, dc, 8)
X87_LOAD(fmul_m64, dc, 8)
X87_LOAD(fcom_m64, dc, 8)
X87_LOAD(fcomp_m64, dc, 8)
X87_LOAD(fsub_m64, dc, 8)
X87_LOAD(fsubr_m64, dc, 8)
X87_LOAD(fdiv_m64, dc, 8)
X87_LOAD(fdivr_m64, dc, 8)
X87_LOAD(fiadd_m32, da, 4)
X87_LOAD(fimul_m32, da, 4)
X87_LOAD(ficom_m32, da, 4)
X87_LOAD(ficomp_m32, da, 4)
X87_LOAD(fisub_m32, da, 4)
X87_LOAD(fisubr_m32, da, 4)
X87_LOAD(fidiv_m32, da, 4)
X87_LOAD(fidivr_m32, da, 4)
X87_LOAD(fiadd_m16, de, 2)
X87_LOAD(fimul_m16, de, 2)
X87_LOAD(ficom_m16, de, 2)
X87_LOAD(ficomp_m16, de, 2)
X87_LOAD(fisub_m16, de, 2)
X87_LOAD(fisubr_m16, de, 2)
X87_LOAD(fidiv_m16, de, 2)
X87_LOAD(fidivr_m16, de, 2)

/* Arithmetic between registers; names with a digit are aliases that SDM does not list */
X87_REGISTER(fadd, d8)
X87_REGISTER(fmul, d8)
X87_REGISTER(fcom, d8)
X87_REGISTER(fcomp, d8)
X87_REGISTER(fsub, d8)
X87_REGISTER(fsubr, d8)
X87_REGISTER(fdiv, d8)
X87_REGISTER(fdivr, d8)
X87_REGISTER(fadd_to, dc)
X87_REGISTER(fmul_to, dc)
X87_REGISTER(fcom2, dc)
X87_REGISTER(fcomp3, dc)
X87_REGISTER(fsubr_to, dc)
X87_REGISTER(fsub_to, dc)
X87_REGISTER(fdivr_to, dc)
X87_REGISTER(fdiv_to, dc)
X87_REGISTER(faddp, de)
X87_REGISTER(fmulp, de)
X87_REGISTER(fcomp5, de)
X87_REGISTER(fsubrp, de)
X87_REGISTER(fsubp, de)
X87_REGISTER(fdivrp, de)
X87_REGISTER(fdivp, de)
X87_REGISTER(fcompp, de)
X87_REGISTER(fucompp, da)
X87_REGISTER(fucom, dd)
X87_REGISTER(fucomp, dd)
X87_COMPARE(fucomi, db)
X87_COMPARE(fcomi, db)
X87_COMPARE(fucomip, df)
X87_COMPARE(fcomip, df)

/* Moves */
X87_LOAD(fld_m32, d9, 4)
X87_LOAD(fld_m64, dd, 8)
X87_LOAD(fld_m80, db, 10)
X87_LOAD(fild_m16, df, 2)
X87_LOAD(fild_m32, db, 4)
X87_LOAD(fild_m64, df, 8)
X87_LOAD(fbld, df, 10)
X87_STORE(fst_m32, d9, 4)
X87_STORE(fst_m64, dd, 8)
X87_STORE(fstp_m32, d9, 4)
X87_STORE(fstp_m64, dd, 8)
X87_STORE(fstp_m80, db, 10)
X87_STORE(fist_m16, df, 2)
X87_STORE(fist_m32, db, 4)
X87_STORE(fistp_m16, df, 2)
X87_STORE(fistp_m32, db, 4)
X87_STORE(fistp_m64, df, 8)
X87_STORE(fbstp, df, 10)
X87_STORE(fisttp_m16, df, 2)
X87_STORE(fisttp_m32, db, 4)
X87_STORE(fisttp_m64, dd, 8)
X87_REGISTER(fld, d9)
X87_REGISTER(fst, dd)
X87_REGISTER(fstp, dd)
X87_REGISTER(fstp1, d9)
X87_REGISTER(fstp8, df)
X87_REGISTER(fstp9, df)
X87_REGISTER(fxch, d9)
X87_REGISTER(fxch4, dd)
X87_REGISTER(fxch7, df)
X87_REGISTER(fcmovb, da)
X87_REGISTER(fcmove, da)
X87_REGISTER(fcmovbe, da)
X87_REGISTER(fcmovu, da)
X87_REGISTER(fcmovnb, db)
X87_REGISTER(fcmovne, db)
X87_REGISTER(fcmovnbe, db)
X87_REGISTER(fcmovnu, db)
X87_REGISTER(ffree, dd)
X87_REGISTER(ffreep, df)

/* One operand, constants, functions */
X87_REGISTER(fnop, d9)
X87_REGISTER(fchs, d9)
X87_REGISTER(fabs, d9)
X87_REGISTER(ftst, d9)
X87_REGISTER(fxam, d9)
X87_REGISTER(fld1, d9)
X87_REGISTER(fldl2t, d9)
X87_REGISTER(fldl2e, d9)
X87_REGISTER(fldpi, d9)
X87_REGISTER(fldlg2, d9)
X87_REGISTER(fldln2, d9)
X87_REGISTER(fldz, d9)
X87_REGISTER(f2xm1, d9)
X87_REGISTER(fyl2x, d9)
X87_REGISTER(fptan, d9)
X87_REGISTER(fpatan, d9)
X87_REGISTER(fxtract, d9)
X87_REGISTER(fprem1, d9)
X87_REGISTER(fdecstp, d9)
X87_REGISTER(fincstp, d9)
X87_REGISTER(fprem, d9)
X87_REGISTER(fyl2xp1, d9)
X87_REGISTER(fsqrt, d9)
X87_REGISTER(fsincos, d9)
X87_REGISTER(frndint, d9)
X87_REGISTER(fscale, d9)
X87_REGISTER(fsin, d9)
X87_REGISTER(fcos, d9)
