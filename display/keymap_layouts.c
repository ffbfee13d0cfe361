/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/keymap_layouts.h"

#include <glib.h>

/* The rows of the keyboard from the top: digits, then Q, A and Z of the US layout (with the key
 * left of Z), then the two keys that only Japanese and Brazilian keyboards have. */
const uint8_t keymap_positions[KEYMAP_POSITIONS] = {
    0x29, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d,
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1e,
    0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x2b, 0x56, 0x2c,
    0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x73, 0x7d,
};

const struct keymap_dead_key keymap_dead_keys[] = {
    {0x02cb, 0xfe50, 0x0060}, /* ˋ grave */
    {0x02ca, 0xfe51, 0x00b4}, /* ˊ acute */
    {0x02c6, 0xfe52, 0x005e}, /* ˆ circumflex */
    {0x02dc, 0xfe53, 0x007e}, /* ˜ tilde */
    {0x02d8, 0xfe55, 0x02d8}, /* ˘ breve */
    {0x02d9, 0xfe56, 0x02d9}, /* ˙ above dot */
    {0x02ba, 0xfe57, 0x00a8}, /* ʺ diaeresis */
    {0x02da, 0xfe58, 0x00b0}, /* ˚ above ring */
    {0x02dd, 0xfe59, 0x02dd}, /* ˝ double acute */
    {0x02c7, 0xfe5a, 0x02c7}, /* ˇ caron */
    {0x00b8, 0xfe5b, 0x00b8}, /* ¸ cedilla */
    {0x02db, 0xfe5c, 0x02db}, /* ˛ ogonek */
};
const unsigned keymap_dead_key_count = G_N_ELEMENTS(keymap_dead_keys);

/* clang-format off */
#define US_PLAIN \
    "`1234567890-=" "qwertyuiop[]" "asdfghjkl;'\\" " zxcvbnm,./" "  "
#define US_SHIFT \
    "~!@#$%^&*()_+" "QWERTYUIOP{}" "ASDFGHJKL:\"|" " ZXCVBNM<>?" "  "

const struct keymap keymap_tables[] = {
    {"be", {
        "²&é\"'(§è!çà)-" "azertyuiopˆ$" "qsdfghjklmùµ" "<wxcvbn,;:=" "  ",
        "³1234567890°_" "AZERTYUIOPʺ*" "QSDFGHJKLM%£" ">WXCVBN?./+" "  ",
        " |@#  ^  {}  " "  €       []" "          ˊˋ" "\\         ˜" "  ",
    }},
    {"br", {
        "'1234567890-=" "qwertyuiopˊ[" "asdfghjklç˜]" "\\zxcvbnm,.;" "/ ",
        "\"!@#$%ʺ&*()_+" "QWERTYUIOPˋ{" "ASDFGHJKLÇˆ}" "|ZXCVBNM<>:" "? ",
        " ¹²³£¢¬     §" "/?°        ª" "           º" "           " "° ",
    }},
    {"ch", {
        "§1234567890'ˆ" "qwertzuiopüʺ" "asdfghjklöä$" "<yxcvbnm,.-" "  ",
        "°+\"*ç%&/()=?ˋ" "QWERTZUIOPè!" "ASDFGHJKLéà£" ">YXCVBNM;:_" "  ",
        " ¦@#  ¬|¢  ˊ˜" "  €       []" "          {}" "\\          " "  ",
    }},
    {"cz", {
        ";+ěščřžýáíé=ˊ" "qwertzuiopú)" "asdfghjklů§ʺ" "\\yxcvbnm,.-" "  ",
        "°1234567890%ˇ" "QWERTZUIOP/(" "ASDFGHJKL\"!'" "|YXCVBNM?:_" "  ",
        " ˜ˇˆ˘˚˛ˋ˙ˊ˝ʺ¸" "\\|€       ÷×" "   []  łŁ$ß¤" "  #&@{} <>*" "  ",
    }},
    {"de", {
        "ˆ1234567890ßˊ" "qwertzuiopü+" "asdfghjklöä#" "<yxcvbnm,.-" "  ",
        "°!\"§$%&/()=?ˋ" "QWERTZUIOPÜ*" "ASDFGHJKLÖÄ'" ">YXCVBNM;:_" "  ",
        "  ²³   {[]}\\ " "@ €        ~" "            " "|      µ   " "  ",
    }},
    {"dk", {
        "½1234567890+ˊ" "qwertyuiopåʺ" "asdfghjklæø'" "<zxcvbnm,.-" "  ",
        "§!\"#¤%&/()=?ˋ" "QWERTYUIOPÅˆ" "ASDFGHJKLÆØ*" ">ZXCVBNM;:_" "  ",
        "  @£$  {[]} |" "  €        ˜" "            " "\\      µ   " "  ",
    }},
    {"es", {
        "º1234567890'¡" "qwertyuiopˋ+" "asdfghjklñˊç" "<zxcvbnm,.-" "  ",
        "ª!\"·$%&/()=?¿" "QWERTYUIOPˆ*" "ASDFGHJKLÑʺÇ" ">ZXCVBNM;:_" "  ",
        "\\|@#~ ¬      " "  €       []" "          {}" "           " "  ",
    }},
    {"fi", {
        "§1234567890+ˊ" "qwertyuiopåʺ" "asdfghjklöä'" "<zxcvbnm,.-" "  ",
        "½!\"#¤%&/()=?ˋ" "QWERTYUIOPÅˆ" "ASDFGHJKLÖÄ*" ">ZXCVBNM;:_" "  ",
        "  @£$  {[]}\\ " "  €        ˜" "            " "|      µ   " "  ",
    }},
    {"fr", {
        "²&é\"'(-è_çà)=" "azertyuiopˆ$" "qsdfghjklmù*" "<wxcvbn,;:!" "  ",
        " 1234567890°+" "AZERTYUIOPʺ£" "QSDFGHJKLM%µ" ">WXCVBN?./§" "  ",
        "  ~#{[|`\\^@]}" "  €        ¤" "            " "           " "  ",
    }},
    {"gb", {
        "`1234567890-=" "qwertyuiop[]" "asdfghjkl;'#" "\\zxcvbnm,./" "  ",
        "¬!\"£$%^&*()_+" "QWERTYUIOP{}" "ASDFGHJKL:@~" "|ZXCVBNM<>?" "  ",
        "¦   €        " "  é   úíó   " "á           " "           " "  ",
        "             " "  É   ÚÍÓ   " "Á           " "           " "  ",
    }},
    {"hu", {
        "0123456789öüó" "qwertzuiopőú" "asdfghjkléáű" "íyxcvbnm,.-" "  ",
        "§'\"+!%/=()ÖÜÓ" "QWERTZUIOPŐÚ" "ASDFGHJKLÉÁŰ" "ÍYXCVBNM?:_" "  ",
        " ~ˇ^˘˚˛`˙ˊ˝ʺ¸" "\\|Ä   €Í  ÷×" "äđĐ[] íłŁ$ß¤" "<>#&@{} ; *" "  ",
    }},
    {"it", {
        "\\1234567890'ì" "qwertyuiopè+" "asdfghjklòàù" "<zxcvbnm,.-" "  ",
        "|!\"£$%&/()=?^" "QWERTYUIOPé*" "ASDFGHJKLç°§" ">ZXCVBNM;:_" "  ",
        "           `~" "  €       []" "         @# " "           " "  ",
        "             " "          {}" "            " "           " "  ",
    }},
    {"jp", {
        " 1234567890-^" "qwertyuiop@[" "asdfghjkl;:]" " zxcvbnm,./" "\\¥",
        " !\"#$%&'() =~" "QWERTYUIOP`{" "ASDFGHJKL+*}" " ZXCVBNM<>?" "_|",
    }},
    {"latam", {
        "|1234567890'¿" "qwertyuiopˊ+" "asdfghjklñ{}" "<zxcvbnm,.-" "  ",
        "°!\"#$%&/()=?¡" "QWERTYUIOPʺ*" "ASDFGHJKLÑ[]" ">ZXCVBNM;:_" "  ",
        "¬          \\ " "@          ~" "          ˆˋ" "           " "  ",
    }},
    {"nl", {
        "@1234567890/°" "qwertyuiopʺ*" "asdfghjkl+ˊ<" "]zxcvbnm,.-" "  ",
        "§!\"#$%&_()'?˜" "QWERTYUIOPˆ|" "ASDFGHJKL±ˋ>" "[ZXCVBNM;:=" "  ",
        "¬¹²³¼½¾£{} \\¸" "  €         " "            " "           " "  ",
    }},
    {"no", {
        "|1234567890+\\" "qwertyuiopåʺ" "asdfghjkløæ'" "<zxcvbnm,.-" "  ",
        "§!\"#¤%&/()=?ˋ" "QWERTYUIOPÅˆ" "ASDFGHJKLØÆ*" ">ZXCVBNM;:_" "  ",
        "  @£$  {[]} ˊ" "  €        ˜" "            " "       µ   " "  ",
    }},
    {"pl", {
        US_PLAIN,
        US_SHIFT,
        "             " "  ę   € ó   " "ąś      ł   " " żźć  ń    " "  ",
        "             " "  Ę     Ó   " "ĄŚ      Ł   " " ŻŹĆ  Ń    " "  ",
    }},
    {"pt", {
        "\\1234567890'«" "qwertyuiop+ˊ" "asdfghjklçº˜" "<zxcvbnm,.-" "  ",
        "|!\"#$%&/()=?»" "QWERTYUIOP*ˋ" "ASDFGHJKLÇªˆ" ">ZXCVBNM;:_" "  ",
        "  @£§  {[]}  " "  €       ʺ " "            " "           " "  ",
    }},
    {"ru", {
        "ё1234567890-=" "йцукенгшщзхъ" "фывапролджэ\\" " ячсмитьбю." "  ",
        "Ё!\"№;%:?*()_+" "ЙЦУКЕНГШЩЗХЪ" "ФЫВАПРОЛДЖЭ/" " ЯЧСМИТЬБЮ," "  ",
    }},
    {"se", {
        "§1234567890+ˊ" "qwertyuiopåʺ" "asdfghjklöä'" "<zxcvbnm,.-" "  ",
        "½!\"#¤%&/()=?ˋ" "QWERTYUIOPÅˆ" "ASDFGHJKLÖÄ*" ">ZXCVBNM;:_" "  ",
        "  @£$  {[]}\\ " "  €        ˜" "            " "|      µ   " "  ",
    }},
    {"tr", {
        "\"1234567890*-" "qwertyuıopğü" "asdfghjklşi," "<zxcvbnmöç." "  ",
        "é!'^+%&/()=?_" "QWERTYUIOPĞÜ" "ASDFGHJKLŞİ;" ">ZXCVBNMÖÇ:" "  ",
        "<>£#$½ {[]}\\|" "@ €       ʺ~" " ß       ´ `" "|          " "  ",
    }},
    {"us", {
        US_PLAIN,
        US_SHIFT,
    }},
};
/* clang-format on */
const unsigned keymap_table_count = G_N_ELEMENTS(keymap_tables);
