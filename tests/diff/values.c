/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/diff/values.h"

#include <string.h>

uint64_t value_random64(GRand *rand)
{
    return (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
}

bool value_chance(GRand *rand, unsigned n)
{
    return g_rand_int_range(rand, 0, n) == 0;
}

uint64_t value_integer(GRand *rand)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     INT64_MAX,
                                     UINT64_C(1) << 63,
                                     UINT64_MAX,
                                     UINT64_MAX - 1};

    switch (g_rand_int_range(rand, 0, 4)) {
    case 0:
        return edges[g_rand_int_range(rand, 0, G_N_ELEMENTS(edges))];
    case 1:
        return g_rand_int_range(rand, -100, 100);
    case 2:
        return value_random64(rand) >> g_rand_int_range(rand, 0, 64);
    default:
        return value_random64(rand);
    }
}

/* A number with so many bits of exponent and fraction, without an integer bit. */
static uint64_t value_float(GRand *rand, unsigned exponent_bits, unsigned fraction_bits)
{
    uint64_t top = (UINT64_C(1) << exponent_bits) - 1, bias = top / 2;
    uint64_t fractions = (UINT64_C(1) << fraction_bits) - 1;
    uint64_t fraction = value_random64(rand) & fractions, exponent = value_random64(rand) & top;

    switch (g_rand_int_range(rand, 0, 10)) {
    case 0:
        exponent = 0;
        break;
    case 1:
        exponent = top;
        break;
    case 2:
        exponent = bias + g_rand_int_range(rand, -2, 70);
        break;
    case 3: /* close to overflow and underflow */
        exponent = value_chance(rand, 2) ? top - 1 - g_rand_int_range(rand, 0, 3)
                                         : (uint64_t)g_rand_int_range(rand, 1, fraction_bits + 4);
        break;
    case 4: /* where products and quotients under- or overflow */
        exponent = bias + (value_chance(rand, 2) ? bias / 2 : -(bias / 2)) +
                   g_rand_int_range(rand, -30, 30);
        break;
    case 5:
    case 6:
        exponent = bias + g_rand_int_range(rand, -8, 8);
        break;
    }
    switch (g_rand_int_range(rand, 0, 6)) {
    case 0:
        fraction = 0;
        break;
    case 1:
        fraction = UINT64_C(1) << g_rand_int_range(rand, 0, fraction_bits);
        break;
    case 2:
        fraction &= ~(fractions >> g_rand_int_range(rand, 1, fraction_bits));
        break;
    case 3:
        fraction = fractions;
        break;
    }
    return (uint64_t)value_chance(rand, 2) << (exponent_bits + fraction_bits) |
           (exponent & top) << fraction_bits | fraction;
}

void value_vector(GRand *rand, void *bytes, unsigned size)
{
    unsigned kind = g_rand_int_range(rand, 0, 4);

    for (unsigned at = 0; at < size; at += 8) {
        uint64_t value = kind == 0   ? value_float(rand, 8, 23) | value_float(rand, 8, 23) << 32
                         : kind == 1 ? value_float(rand, 11, 52)
                         : kind == 2 ? value_integer(rand)
                                     : value_random64(rand);

        memcpy((uint8_t *)bytes + at, &value, MIN(8, size - at));
    }
}

void value_extended(GRand *rand, void *bytes)
{
    uint64_t fraction = value_float(rand, 8, 55) << 8 >> 1;
    uint16_t top = value_float(rand, 15, 48) >> 48;

    if (value_chance(rand, 2)) {
        /* what was a single or a double, or an integer */
        double d;
        uint64_t bits = value_float(rand, 11, 52);
        long double extended;

        memcpy(&d, &bits, sizeof(d));
        extended = value_chance(rand, 3) ? (long double)(int64_t)value_integer(rand) : d;
        memcpy(bytes, &extended, 10);
        return;
    }
    if ((top & 0x7fff) != 0 && !value_chance(rand, 20))
        fraction |= UINT64_C(1) << 63;
    memcpy(bytes, &fraction, 8);
    memcpy((uint8_t *)bytes + 8, &top, 2);
}

static void value_control(GRand *rand, struct user_fpregs_struct *fpu)
{
    unsigned masks = value_chance(rand, 4) ? g_rand_int_range(rand, 0, 0x40) : 0x3f;
    unsigned flags = value_chance(rand, 4) ? g_rand_int_range(rand, 0, 0x40) : 0;

    /* A pending exception is what most tests are not about. */
    if (!value_chance(rand, 8))
        flags &= masks;
    fpu->cwd = masks | 0x40 | g_rand_int_range(rand, 0, 16) << 8;
    if (value_chance(rand, 2))
        fpu->cwd |= 0x300;
    fpu->swd = (g_rand_int(rand) & 0x7f00 & ~0x3800) | flags;
    fpu->swd |= (value_chance(rand, 2) ? 0 : g_rand_int_range(rand, 0, 8)) << 11;
    if (flags & ~masks)
        fpu->swd |= 0x8080;
    fpu->ftw = value_chance(rand, 2) ? 0xff : g_rand_int_range(rand, 0, 0x100);
    masks = value_chance(rand, 4) ? g_rand_int_range(rand, 0, 0x40) : 0x3f;
    fpu->mxcsr = masks << 7 | g_rand_int_range(rand, 0, 4) << 13;
    if (value_chance(rand, 4))
        fpu->mxcsr |= g_rand_int(rand) & 0x807f;
}

void value_fpu(GRand *rand, struct user_fpregs_struct *fpu)
{
    memset(fpu, 0, sizeof(*fpu));
    value_control(rand, fpu);
    for (unsigned i = 0; i < 8; i++)
        value_extended(rand, &fpu->st_space[i * 4]);
    for (unsigned i = 0; i < 16; i++)
        value_vector(rand, &fpu->xmm_space[i * 4], 16);
}
