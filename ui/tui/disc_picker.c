/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Choosing a boot disc: those found, searched for by a worker thread, or a typed path (ui.h). */
#include <config.h>

#include "core/discs.h"
#include "core/text.h"
#include "ui/tui/ui.h"

#define ROW_TYPED (-1)

/* Shared by the picker and the search: either may end first. */
struct search {
    int references; /* main thread only */
    struct tui *tui;
    struct screen *picker; /* NULL: closed */
    GPtrArray *discs;      /* NULL: still searching */
    GThread *thread;
    struct disc_choice choice;
};

static void search_unref(struct search *search)
{
    if (--search->references > 0)
        return;
    g_clear_pointer(&search->discs, g_ptr_array_unref);
    if (search->choice.free_opaque)
        search->choice.free_opaque(search->choice.opaque);
    g_free(search);
}

static void picker_closed(void *opaque)
{
    struct search *search = opaque;

    search->picker = NULL;
    search_unref(search);
}

static void prompt_closed(void *opaque)
{
    search_unref(opaque);
}

static bool path_typed(struct tui *tui, const char *value, void *opaque, GError **err)
{
    struct search *search = opaque;
    g_autofree char *path = NULL;
    struct disc *disc;

    if (value[0] == '~' && value[1] == '/')
        path = g_build_filename(g_get_home_dir(), value + 2, NULL);
    else
        path = g_canonicalize_filename(value, NULL);
    disc = disc_probe(path, err);
    if (!disc)
        return false;
    disc_free(disc);
    search->choice.chosen(tui, path, search->choice.opaque);
    return true;
}

static void row_chosen(struct tui *tui, const struct picker_row *row, void *opaque)
{
    struct search *search = opaque;

    search->picker = NULL;
    if (row->id == ROW_TYPED) {
        search->references++;
        prompt_open(tui, &(struct prompt){
                             .title = search->choice.title,
                             .text = "Path of an ISO image or a disk image:",
                             .yes = "use it",
                             .accept = path_typed,
                             .opaque = search,
                             .free_opaque = prompt_closed,
                         });
    } else {
        struct disc *disc = search->discs->pdata[row->id];

        search->choice.chosen(tui, disc->path, search->choice.opaque);
    }
}

static void add_disc(struct search *search, int index)
{
    const struct disc *disc = search->discs->pdata[index];
    g_autofree char *path = text_sanitize(disc->path, -1, false);
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *size = g_format_size_full(disc->size, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *label =
        g_strdup_printf("%s%s%s", name, disc->label ? "  " : "", disc->label ? disc->label : "");
    g_autofree char *note = g_strdup_printf("%s%s", disc->bootable ? "" : "no boot record, ", size);

    picker_add(search->picker, picker_row_new(index, label, note, NULL, 0));
}

static gboolean searched(gpointer opaque)
{
    struct search *search = opaque;

    search->discs = g_thread_join(search->thread);
    for (guint i = 0; search->picker && i < search->discs->len; i++)
        add_disc(search, (int)i);
    if (search->picker)
        picker_add(search->picker, picker_row_new(ROW_TYPED, "Type a path", NULL, NULL, 0));
    search_unref(search);
    return G_SOURCE_REMOVE;
}

static void *search_in_thread(void *opaque)
{
    GPtrArray *discs = discs_find();

    g_idle_add(searched, opaque);
    return discs;
}

void disc_picker_open(struct tui *tui, const struct disc_choice *choice)
{
    struct search *search = g_new0(struct search, 1);
    struct picker picker = {
        .title = choice->title,
        .rows = g_ptr_array_new_with_free_func((GDestroyNotify)picker_row_free),
        .filter = true,
        .empty = "Looking for discs.",
        .chosen = row_chosen,
        .opaque = search,
        .free_opaque = picker_closed,
    };

    search->references = 2;
    search->tui = tui;
    search->choice = *choice;
    search->picker = picker_open(tui, &picker);
    search->thread = g_thread_new("disc search", search_in_thread, search);
}
