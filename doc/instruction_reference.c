/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints doc/instructions.md from the decoder's table. */
#include <glib.h>
#include <stdio.h>

#include "engine/cpu/soft/decode_table.h"

static void print_encoding(const struct soft_row *row)
{
    static const char *const maps[] = {
        [MAP_ONE] = "", [MAP_0F] = "0F ", [MAP_0F38] = "0F 38 ", [MAP_0F3A] = "0F 3A "};
    static const char *const prefixes[] = {
        [ROW_ANY] = "", [ROW_NP] = "NP ", [ROW_P66] = "66 ", [ROW_PF3] = "F3 ", [ROW_PF2] = "F2 "};
    char text[64] = "", *at = text, *end = text + sizeof(text);

    at += g_snprintf(at, end - at, "%s%s%02X", prefixes[row->prefix], maps[row->map], row->opcode);
    if (row->mod != ROW_NONE && row->reg < 8)
        at += g_snprintf(at, end - at, " /%u", row->reg);
    else if (row->mod != ROW_NONE)
        at += g_snprintf(at, end - at, " /r");
    if (row->mod == ROW_MEM)
        g_snprintf(at, end - at, " mem");
    else if (row->mod == ROW_REG && row->rm < 8)
        g_snprintf(at, end - at, " reg %u", row->rm);
    else if (row->mod == ROW_REG)
        g_snprintf(at, end - at, " reg");
    printf("%-22s", text);
}

static void print_flags(uint32_t flags)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {
        {ROW_LOCK, "LOCK"},     {ROW_NO64, "not 64-bit"}, {ROW_ONLY64, "64-bit"},
        {ROW_PM, "protected"},  {ROW_CPL0, "CPL 0"},      {ROW_X87, "x87"},
        {ROW_MMX, "MMX"},       {ROW_SSE, "SSE"},         {ROW_D64, "64 by default"},
        {ROW_F64, "64 always"},
    };
    const char *separator = "  ";

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (flags & names[i].flag) {
            printf("%s%s", separator, names[i].name);
            separator = ", ";
        }
    }
}

int main(void)
{
    printf("# Instructions of the software CPU\n\n"
           "Made from the decoder's table (`engine/cpu/soft/decode_*.def`) by `make "
           "update-instructions`.\nWhat is not here raises #UD. The first row that fits counts.\n\n"
           "- Encoding as in the SDM, volume 2: a prefix that selects the row (NP: none may), the "
           "opcode,\n  `/digit` or `/r` for a ModRM byte, `mem` or `reg` where its form selects.\n"
           "- Operands by the letters of the SDM, volume 2, appendix A.2, and some more, which\n"
           "  `engine/cpu/soft/decode.c` explains.\n"
           "- LOCK: allowed with memory. protected: not in real and virtual-8086 mode.\n\n"
           "%u encodings.\n\n```\n",
           soft_row_count);
    for (unsigned i = 0; i < soft_row_count; i++) {
        const struct soft_row *row = &soft_rows[i];

        print_encoding(row);
        printf("%-20s%s", row->operation->name, row->operands);
        print_flags(row->flags);
        printf("\n");
    }
    printf("```\n");
    return 0;
}
