/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <glib.h>

#include "ui/tui/list.h"
#include "ui/tui/ui.h"

void list_set_count(struct list *list, int count)
{
    list->count = count;
    list_select(list, list->selected);
}

void list_select(struct list *list, int row)
{
    list->selected = MAX(MIN(row, list->count - 1), 0);
}

void list_show(struct list *list, int height)
{
    list->height = MAX(height, 1);
    list->first = MIN(list->first, MAX(list->count - list->height, 0));
    list->first = CLAMP(list->first, MAX(list->selected - list->height + 1, 0), list->selected);
}

int list_last(const struct list *list)
{
    return MIN(list->first + list->height, list->count);
}

bool list_key(struct list *list, uint32_t key)
{
    switch (key) {
    case TUI_KEY_UP:
    case 'k':
        list_select(list, list->selected - 1);
        return true;
    case TUI_KEY_DOWN:
    case 'j':
        list_select(list, list->selected + 1);
        return true;
    case TUI_KEY_PAGE_UP:
        list_select(list, list->selected - list->height);
        return true;
    case TUI_KEY_PAGE_DOWN:
        list_select(list, list->selected + list->height);
        return true;
    case TUI_KEY_HOME:
    case 'g':
        list_select(list, 0);
        return true;
    case TUI_KEY_END:
    case 'G':
        list_select(list, list->count - 1);
        return true;
    default:
        if (key < TUI_KEY_ROW || key > TUI_KEY_ROW_LAST)
            return false;
        list_select(list, (int)(key - TUI_KEY_ROW));
        return true;
    }
}
