/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which row of a list is selected, and which rows are on the screen. */
#ifndef UI_TUI_LIST_H
#define UI_TUI_LIST_H

#include <stdbool.h>
#include <stdint.h>

struct list {
    int count, selected, first, height;
};

void list_set_count(struct list *list, int count); /* keeps the selection inside */
void list_select(struct list *list, int row);
/* Before it is drawn in height rows: brings the selected row into view. */
void list_show(struct list *list, int height);
int list_last(const struct list *list); /* the row after the last one on the screen */
/* Arrows, j and k, g and G, pages, and a click on a row; false: another key. */
bool list_key(struct list *list, uint32_t key);

#endif
