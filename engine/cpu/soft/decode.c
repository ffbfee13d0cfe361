/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operands of a row, by the letters of SDM volume 2, appendix A.2, and a few more:
 *   E G M R   general registers or memory by ModRM; S C D: segment, control, debug register
 *   Z         a general register by the low bits of the opcode; a: AL/AX/EAX/RAX
 *   V W U     XMM by reg, by rm or memory, by rm; P Q N: the same for MMX
 *   I J A O   immediate, relative branch, far pointer, memory offset; Ie: ENTER's two
 *   X Y       strings at SI and DI; 1 c d: the constant 1, CL, DX
 * and their sizes: b w d q; v: the operand size; z: at most 4 bytes of it; y: 4, or 8 with REX.W;
 * others say nothing to the decoder.
 */
#include "engine/cpu/soft/decode_table.h"

#include <string.h>

#include "engine/cpu/soft/block.h"
#include "engine/cpu/soft/handlers.h"

#define MAX_OPERANDS 4

enum form { FORM_OTHER, FORM_EG, FORM_GE, FORM_EI };

/* What a row's operands mean to the decoder. */
struct shape {
    char size;      /* letter of the first sized operand; 0: none */
    char immediate; /* 'b', 'w', 'z', 'v', 'e'; 'j'/'J': branch by byte/z; 'p': far; '1'; 0 */
    bool byte_reg, byte_rm;
    bool short_reg, short_rm; /* MMX, segments: REX does not extend it */
    bool opcode_rm;           /* rm is in the opcode */
    bool implicit;            /* the accumulator is reg or rm */
    bool offset;              /* memory by its offset alone */
    enum form form;
};

struct soft_decoder {
    uint16_t first[SOFT_MAPS][256]; /* row number + 1; 0: none */
    uint16_t *next;                 /* the same, by row */
    struct shape *shapes;
};

static bool is_rm_letter(char letter)
{
    return letter != '\0' && strchr("EMRWUQNZ", letter) != NULL;
}

static void shape_operand(struct shape *s, const char *operand)
{
    char letter = operand[0], type = operand[0] != '\0' ? operand[1] : '\0';

    if (s->size == '\0' && type != '\0' && strchr("bwdqvyz", type) != NULL && letter != 'I' &&
        letter != 'J')
        s->size = type;
    switch (letter) {
    case 'E':
    case 'Z':
        s->byte_rm = type == 'b';
        s->opcode_rm = letter == 'Z';
        break;
    case 'G':
        s->byte_reg = type == 'b';
        break;
    case 'a':
        s->implicit = true;
        break;
    case 'P':
    case 'S':
        s->short_reg = true;
        break;
    case 'Q':
    case 'N':
        s->short_rm = true;
        break;
    case 'O':
        s->offset = true;
        break;
    case 'I':
        s->immediate = type;
        break;
    case 'J':
        s->immediate = type == 'b' ? 'j' : 'J';
        break;
    case 'A':
        s->immediate = 'p';
        break;
    case '1':
        s->immediate = '1';
        break;
    }
}

static void shape_row(struct shape *s, const struct soft_row *row)
{
    g_auto(GStrv) operands = g_strsplit(row->operands, ",", MAX_OPERANDS);
    const char *first = operands[0] != NULL ? operands[0] : "";
    const char *second = operands[0] != NULL && operands[1] != NULL ? operands[1] : "";

    for (unsigned i = 0; operands[i] != NULL; i++)
        shape_operand(s, operands[i]);
    if (s->size == '\0' && s->immediate != '\0')
        s->size = 'v';
    if ((first[0] == 'G' && (is_rm_letter(second[0]) || second[0] == 'M')) ||
        (first[0] == 'a' && second[0] == 'O'))
        s->form = FORM_GE;
    else if ((is_rm_letter(first[0]) && second[0] == 'G') || first[0] == 'O')
        s->form = FORM_EG;
    else if ((is_rm_letter(first[0]) || first[0] == 'a') &&
             (second[0] == '\0' || second[0] == 'I' || second[0] == '1' || second[0] == 'c'))
        s->form = FORM_EI;
}

struct soft_decoder *soft_decoder_new(void)
{
    struct soft_decoder *d = g_new0(struct soft_decoder, 1);

    d->next = g_new0(uint16_t, soft_row_count);
    d->shapes = g_new0(struct shape, soft_row_count);
    /* Backwards, so that each list is in the order of the table. */
    for (unsigned i = soft_row_count; i-- > 0;) {
        uint16_t *list = &d->first[soft_rows[i].map][soft_rows[i].opcode];

        shape_row(&d->shapes[i], &soft_rows[i]);
        d->next[i] = *list;
        *list = i + 1;
    }
    return d;
}

void soft_decoder_free(struct soft_decoder *d)
{
    if (d == NULL)
        return;
    g_free(d->next);
    g_free(d->shapes);
    g_free(d);
}

const struct soft_row *soft_decoder_row(const struct soft_decoder *d, unsigned number)
{
    return number < soft_row_count ? &soft_rows[number] : NULL;
}

unsigned soft_decoder_rows(const struct soft_decoder *d)
{
    return soft_row_count;
}

/* The bytes under way and what their prefixes said. */
struct source {
    const uint8_t *bytes;
    unsigned size, at;
    enum soft_decoded status; /* SOFT_DECODED as long as nothing is wrong */
    uint32_t mode;
    bool opsize, addrsize, lock;
    uint8_t repeat; /* 0xf2, 0xf3, or 0 */
    int segment;    /* -1: no override */
    uint8_t rex;    /* with 0x40 when there is one */
};

static uint8_t next_byte(struct source *s)
{
    if (s->status != SOFT_DECODED)
        return 0;
    if (s->at >= SOFT_INSN_MAX_LENGTH)
        s->status = SOFT_DECODE_LONG;
    else if (s->at >= s->size)
        s->status = SOFT_DECODE_MORE;
    else
        return s->bytes[s->at++];
    return 0;
}

static uint64_t next_bytes(struct source *s, unsigned count)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < count; i++)
        value |= (uint64_t)next_byte(s) << i * 8;
    return value;
}

static int64_t next_signed(struct source *s, unsigned count)
{
    uint64_t value = next_bytes(s, count);
    unsigned shift = 64 - count * 8;

    return (int64_t)(value << shift) >> shift;
}

/* Reads prefixes; the result is the first byte behind them. */
static uint8_t read_prefixes(struct source *s)
{
    bool code64 = s->mode & SOFT_MODE_CODE64;

    for (;;) {
        uint8_t byte = next_byte(s);

        switch (byte) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            if (!code64)
                s->segment = byte >> 3 & 3;
            break;
        case 0x64:
        case 0x65:
            s->segment = byte - 0x64 + X86_FS;
            break;
        case 0x66:
            s->opsize = true;
            break;
        case 0x67:
            s->addrsize = true;
            break;
        case 0xf0:
            s->lock = true;
            break;
        case 0xf2:
        case 0xf3:
            s->repeat = byte;
            break;
        default:
            if (!code64 || (byte & 0xf0) != 0x40)
                return byte;
            s->rex = byte;
            if (s->status != SOFT_DECODED)
                return 0;
            continue;
        }
        s->rex = 0; /* only right before the opcode does it count */
        if (s->status != SOFT_DECODED)
            return 0;
    }
}

static enum soft_map_id read_opcode(struct source *s, uint8_t *ret_opcode)
{
    uint8_t byte = read_prefixes(s);

    *ret_opcode = byte;
    if (byte != 0x0f || s->status != SOFT_DECODED)
        return MAP_ONE;
    *ret_opcode = byte = next_byte(s);
    if (byte != 0x38 && byte != 0x3a)
        return MAP_0F;
    *ret_opcode = next_byte(s);
    return byte == 0x38 ? MAP_0F38 : MAP_0F3A;
}

static bool prefix_fits(const struct source *s, uint8_t wanted)
{
    switch (wanted) {
    case ROW_ANY:
        return true;
    case ROW_NP:
        return s->repeat == 0 && !s->opsize;
    case ROW_P66:
        return s->repeat == 0 && s->opsize;
    case ROW_PF3:
        return s->repeat == 0xf3;
    default:
        return s->repeat == 0xf2;
    }
}

static bool row_fits(const struct soft_row *row, const struct source *s, uint8_t modrm)
{
    bool mem = modrm < 0xc0;

    return prefix_fits(s, row->prefix) &&
           !(s->mode & SOFT_MODE_CODE64 ? row->flags & ROW_NO64 : row->flags & ROW_ONLY64) &&
           (row->mod != ROW_MEM || mem) && (row->mod != ROW_REG || !mem) &&
           (row->reg == ROW_ANY || row->reg == (modrm >> 3 & 7)) &&
           (row->rm == ROW_ANY || row->rm == (modrm & 7));
}

/* The row for the opcode at hand, reading ModRM if there is one. NULL: no such instruction. */
static const struct soft_row *find_row(const struct soft_decoder *d, struct source *s,
                                       enum soft_map_id map, uint8_t opcode, uint8_t *ret_modrm)
{
    unsigned number = d->first[map][opcode];

    if (number == 0 || s->status != SOFT_DECODED)
        return NULL;
    *ret_modrm = soft_rows[number - 1].mod != ROW_NONE ? next_byte(s) : 0xc0;
    for (; number != 0; number = d->next[number - 1]) {
        if (row_fits(&soft_rows[number - 1], s, *ret_modrm))
            return &soft_rows[number - 1];
    }
    return NULL;
}

static unsigned operand_size(const struct source *s, const struct shape *shape, uint32_t flags)
{
    bool code64 = s->mode & SOFT_MODE_CODE64, wide = s->rex & 8;

    switch (shape->size) {
    case 'b':
        return 1;
    case 'w':
        return 2;
    case 'd':
        return 4;
    case 'q':
        return 8;
    case 'y':
        return wide || (flags & ROW_F64 && code64) ? 8 : 4;
    case 'z':
        wide = false;
    }
    if (code64 && (wide || flags & ROW_F64))
        return 8;
    if (flags & ROW_D64 && code64)
        return s->opsize ? 2 : 8;
    return s->opsize == !!(s->mode & (SOFT_MODE_CODE32 | SOFT_MODE_CODE64)) ? 2 : 4;
}

static unsigned address_size(const struct source *s)
{
    if (s->mode & SOFT_MODE_CODE64)
        return s->addrsize ? 4 : 8;
    return s->addrsize == !!(s->mode & SOFT_MODE_CODE32) ? 2 : 4;
}

/* A memory operand with 16-bit addresses: SDM volume 2, table 2-1. */
static void read_memory16(struct source *s, struct soft_insn *insn, uint8_t modrm)
{
    static const struct {
        uint8_t base, index;
    } pairs[8] = {
        {X86_RBX, X86_RSI},       {X86_RBX, X86_RDI},       {X86_RBP, X86_RSI},
        {X86_RBP, X86_RDI},       {X86_RSI, SOFT_REG_ZERO}, {X86_RDI, SOFT_REG_ZERO},
        {X86_RBP, SOFT_REG_ZERO}, {X86_RBX, SOFT_REG_ZERO},
    };
    unsigned mod = modrm >> 6, rm = modrm & 7;

    insn->base = pairs[rm].base;
    insn->index = pairs[rm].index;
    if (mod == 0 && rm == 6) {
        insn->base = SOFT_REG_ZERO;
        insn->disp = next_signed(s, 2);
    } else if (mod != 0) {
        insn->disp = next_signed(s, mod);
    }
}

/* The same with 32 or 64 bits: tables 2-2 and 2-3, and 2.2.1.6 for RIP. */
static void read_memory(struct source *s, struct soft_insn *insn, uint8_t modrm)
{
    unsigned mod = modrm >> 6, rm = modrm & 7;

    if (rm == 4) {
        uint8_t sib = next_byte(s);
        unsigned index = (sib >> 3 & 7) | (s->rex & 2) << 2;

        insn->scale = sib >> 6;
        if (index != 4)
            insn->index = index;
        rm = sib & 7;
        insn->base = rm | (s->rex & 1) << 3;
        if (rm == 5 && mod == 0)
            insn->base = SOFT_REG_ZERO;
    } else {
        insn->base = rm | (s->rex & 1) << 3;
        if (rm == 5 && mod == 0)
            insn->base = s->mode & SOFT_MODE_CODE64 ? SOFT_REG_BLOCK : SOFT_REG_ZERO;
    }
    if (mod == 1)
        insn->disp = next_signed(s, 1);
    else if (mod == 2 || rm == 5)
        insn->disp = mod == 0 || mod == 2 ? next_signed(s, 4) : 0;
}

static void read_rm(struct source *s, struct soft_insn *insn, uint8_t modrm)
{
    if (modrm >= 0xc0) {
        insn->rm = (modrm & 7) | (s->rex & 1) << 3;
        return;
    }
    insn->flags |= SOFT_INSN_MEM;
    if (insn->address_size == 2)
        read_memory16(s, insn, modrm);
    else
        read_memory(s, insn, modrm);
    insn->segment = insn->base == X86_RSP || insn->base == X86_RBP ? X86_SS : X86_DS;
}

static void read_immediate(struct source *s, struct soft_insn *insn, char kind)
{
    switch (kind) {
    case 'b':
    case 'j':
        insn->imm = next_signed(s, 1);
        break;
    case 'w':
        insn->imm = next_bytes(s, 2);
        break;
    case 'z':
    case 'J':
        insn->imm = next_signed(s, MIN(insn->size, 4));
        break;
    case 'v':
        insn->imm = next_signed(s, insn->size);
        break;
    case 'e':
        insn->imm = next_bytes(s, 3);
        break;
    case 'p':
        insn->imm = next_bytes(s, insn->size);
        insn->imm |= next_bytes(s, 2) << 32;
        break;
    case '1':
        insn->imm = 1;
        break;
    }
}

/* A byte register's offset in gpr[]: without REX, 4 to 7 are AH to BH. */
static uint8_t byte_register(const struct source *s, uint8_t number)
{
    return s->rex == 0 && number >= 4 && number < 8 ? (number - 4) * 8 + 1 : number * 8;
}

static void set_registers(const struct source *s, const struct shape *shape, uint8_t opcode,
                          uint8_t modrm, struct soft_insn *insn)
{
    insn->reg = shape->implicit ? 0 : (modrm >> 3 & 7) | (s->rex & 4) << 1;
    if (shape->opcode_rm)
        insn->rm = (opcode & 7) | (s->rex & 1) << 3;
    if (shape->short_reg)
        insn->reg &= 7;
    if (shape->short_rm)
        insn->rm &= 7;
    if (shape->byte_reg)
        insn->reg = byte_register(s, insn->reg);
    if (shape->byte_rm)
        insn->rm = byte_register(s, insn->rm);
}

/* The parts behind the opcode, and the fields that need them all. */
static void read_operands(const struct soft_decoder *d, struct source *s, unsigned offset,
                          const struct soft_row *row, uint8_t opcode, uint8_t modrm,
                          struct soft_insn *insn)
{
    const struct shape *shape = &d->shapes[row - soft_rows];

    insn->size = operand_size(s, shape, row->flags);
    insn->address_size = address_size(s);
    insn->address_mask =
        insn->address_size == 8 ? UINT64_MAX : (UINT64_C(1) << insn->address_size * 8) - 1;
    if (row->mod != ROW_NONE) {
        /* MOV to and from control and debug registers has no memory form. */
        bool registers =
            row->operands[0] == 'R' || row->operands[0] == 'C' || row->operands[0] == 'D';

        read_rm(s, insn, registers ? modrm | 0xc0 : modrm);
    } else if (shape->offset) {
        insn->flags |= SOFT_INSN_MEM;
        insn->disp = next_bytes(s, insn->address_size);
    }
    if (s->segment >= 0)
        insn->segment = s->segment;
    set_registers(s, shape, opcode, modrm, insn);
    read_immediate(s, insn, shape->immediate);
    insn->length = s->at;
    if (insn->base == SOFT_REG_BLOCK)
        insn->disp += offset + insn->length;
    if (shape->immediate == 'j' || shape->immediate == 'J') {
        insn->imm += offset + insn->length;
        insn->address_mask = insn->size == 8 ? UINT64_MAX : (UINT64_C(1) << insn->size * 8) - 1;
    }
    if (shape->form == FORM_GE && !(insn->flags & SOFT_INSN_MEM) && row->operation->forms != NULL) {
        uint8_t destination = insn->reg;

        insn->reg = insn->rm;
        insn->rm = destination;
    }
}

static void raise_invalid(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    soft_raise_ud(cpu);
}

static void raise_too_long(struct soft_cpu *cpu, const struct soft_insn *insn)
{
    soft_raise_gp0(cpu);
}

static bool allowed(const struct soft_row *row, const struct source *s,
                    const struct soft_insn *insn)
{
    bool protected = s->mode & SOFT_MODE_PROTECTED && !(s->mode & SOFT_MODE_V86);

    return (!s->lock || (row->flags & ROW_LOCK && insn->flags & SOFT_INSN_MEM)) &&
           (!(row->flags & ROW_PM) || protected);
}

enum soft_decoded soft_decode(const struct soft_decoder *d, uint32_t mode, unsigned offset,
                              const uint8_t *bytes, unsigned size, struct soft_insn *ret)
{
    struct source s = {.bytes = bytes, .size = size, .mode = mode, .segment = -1};
    const struct soft_row *row;
    uint8_t opcode, modrm = 0;
    enum soft_map_id map;

    *ret = (struct soft_insn){.base = SOFT_REG_ZERO,
                              .index = SOFT_REG_ZERO,
                              .segment = X86_DS,
                              .offset = offset,
                              .row = UINT16_MAX,
                              .run = raise_invalid};
    map = read_opcode(&s, &opcode);
    row = find_row(d, &s, map, opcode, &modrm);
    if (row != NULL && s.status == SOFT_DECODED) {
        ret->flags = (s.lock ? SOFT_INSN_LOCK : 0) | (s.repeat == 0xf3 ? SOFT_INSN_REP : 0) |
                     (s.repeat == 0xf2 ? SOFT_INSN_REPNE : 0) | (s.rex & 8 ? SOFT_INSN_REX_W : 0) |
                     (s.opsize ? SOFT_INSN_OPSIZE : 0);
        read_operands(d, &s, offset, row, opcode, modrm, ret);
    }
    ret->length = s.at;
    if (s.status == SOFT_DECODE_LONG)
        ret->run = raise_too_long;
    if (s.status != SOFT_DECODED)
        return s.status;
    if (row == NULL || !allowed(row, &s, ret))
        return SOFT_DECODE_INVALID;
    ret->row = row - soft_rows;
    ret->run = row->operation->run;
    return SOFT_DECODED;
}

static enum soft_address_kind address_kind(uint32_t mode, const struct soft_insn *insn)
{
    bool code64 = mode & SOFT_MODE_CODE64;

    /* Writing through CS is never allowed outside 64-bit mode: let the check find out. */
    if (!(mode & SOFT_MODE_FLAT) || insn->segment >= X86_FS || (insn->segment == X86_CS && !code64))
        return SOFT_ADDRESS_SEGMENT;
    return code64 && insn->address_size == 8 && insn->index == SOFT_REG_ZERO ? SOFT_ADDRESS_BASE
                                                                             : SOFT_ADDRESS_FLAT;
}

soft_op *soft_decoder_form(const struct soft_decoder *d, const struct soft_forms *forms,
                           uint32_t mode, const struct soft_insn *insn)
{
    enum form form = d->shapes[insn->row].form;
    enum soft_address_kind kind = address_kind(mode, insn);
    unsigned size = __builtin_ctz(insn->size);

    if (!(insn->flags & SOFT_INSN_MEM))
        return form == FORM_EI ? forms->ri[size] : form != FORM_OTHER ? forms->rr[size] : NULL;
    switch (form) {
    case FORM_EG:
        return forms->mr[kind][size];
    case FORM_GE:
        return forms->rm[kind][size];
    case FORM_EI:
        return forms->mi[kind][size];
    case FORM_OTHER:
        break;
    }
    return NULL;
}

/* Whether the instruction may be refused, whatever its operands. */
static bool needs_check(const struct soft_row *row, uint32_t mode)
{
    return row->flags & ROW_CPL0 || (row->flags & (ROW_X87 | ROW_MMX) && !(mode & SOFT_MODE_X87)) ||
           (row->flags & ROW_SSE && !(mode & SOFT_MODE_SSE));
}

soft_op *soft_decoder_handler(const struct soft_decoder *d, uint32_t mode,
                              const struct soft_insn *insn)
{
    const struct soft_row *row = soft_decoder_row(d, insn->row);
    soft_op *handler = NULL;

    if (row == NULL)
        return soft_handler_plain;
    if (needs_check(row, mode))
        return row->flags & ROW_ENDS ? soft_handler_checked_end : soft_handler_checked;
    if (row->operation->forms != NULL && !(insn->flags & SOFT_INSN_LOCK))
        handler = soft_decoder_form(d, row->operation->forms, mode, insn);
    if (handler == NULL && insn->size == 8 && mode & SOFT_MODE_CODE64)
        handler = row->operation->handler64;
    if (handler == NULL)
        handler = row->operation->handler;
    if (handler != NULL)
        return handler;
    return row->flags & ROW_ENDS ? soft_handler_end : soft_handler_plain;
}
