/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/diff/case.h"

#include <string.h>

#include "tests/diff/descriptors.h"
#include "tests/diff/values.h"

bool case_named(const struct test_case *c, const char *name)
{
    return strcmp(c->row->operation->name, name) == 0;
}

const char *case_operand(const struct soft_row *row, char letter)
{
    const char *at = row->operands;

    while (*at != '\0' && *at != letter) {
        at = strchr(at, ',');
        if (at == NULL)
            return NULL;
        at++;
    }
    return *at != '\0' ? at : NULL;
}

uint8_t *case_memory(const struct test_case *c)
{
    return c->base < 16 ? (uint8_t *)(c->before.gpr[c->base] + c->disp) : NULL;
}

static bool operand_is(const struct soft_row *row, const char *letters, char type)
{
    for (; *letters != '\0'; letters++) {
        const char *o = case_operand(row, *letters);

        if (o != NULL && o[1] == type)
            return true;
    }
    return false;
}

static void put_code(struct test_case *c, uint8_t byte)
{
    c->code[c->length++] = byte;
}

static void put_number(struct test_case *c, uint64_t number, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        put_code(c, number >> i * 8);
}

static bool is_string(const struct soft_row *row)
{
    return case_operand(row, 'X') != NULL || case_operand(row, 'Y') != NULL;
}

static bool takes_opsize(const struct soft_row *row, bool narrow)
{
    return (row->prefix == ROW_ANY || row->prefix == ROW_PF2 || row->prefix == ROW_PF3) &&
           (operand_is(row, "EGMXYOIZa", 'v') || operand_is(row, "IXY", 'z')) &&
           (narrow || !(row->flags & ROW_F64));
}

static unsigned operand_size(const struct soft_row *row, uint8_t rex, bool opsize, bool narrow)
{
    const char *letters = "EGMRPQNXYOZa";

    if (operand_is(row, letters, 'y'))
        return rex & 8 ? 8 : 4;
    if (operand_is(row, letters, 'b'))
        return 1;
    if (operand_is(row, letters, 'v') || operand_is(row, "I", 'z'))
        return rex & 8 ? 8 : opsize ? 2 : row->flags & (ROW_D64 | ROW_F64) && !narrow ? 8 : 4;
    if (operand_is(row, "XY", 'z'))
        return opsize ? 2 : 4;
    return operand_is(row, letters, 'q') ? 8 : operand_is(row, letters, 'w') ? 2 : 4;
}

static void make_prefixes(GRand *rand, struct test_case *c, uint8_t rex)
{
    static const uint8_t maps[] = {[MAP_0F38] = 0x38, [MAP_0F3A] = 0x3a};
    const struct soft_row *row = c->row;
    bool opsize =
        row->prefix == ROW_P66 || (takes_opsize(row, c->before.narrow) && value_chance(rand, 3));

    if (opsize)
        put_code(c, 0x66);
    if (c->lock)
        put_code(c, 0xf0);
    if (row->prefix == ROW_PF3 || row->prefix == ROW_PF2)
        put_code(c, row->prefix == ROW_PF3 ? 0xf3 : 0xf2);
    else if (is_string(row) && value_chance(rand, 2))
        put_code(c, value_chance(rand, 2) ? 0xf3 : 0xf2);
    if (rex != 0)
        put_code(c, rex);
    if (row->map != MAP_ONE)
        put_code(c, 0x0f);
    if (row->map >= MAP_0F38)
        put_code(c, maps[row->map]);
    put_code(c, row->opcode);
    c->size = operand_size(row, rex, opsize, c->before.narrow);
    c->repeated = is_string(row);
}

/* A base register that nothing else needs. */
static void make_memory(GRand *rand, struct test_case *c)
{
    static const uint8_t bases[] = {X86_RBX, X86_RBP, X86_RSI, X86_RDI};

    c->base = bases[g_rand_int_range(rand, 0, G_N_ELEMENTS(bases))];
    c->disp = g_rand_int_range(rand, -1000, 1000);
    c->code[c->length - 1] |= 0x80 | c->base;
    put_number(c, c->disp, 4);
}

/* MOV to and from CRn and DRn */
static bool ignores_mod(const struct soft_row *row)
{
    return row->mod == ROW_ANY && case_operand(row, 'R') != NULL;
}

static void make_modrm(GRand *rand, struct test_case *c, bool memory)
{
    const struct soft_row *row = c->row;
    uint8_t reg = row->reg < 8 ? row->reg : g_rand_int_range(rand, 0, 8);
    uint8_t rm = row->rm < 8 ? row->rm : g_rand_int_range(rand, 0, 8);

    put_code(c, reg << 3);
    if (memory)
        make_memory(rand, c);
    else
        c->code[c->length - 1] |=
            (ignores_mod(row) ? g_rand_int_range(rand, 0, 4) << 6 : 0xc0) | rm;
    c->rm = rm;
}

uint64_t case_far_target(GRand *rand)
{
    return value_chance(rand, 2) ? NATIVE_CODE + BRANCH_TARGET : BRANCH_TARGET;
}

/* 0x80 is a call of the kernel. */
static uint8_t interrupt_vector(GRand *rand)
{
    uint8_t vector = value_integer(rand);

    if (value_chance(rand, 2))
        vector = g_rand_int_range(rand, 3, 5);
    return vector != 0x80 ? vector : 0x81;
}

static void make_immediate(GRand *rand, struct test_case *c)
{
    const char *i = case_operand(c->row, 'I'), *j = case_operand(c->row, 'J');

    if (case_named(c, "int"))
        put_code(c, interrupt_vector(rand));
    else if (i != NULL && i[1] == 'b')
        put_code(c, value_chance(rand, 3) ? g_rand_int_range(rand, 0, 0x100)
                                          : g_rand_int_range(rand, 0, 0x20));
    else if (i != NULL && i[1] == 'e')
        put_number(c, g_rand_int_range(rand, 0, 64) | g_rand_int_range(rand, 0, 4) << 16, 3);
    else if (i != NULL)
        put_number(c, value_integer(rand),
                   i[1] == 'w'   ? 2
                   : i[1] == 'z' ? MIN(c->size, 4)
                                 : c->size);
    if (case_operand(c->row, 'A') != NULL) {
        put_number(c, case_far_target(rand), c->size == 2 ? 2 : 4);
        put_number(c, descriptors_random_code(rand), 2);
    }
    if (case_operand(c->row, 'O') != NULL)
        put_number(c, NATIVE_DATA + g_rand_int_range(rand, 0, NATIVE_DATA_SIZE),
                   c->before.narrow ? 4 : 8);
    if (j != NULL) {
        unsigned size = j[1] == 'b' ? 1 : 4;

        put_number(c, BRANCH_TARGET - (int)(c->length + size), size);
    }
}

void case_make_instruction(GRand *rand, struct test_case *c)
{
    const struct soft_row *row = c->row;
    bool memory =
        row->mod == ROW_MEM || (row->mod == ROW_ANY && !ignores_mod(row) && value_chance(rand, 2));
    uint8_t rex = value_chance(rand, 2) ? 0 : 0x40 | g_rand_int_range(rand, 0, 16);

    c->before.narrow =
        row->flags & ROW_NO64 || (!(row->flags & ROW_ONLY64) && value_chance(rand, 4));
    if (c->before.narrow)
        rex = 0;
    /* A memory operand has a low register. */
    if (memory)
        rex &= ~1;
    memset(c->code, 0, sizeof(c->code));
    c->length = 0;
    c->base = 16;
    c->lock = memory && row->flags & ROW_LOCK && value_chance(rand, 3);
    make_prefixes(rand, c, rex);
    if (row->mod != ROW_NONE)
        make_modrm(rand, c, memory);
    make_immediate(rand, c);
    for (unsigned at = c->length; at < sizeof(c->code); at += BRANCH_TARGET - c->length)
        memcpy(&c->code[at], (const uint8_t[]){0x0f, 0x0b}, 2);
}
