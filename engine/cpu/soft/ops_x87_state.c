/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87 control instructions and environments. SDM volume 1, 8.1.10 for the images. */
#include "engine/cpu/soft/fpu_internal.h"

#define ENVIRONMENT16 14
#define ENVIRONMENT32 28
#define REGISTERS_SIZE 80

static bool is_protected(const struct soft_cpu *cpu)
{
    return cpu->mode & SOFT_MODE_PROTECTED && !(cpu->mode & SOFT_MODE_V86);
}

static unsigned environment_size(const struct soft_insn *insn)
{
    return insn->size == 2 ? ENVIRONMENT16 : ENVIRONMENT32;
}

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static unsigned tag_of(const union soft_xmm *st)
{
    unsigned exponent = st->u16[4] & 0x7fff;

    if (exponent == 0 && st->u64[0] == 0)
        return TAG_ZERO;
    return exponent == 0 || exponent == 0x7fff || st->u64[0] >> 63 == 0 ? TAG_SPECIAL : TAG_VALID;
}

static uint16_t tag_word(const struct soft_fpu *fpu)
{
    unsigned word = 0;

    for (unsigned i = 0; i < 8; i++) {
        const union soft_xmm *st = &fpu->st[(i - soft_x87_top(fpu)) & 7];

        word |= (fpu->tags >> i & 1 ? tag_of(st) : TAG_EMPTY) << i * 2;
    }
    return word;
}

/* The seven fields as 32-bit values; the 16-bit forms are their low halves. */
static void make_environment(const struct soft_cpu *cpu, uint32_t field[7])
{
    const struct soft_fpu *fpu = &cpu->fpu;

    field[0] = fpu->control | 0xffff0000;
    field[1] = fpu->status | 0xffff0000;
    field[2] = tag_word(fpu) | 0xffff0000;
    if (is_protected(cpu)) {
        field[3] = fpu->ip;
        field[4] = fpu->cs | (uint32_t)fpu->opcode << 16;
        field[5] = fpu->dp;
        field[6] = fpu->ds | 0xffff0000;
    } else {
        uint32_t ip = fpu->ip + ((uint32_t)fpu->cs << 4), dp = fpu->dp + ((uint32_t)fpu->ds << 4);

        field[3] = (ip & 0xffff) | 0xffff0000;
        field[4] = (ip >> 16) << 12 | fpu->opcode;
        field[5] = (dp & 0xffff) | 0xffff0000;
        field[6] = (dp >> 16) << 12;
    }
}

static void put_environment(const struct soft_cpu *cpu, const struct soft_insn *insn,
                            uint8_t *image)
{
    uint32_t field[7];

    make_environment(cpu, field);
    if (insn->size != 2) {
        memcpy(image, field, ENVIRONMENT32);
        return;
    }
    for (unsigned i = 0; i < 7; i++)
        memcpy(image + i * 2, &field[i], 2);
    if (!is_protected(cpu)) {
        uint16_t ip = field[4], dp = field[6];

        memcpy(image + 8, &ip, 2);
        memcpy(image + 12, &dp, 2);
    }
}

static void set_tags(struct soft_fpu *fpu, uint16_t word)
{
    fpu->tags = 0;
    for (unsigned i = 0; i < 8; i++)
        fpu->tags |= ((word >> i * 2 & 3) != TAG_EMPTY) << i;
}

static void take_environment(struct soft_cpu *cpu, const struct soft_insn *insn,
                             const uint8_t *image)
{
    struct soft_fpu *fpu = &cpu->fpu;
    uint32_t field[7] = {0};

    for (unsigned i = 0; i < 7; i++)
        memcpy(&field[i], image + i * (insn->size == 2 ? 2 : 4), insn->size == 2 ? 2 : 4);
    fpu->control = field[0];
    fpu->status = field[1];
    set_tags(fpu, field[2]);
    if (is_protected(cpu)) {
        fpu->ip = field[3];
        fpu->cs = field[4];
        fpu->opcode = insn->size == 2 ? 0 : field[4] >> 16 & 0x7ff;
        fpu->dp = field[5];
        fpu->ds = field[6];
    } else {
        fpu->ip = (field[3] & 0xffff) | (field[4] >> 12 & 0xffff) << 16;
        fpu->opcode = field[4] & 0x7ff;
        fpu->dp = (field[5] & 0xffff) | (field[6] >> 12 & 0xffff) << 16;
        fpu->cs = fpu->ds = 0;
    }
    soft_x87_settle(fpu);
}

SOFT_OPERATION(fwait)
{
    if ((cpu->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
        soft_raise(cpu, X86_NM, 0);
    soft_x87_check_pending(cpu);
}

/* What only the 8087 and the 80287 needed. */
SOFT_OPERATION(fneni)
{
}

SOFT_OPERATION(fninit)
{
    soft_x87_init(&cpu->fpu);
}

SOFT_OPERATION(fnclex)
{
    cpu->fpu.status &= ~(X87_EXCEPTIONS | X87_STACK_FAULT | X87_SUMMARY | X87_BUSY);
}

SOFT_OPERATION(fnstcw)
{
    soft_write_mem16(cpu, insn, cpu->fpu.control);
}

SOFT_OPERATION(fnstsw)
{
    soft_write_mem16(cpu, insn, cpu->fpu.status);
}

SOFT_OPERATION(fnstsw_ax)
{
    memcpy(&cpu->gpr[X86_RAX], &cpu->fpu.status, 2);
}

SOFT_OPERATION(fldcw)
{
    soft_x87_check_pending(cpu);
    cpu->fpu.control = soft_read_mem16(cpu, insn);
    soft_x87_settle(&cpu->fpu);
}

SOFT_OPERATION(fnstenv)
{
    uint8_t image[ENVIRONMENT32];

    put_environment(cpu, insn, image);
    soft_write_mem(cpu, insn, image, environment_size(insn));
    cpu->fpu.control |= X87_EXCEPTIONS;
    soft_x87_settle(&cpu->fpu);
}

/* FLDENV changes TOP, but the registers stay where they are. */
SOFT_OPERATION(fldenv)
{
    uint8_t image[ENVIRONMENT32];
    uint16_t status;

    soft_x87_check_pending(cpu);
    soft_read_mem(cpu, insn, image, environment_size(insn));
    memcpy(&status, image + environment_size(insn) / 7, sizeof(status));
    soft_x87_rotate(&cpu->fpu, status >> X87_TOP_SHIFT & 7);
    take_environment(cpu, insn, image);
}

SOFT_OPERATION(fnsave)
{
    uint8_t image[ENVIRONMENT32 + REGISTERS_SIZE];
    unsigned size = environment_size(insn);

    put_environment(cpu, insn, image);
    for (unsigned i = 0; i < 8; i++)
        memcpy(image + size + i * 10, &cpu->fpu.st[i], 10);
    soft_write_mem(cpu, insn, image, size + REGISTERS_SIZE);
    soft_x87_init(&cpu->fpu);
}

SOFT_OPERATION(frstor)
{
    uint8_t image[ENVIRONMENT32 + REGISTERS_SIZE];
    unsigned size = environment_size(insn);

    soft_x87_check_pending(cpu);
    soft_read_mem(cpu, insn, image, size + REGISTERS_SIZE);
    take_environment(cpu, insn, image);
    for (unsigned i = 0; i < 8; i++)
        memcpy(&cpu->fpu.st[i], image + size + i * 10, 10);
}
