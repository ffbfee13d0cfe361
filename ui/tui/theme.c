/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <glib.h>
#include <string.h>

#include "ui/tui/theme.h"

/* with 8 or 16 colours; with 256 and more; without colour */
struct role_styles {
    struct style few, many, mono;
};

#define NO_COLOR COLOR_DEFAULT, COLOR_DEFAULT

static const struct role_styles roles[ROLE_COUNT] = {
    [ROLE_NORMAL] = {{NO_COLOR, 0}, {NO_COLOR, 0}, {NO_COLOR, 0}},
    [ROLE_DIM] = {{NO_COLOR, STYLE_DIM}, {245, -1, 0}, {NO_COLOR, STYLE_DIM}},
    [ROLE_STRONG] = {{NO_COLOR, STYLE_BOLD}, {NO_COLOR, STYLE_BOLD}, {NO_COLOR, STYLE_BOLD}},
    [ROLE_TITLE] = {{6, -1, STYLE_BOLD}, {80, -1, STYLE_BOLD}, {NO_COLOR, STYLE_BOLD}},
    [ROLE_FRAME] = {{NO_COLOR, STYLE_DIM}, {240, -1, 0}, {NO_COLOR, 0}},
    [ROLE_FOCUS] = {{6, -1, 0}, {80, -1, 0}, {NO_COLOR, STYLE_BOLD}},
    [ROLE_SELECTED] = {{NO_COLOR, STYLE_REVERSE}, {255, 24, STYLE_BOLD}, {NO_COLOR, STYLE_REVERSE}},
    [ROLE_MARKED] = {{NO_COLOR, STYLE_BOLD}, {-1, 237, STYLE_BOLD}, {NO_COLOR, STYLE_BOLD}},
    [ROLE_KEY] = {{6, -1, STYLE_BOLD}, {80, -1, STYLE_BOLD}, {NO_COLOR, STYLE_BOLD}},
    [ROLE_DISABLED] = {{NO_COLOR, STYLE_DIM}, {242, -1, 0}, {NO_COLOR, STYLE_DIM}},
    [ROLE_TAB] = {{6, -1, STYLE_BOLD | STYLE_REVERSE},
                  {234, 80, STYLE_BOLD},
                  {NO_COLOR, STYLE_BOLD | STYLE_REVERSE}},
    [ROLE_INPUT] = {{NO_COLOR, STYLE_UNDERLINE}, {255, 238, 0}, {NO_COLOR, STYLE_UNDERLINE}},
    [ROLE_GRAB] = {{3, -1, STYLE_BOLD | STYLE_REVERSE},
                   {234, 215, STYLE_BOLD},
                   {NO_COLOR, STYLE_BOLD | STYLE_REVERSE}},
    [ROLE_GOOD] = {{2, -1, 0}, {114, -1, 0}, {NO_COLOR, 0}},
    [ROLE_NOTICE] = {{6, -1, 0}, {117, -1, 0}, {NO_COLOR, 0}},
    [ROLE_WARNING] = {{3, -1, 0}, {215, -1, 0}, {NO_COLOR, STYLE_BOLD}},
    [ROLE_ERROR] = {{1, -1, STYLE_BOLD}, {203, -1, STYLE_BOLD}, {NO_COLOR, STYLE_BOLD}},
    [ROLE_CURSOR] = {{NO_COLOR, STYLE_REVERSE},
                     {NO_COLOR, STYLE_REVERSE},
                     {NO_COLOR, STYLE_REVERSE}},
};

static const struct {
    const char *utf8, *ascii;
} glyphs[GLYPH_COUNT] = {
    [GLYPH_RUNNING] = {"●", "*"},      [GLYPH_PAUSED] = {"◐", "="},
    [GLYPH_OFF] = {"○", "-"},          [GLYPH_BUSY] = {"◌", "~"},
    [GLYPH_FAILED] = {"✗", "!"},       [GLYPH_UNKNOWN] = {"?", "?"},
    [GLYPH_POINTER] = {"▸", ">"},      [GLYPH_ELLIPSIS] = {"…", "~"},
    [GLYPH_DOT] = {"·", "|"},          [GLYPH_HORIZONTAL] = {"─", "-"},
    [GLYPH_VERTICAL] = {"│", "|"},     [GLYPH_TOP_LEFT] = {"┌", "+"},
    [GLYPH_TOP_RIGHT] = {"┐", "+"},    [GLYPH_BOTTOM_LEFT] = {"└", "+"},
    [GLYPH_BOTTOM_RIGHT] = {"┘", "+"}, [GLYPH_UP] = {"↑", "^"},
    [GLYPH_DOWN] = {"↓", "v"},         [GLYPH_UPPER_HALF] = {"▀", "\""},
    [GLYPH_BAR_0] = {"▁", "."},        [GLYPH_BAR_0 + 1] = {"▂", "."},
    [GLYPH_BAR_0 + 2] = {"▃", ":"},    [GLYPH_BAR_0 + 3] = {"▄", ":"},
    [GLYPH_BAR_0 + 4] = {"▅", "+"},    [GLYPH_BAR_0 + 5] = {"▆", "+"},
    [GLYPH_BAR_0 + 6] = {"▇", "#"},    [GLYPH_BAR_7] = {"█", "#"},
};

void theme_init(struct theme *theme, int colors, bool no_color, bool ascii)
{
    theme->ascii = ascii;
    if (no_color || colors < 8)
        theme->colors = 0;
    else if (colors < 16)
        theme->colors = 8;
    else if (colors < 256)
        theme->colors = 16;
    else if (colors < 1 << 24)
        theme->colors = 256;
    else
        theme->colors = 1 << 24;
}

struct style theme_style(const struct theme *theme, enum role role)
{
    if (theme->colors == 0)
        return roles[role].mono;
    return theme->colors < 256 ? roles[role].few : roles[role].many;
}

const char *theme_glyph(const struct theme *theme, enum glyph glyph)
{
    return theme->ascii ? glyphs[glyph].ascii : glyphs[glyph].utf8;
}

enum glyph theme_bar(double share)
{
    return GLYPH_BAR_0 + (enum glyph)CLAMP(share * 8, 0, 7);
}

static const uint32_t ansi[16] = {
    0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
    0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
};

static const uint8_t cube_levels[6] = {0, 95, 135, 175, 215, 255};

uint32_t theme_palette_rgb(unsigned index)
{
    uint32_t gray;

    if (index < 16)
        return ansi[index];
    if (index < 232) {
        index -= 16;
        return (uint32_t)cube_levels[index / 36] << 16 | (uint32_t)cube_levels[index / 6 % 6] << 8 |
               cube_levels[index % 6];
    }
    gray = 8 + 10 * (MIN(index, 255) - 232);
    return gray << 16 | gray << 8 | gray;
}

static unsigned distance(uint32_t a, uint32_t b)
{
    int red = (int)(a >> 16 & 0xff) - (int)(b >> 16 & 0xff);
    int green = (int)(a >> 8 & 0xff) - (int)(b >> 8 & 0xff);
    int blue = (int)(a & 0xff) - (int)(b & 0xff);

    /* the eye's weights, roughly */
    return (unsigned)(3 * red * red + 6 * green * green + blue * blue);
}

static unsigned cube_level(unsigned value)
{
    return value < 48 ? 0 : value < 115 ? 1 : (value - 35) / 40;
}

static unsigned nearest_256(uint32_t rgb)
{
    unsigned red = rgb >> 16 & 0xff, green = rgb >> 8 & 0xff, blue = rgb & 0xff;
    unsigned cube = 16 + 36 * cube_level(red) + 6 * cube_level(green) + cube_level(blue);
    unsigned average = (red + green + blue) / 3;
    unsigned gray = 232 + MIN(average < 3 ? 0 : (average - 3) / 10, 23);

    return distance(rgb, theme_palette_rgb(gray)) < distance(rgb, theme_palette_rgb(cube)) ? gray
                                                                                           : cube;
}

static unsigned nearest_ansi(uint32_t rgb, unsigned count)
{
    unsigned best = 0;

    for (unsigned i = 1; i < count; i++) {
        if (distance(rgb, ansi[i]) < distance(rgb, ansi[best]))
            best = i;
    }
    return best;
}

int theme_color(const struct theme *theme, int color)
{
    uint32_t rgb;

    if (color == COLOR_DEFAULT || theme->colors == 0)
        return COLOR_DEFAULT;
    if (!(color & COLOR_RGB_FLAG) && (unsigned)color < MIN(theme->colors, 256) &&
        (theme->colors <= 256 || color < 8))
        return color;

    rgb = color & COLOR_RGB_FLAG ? (uint32_t)color & 0xffffff : theme_palette_rgb((unsigned)color);
    if (theme->colors > 256)
        return rgb < 8 ? 0 : (int)rgb; /* direct colour: curses keeps 0 to 7 for the ANSI ones */
    if (theme->colors == 256)
        return (int)nearest_256(rgb);
    return (int)nearest_ansi(rgb, theme->colors);
}

unsigned theme_cga(unsigned color)
{
    /* CGA has blue in bit 0 and red in bit 2; ANSI the other way round */
    return (color & 8) | (color & 1) << 2 | (color & 2) | (color & 4) >> 2;
}

unsigned theme_brightness(uint32_t rgb)
{
    return ((rgb >> 16 & 0xff) * 77 + (rgb >> 8 & 0xff) * 150 + (rgb & 0xff) * 29) >> 8;
}

char theme_luminance(unsigned brightness)
{
    static const char ramp[] = " .:-=+*#%@";

    return ramp[MIN(brightness, 255) * (strlen(ramp) - 1) / 255];
}
