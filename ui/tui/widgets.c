/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small parts that screens draw with (ui.h). */
#include <config.h>

#include "ui/tui/ui.h"

int tui_hint(struct tui *tui, int x, int y, int width, uint32_t key, const char *label)
{
    struct terminal *term = tui_term(tui);
    g_autofree char *name = key_label(key);
    int key_columns = text_columns(name);
    struct rect rect = {x, y, key_columns + 1 + text_columns(label), 1};

    if (rect.width > width)
        return 0;
    draw_text(term, x, y, key_columns, ROLE_KEY, name);
    draw_text(term, x + key_columns + 1, y, width - key_columns - 1, ROLE_DIM, label);
    tui_hot(tui, &rect, key);
    return rect.width;
}

void tui_dialog_box(struct tui *tui, int width, int height, const char *title, enum role frame,
                    struct rect *ret_inside)
{
    struct terminal *term = tui_term(tui);
    struct rect box;

    box.width = MIN(width, term_width(term));
    box.height = MIN(height, term_height(term));
    box.x = (term_width(term) - box.width) / 2;
    box.y = (term_height(term) - box.height) / 2;
    tui_cover(tui, &(struct rect){0, 0, term_width(term), term_height(term)});
    draw_fill(term, &box, ROLE_NORMAL);
    draw_frame(term, &box, frame, title);
    *ret_inside =
        (struct rect){box.x + 2, box.y + 1, MAX(box.width - 4, 0), MAX(box.height - 2, 0)};
}
