/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "ui/tui/picture.h"

/* One cell shows two pixels, one above the other. */
static void draw_halves(struct terminal *term, int x, int y, uint32_t upper, uint32_t lower)
{
    const struct theme *theme = term_theme(term);
    struct style style = {COLOR_RGB(upper), COLOR_RGB(lower), 0};

    if (theme->colors == 0 || theme->ascii) {
        unsigned brightness = (theme_brightness(upper) + theme_brightness(lower)) / 2;

        style.background = COLOR_DEFAULT;
        if (theme->colors == 0)
            style.foreground = COLOR_DEFAULT;
        draw_cell(term, x, y, (gunichar)theme_luminance(brightness), &style);
    } else if (theme_color(theme, style.foreground) == theme_color(theme, style.background)) {
        draw_cell(term, x, y, ' ', &style);
    } else {
        draw_cell(term, x, y, g_utf8_get_char(theme_glyph(theme, GLYPH_UPPER_HALF)), &style);
    }
}

void picture_draw(struct terminal *term, const struct guest_screen *screen, const struct rect *rect)
{
    bool text = screen->mode == GUEST_SCREEN_TEXT;
    int width = MIN(rect->width, (int)(text ? screen->columns : screen->width));
    /* a text mode fills a screen of 4:3 */
    int height = MIN(rect->height * 2, text ? width * 3 / 4 : (int)screen->height);
    int left = rect->x + (rect->width - width) / 2;
    int top = rect->y + (rect->height - (height + 1) / 2) / 2;

    for (int y = 0; y < height; y += 2) {
        for (int x = 0; x < width; x++) {
            uint32_t upper = guest_screen_pixel(screen, (unsigned)x, (unsigned)y, (unsigned)width,
                                                (unsigned)height);
            uint32_t lower = y + 1 < height
                                 ? guest_screen_pixel(screen, (unsigned)x, (unsigned)y + 1,
                                                      (unsigned)width, (unsigned)height)
                                 : 0;

            draw_halves(term, left + x, top + y / 2, upper, lower);
        }
    }
}

static struct style style_of_attribute(const struct theme *theme, uint8_t attribute)
{
    unsigned foreground = attribute & 0xf, background = attribute >> 4 & 7;
    struct style style = {(int)theme_cga(foreground), (int)theme_cga(background), 0};

    if (attribute & 0x80)
        style.flags |= STYLE_BLINK;
    if (theme->colors < 16 && foreground & 8) {
        style.flags |= STYLE_BOLD;
        style.foreground &= 7;
    }
    if (theme->colors == 0 && theme_brightness(theme_palette_rgb(theme_cga(background))) >
                                  theme_brightness(theme_palette_rgb(theme_cga(foreground))))
        style.flags |= STYLE_REVERSE;
    return style;
}

void picture_draw_text(struct terminal *term, const struct guest_screen *screen,
                       const struct rect *rect, unsigned left, unsigned top)
{
    for (unsigned y = 0; y < (unsigned)rect->height && top + y < screen->rows; y++) {
        for (unsigned x = 0; x < (unsigned)rect->width && left + x < screen->columns; x++) {
            size_t at = (size_t)(top + y) * screen->columns + left + x;
            gunichar character = screen->text[at];
            struct style style = style_of_attribute(term_theme(term), screen->attributes[at]);

            draw_cell(term, rect->x + (int)x, rect->y + (int)y,
                      g_unichar_iswide(character) ? 0xfffd : character, &style);
        }
    }
}
