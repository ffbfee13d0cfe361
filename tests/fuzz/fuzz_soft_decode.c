/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software CPU's decoder against an independent one, Zydis: whether there is such an
 * instruction, how long it is, and its name. Each input is a mode and raw bytes, which are decoded
 * at each of their first places.
 */
#include <Zydis/Zydis.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/soft/cpu.h"
#include "engine/cpu/soft/decode_table.h"
#include "tests/fuzz/fuzz.h"

#define MAX_BYTES 256

static const struct {
    ZydisMachineMode theirs;
    ZydisStackWidth stack;
    uint32_t ours;
} modes[] = {
    {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16, SOFT_MODE_PROTECTED},
    {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32,
     SOFT_MODE_PROTECTED | SOFT_MODE_CODE32 | SOFT_MODE_STACK32},
    {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64,
     SOFT_MODE_PROTECTED | SOFT_MODE_CODE64 | SOFT_MODE_FLAT},
};

/*
 * Deliberate differences.
 *
 * What our CPUID does not report is #UD (SDM volume 2, "Other Exceptions" of each). Of the base
 * set, UD0, UD1 and UD2 are #UD by definition, RSM is #UD outside of SMM, which we do not have.
 */
static bool is_not_reported(const ZydisDecodedInstruction *theirs)
{
    switch (theirs->meta.isa_ext) {
    case ZYDIS_ISA_EXT_BASE:
        return theirs->mnemonic == ZYDIS_MNEMONIC_UD0 || theirs->mnemonic == ZYDIS_MNEMONIC_UD1 ||
               theirs->mnemonic == ZYDIS_MNEMONIC_UD2 || theirs->mnemonic == ZYDIS_MNEMONIC_RSM;
    case ZYDIS_ISA_EXT_X87:
    case ZYDIS_ISA_EXT_MMX:
    case ZYDIS_ISA_EXT_SSE:
    case ZYDIS_ISA_EXT_SSE2:
    case ZYDIS_ISA_EXT_SSE3:
    case ZYDIS_ISA_EXT_SSSE3:
    case ZYDIS_ISA_EXT_SSE4:
    case ZYDIS_ISA_EXT_AES:
    case ZYDIS_ISA_EXT_PCLMULQDQ:
    case ZYDIS_ISA_EXT_LONGMODE:
    case ZYDIS_ISA_EXT_MOVBE:
    case ZYDIS_ISA_EXT_RDTSCP:
    case ZYDIS_ISA_EXT_RDWRFSGS:
    case ZYDIS_ISA_EXT_SMAP:
    case ZYDIS_ISA_EXT_XSAVE:
    case ZYDIS_ISA_EXT_XSAVEOPT:
        return false;
    default:
        return true;
    }
}

/* What Zydis refuses and we decode: the operation raises #UD itself for registers that do not
 * exist; MPX, which we do not report, is in the space of reserved NOPs (SDM volume 2, table A-3).
 */
static bool is_refused_later(const char *name)
{
    static const char *const names[] = {
        "mov_from_cr",      "mov_to_cr",      "mov_from_dr", "mov_to_dr",
        "mov_from_segment", "mov_to_segment", "nop",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* Rows whose operation is named by what it does, not as the instruction is. */
static bool is_known_as(const char *ours, const char *theirs)
{
    static const struct {
        const char *ours, *theirs; /* how they begin */
    } table[] = {
        {"nop_xchg", "nop"},    {"nop_xchg", "pause"},  {"nop_xchg", "xchg"},
        {"nop", "prefetch"},    {"nop", "bnd"},         {"nop", "clflush"},
        {"nop", "cldemote"},    {"nop", "lfence"},      {"nop", "mfence"},
        {"nop", "sfence"},      {"nop", "rdssp"},       {"nop", "endbr"},
        {"icebp", "int1"},      {"fstp1", "fstpnce"},   {"loopnz", "loopne"},
        {"loopz", "loope"},     {"cwd", "cdq"},         {"cwd", "cqo"},
        {"cbw", "cwde"},        {"cbw", "cdqe"},        {"wbinvd", "invd"},
        {"jcxz", "jecxz"},      {"jcxz", "jrcxz"},      {"mov", "movnti"},
        {"mmx_movq", "movntq"}, {"mmx_movd", "movq"},   {"movd", "movq"},
        {"movaps", "movnt"},    {"movaps", "movapd"},   {"movaps", "movdqa"},
        {"movups", "movupd"},   {"movups", "movdqu"},   {"movups", "lddqu"},
        {"movlps", "movlpd"},   {"movhps", "movhpd"},   {"andps", "andpd"},
        {"andps", "pand"},      {"orps", "orpd"},       {"orps", "por"},
        {"xorps", "xorpd"},     {"xorps", "pxor"},      {"andnps", "andnpd"},
        {"andnps", "pandn"},    {"unpcklps", "unpckl"}, {"cmpxchg_pair", "cmpxchg"},
        {"pextrd", "pextrq"},   {"pinsrd", "pinsrq"},   {"bsr", "lzcnt"},
        {"bsf", "tzcnt"},       {"fneni", "fdisi8087"}, {"fneni", "feni8087"},
        {"fneni", "fsetpm287"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
        if (g_str_has_prefix(ours, table[i].ours) && g_str_has_prefix(theirs, table[i].theirs))
            return true;
    }
    return false;
}

/* What Zydis adds to the name of an instruction: the operand size, and a form. */
static bool is_suffix(const char *text)
{
    static const char *const suffixes[] = {"", "b", "w", "d", "q", "64", "opt", "opt64"};

    for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        if (strcmp(text, suffixes[i]) == 0)
            return true;
    }
    return false;
}

/* "mmx_paddb", "shl_cl", "movsx8" and "fxch4" are our names of PADDB, SHL, MOVSX and FXCH. */
static bool same_name(const char *ours, const char *theirs)
{
    size_t length;

    if (is_known_as(ours, theirs))
        return true;
    if (g_str_has_prefix(ours, "mmx_"))
        ours += strlen("mmx_");
    length = strcspn(ours, "_");
    while (length > 1 && g_ascii_isdigit(ours[length - 1]) && strncmp(ours, theirs, length) != 0)
        length--;
    return strncmp(ours, theirs, length) == 0 && is_suffix(theirs + length);
}

G_NORETURN static void differ(const char *what, unsigned mode, const uint8_t *bytes, size_t size,
                              const char *ours, const char *theirs)
{
    fprintf(stderr, "%s: mode %u, ours %s, theirs %s:", what, mode, ours, theirs);
    for (size_t i = 0; i < size && i < SOFT_INSN_MAX_LENGTH; i++)
        fprintf(stderr, " %02x", bytes[i]);
    fprintf(stderr, "\n");
    abort();
}

static void compare(const struct soft_decoder *decoder, const ZydisDecoder *zydis, unsigned mode,
                    const uint8_t *bytes, size_t size)
{
    ZydisDecodedInstruction theirs = {0};
    ZyanStatus status = ZydisDecoderDecodeInstruction(zydis, NULL, bytes, size, &theirs);
    struct soft_insn insn;
    enum soft_decoded result = soft_decode(decoder, modes[mode].ours, 0, bytes, size, &insn);
    const char *name = "nothing", *their_name = "nothing";

    if (result == SOFT_DECODED)
        name = soft_decoder_row(decoder, insn.row)->operation->name;
    if (ZYAN_SUCCESS(status))
        their_name = ZydisMnemonicGetString(theirs.mnemonic);
    if (result == SOFT_DECODED && ZYAN_SUCCESS(status)) {
        if (insn.length != theirs.length)
            differ("length", mode, bytes, size, name, their_name);
        if (!same_name(name, their_name))
            differ("name", mode, bytes, size, name, their_name);
        return;
    }
    if (result == SOFT_DECODED && status != ZYDIS_STATUS_NO_MORE_DATA && !is_refused_later(name))
        differ("ours only", mode, bytes, size, name, their_name);
    if (ZYAN_SUCCESS(status) && result != SOFT_DECODE_MORE && !is_not_reported(&theirs))
        differ("theirs only", mode, bytes, size, name, their_name);
    if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG && result == SOFT_DECODED)
        differ("too long", mode, bytes, size, name, their_name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct soft_decoder *decoder;
    unsigned mode;
    ZydisDecoder zydis;

    if (size < 2)
        return 0;
    if (decoder == NULL)
        decoder = soft_decoder_new();
    mode = data[0] % G_N_ELEMENTS(modes);
    ZydisDecoderInit(&zydis, modes[mode].theirs, modes[mode].stack);
    size = MIN(size, MAX_BYTES);
    for (size_t at = 1; at < size; at++)
        compare(decoder, &zydis, mode, data + at, size - at);
    return 0;
}
