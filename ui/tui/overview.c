/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The overview tab: what a machine is and how it does, in one look. */
#include <config.h>

#include <string.h>

#include "core/text.h"
#include "ui/tui/feed.h"
#include "ui/tui/picture.h"
#include "ui/tui/tab.h"

#define THUMBNAIL_INTERVAL_MS 500
#define THUMBNAIL_MIN_WIDTH 32
#define THUMBNAIL_MAX_WIDTH 80
#define THUMBNAIL_BESIDE 44 /* columns for what is on its left */
#define LABEL_COLUMNS 10
#define BUSY_COLUMNS 14

struct overview {
    struct tab tab;
    struct feed *feed; /* NULL while hidden */
};

/* Where the next line goes. */
struct lines {
    struct tui *tui;
    struct rect left;
    struct rect below; /* where the whole width is free */
};

static void add_line(struct lines *lines, const char *label, enum role role, const char *value)
{
    struct terminal *term = tui_term(lines->tui);
    struct rect rect = lines->left;
    int used;

    if (rect.height < 1)
        return;
    draw_text(term, rect.x, rect.y, LABEL_COLUMNS, ROLE_DIM, label);
    rect.x += LABEL_COLUMNS;
    rect.width -= LABEL_COLUMNS;
    used = MAX(draw_wrapped(term, &rect, role, value), 1);
    lines->left.y += used;
    lines->left.height -= used;
}

static void add_format(struct lines *lines, const char *label, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void add_format(struct lines *lines, const char *label, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    add_line(lines, label, ROLE_NORMAL, text);
}

/* A value that is meant to be copied: in one line where that is possible. */
static void add_long(struct lines *lines, const char *label, const char *value)
{
    if (LABEL_COLUMNS + text_columns(value) > lines->left.width && lines->left.y < lines->below.y)
        lines->left = lines->below;
    add_line(lines, label, ROLE_NORMAL, value);
}

static void add_blank(struct lines *lines)
{
    lines->left.y++;
    lines->left.height--;
}

static char *duration_text(uint64_t ns)
{
    uint64_t minutes = ns / 1000000000 / 60;

    if (minutes < 1)
        return g_strdup("under a minute");
    if (minutes < 60)
        return g_strdup_printf("%" G_GUINT64_FORMAT " min", minutes);
    if (minutes < 60 * 24)
        return g_strdup_printf("%" G_GUINT64_FORMAT " h %02u min", minutes / 60,
                               (unsigned)(minutes % 60));
    return g_strdup_printf("%" G_GUINT64_FORMAT " days %" G_GUINT64_FORMAT " h", minutes / 1440,
                           minutes / 60 % 24);
}

static void draw_state(struct lines *lines, const struct vm *vm)
{
    struct terminal *term = tui_term(lines->tui);
    struct rect *left = &lines->left;
    int x = left->x, used;

    draw_glyph(term, x, left->y, vm_state_role(vm), vm_state_glyph(vm));
    x += 2;
    x += draw_text(term, x, left->y, left->width - 2, vm_state_role(vm), vm_state_word(vm)) + 1;
    if (vm->guest_time_ns) {
        g_autofree char *text = duration_text(vm->guest_time_ns);

        draw_format(term, x, left->y, left->x + left->width - x, ROLE_DIM, "%s %s",
                    theme_glyph(term_theme(term), GLYPH_DOT), text);
    }
    left->y++;
    left->height--;
    if (!vm->detail)
        return;
    used = draw_wrapped(term, left, vm_state_role(vm) == ROLE_ERROR ? ROLE_ERROR : ROLE_WARNING,
                        vm->detail);
    left->y += used;
    left->height -= used;
}

static void draw_cpu(struct lines *lines, const struct vm *vm)
{
    struct terminal *term = tui_term(lines->tui);
    unsigned cpus = vm->disk->config ? vm->disk->config->cpus : 1;
    int y = lines->left.y, x = lines->left.x + LABEL_COLUMNS;

    if (lines->left.height < 1)
        return;
    if (vm->cpu < 0) {
        add_format(lines, "CPUs", "%u", cpus);
        return;
    }
    draw_text(term, lines->left.x, y, LABEL_COLUMNS, ROLE_DIM, "CPUs");
    draw_format(term, x, y, lines->left.width - LABEL_COLUMNS, ROLE_NORMAL, "%u, %.0f%% busy", cpus,
                vm->cpu * 100);
    x += BUSY_COLUMNS;
    for (unsigned i = 0; i < vm->cpu_count && x < lines->left.x + lines->left.width; i++)
        draw_glyph(term, x++, y, ROLE_NOTICE, theme_bar(vm->cpu_history[i]));
    add_blank(lines);
}

static void draw_memory(struct lines *lines, const struct vm *vm)
{
    g_autofree char *memory = text_format_size(vm->disk->config->memory);

    if (vm->memory_resident) {
        uint64_t mib = (vm->memory_resident + vm->engine_memory) >> 20;

        add_format(lines, "Memory", "%s, %" G_GUINT64_FORMAT "M in use", memory, mib);
    } else {
        add_line(lines, "Memory", ROLE_NORMAL, memory);
    }
}

static void draw_storage(struct lines *lines, const struct vm *vm)
{
    const struct machine_config *config = vm->disk->config;
    const char *disc = vm_is_answering(vm) ? vm->cd : config->cdrom_file;

    for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++) {
        g_autofree char *label = g_strdup_printf("Disk %u", i);

        if (config->disks[i].file)
            add_line(lines, label, ROLE_NORMAL, config->disks[i].file);
    }
    if (config->cdrom_present)
        add_line(lines, "CD", disc ? ROLE_NORMAL : ROLE_DIM, disc ? disc : "empty");
}

static void draw_boot(struct lines *lines, const struct vm *vm)
{
    static const char *const devices[] = {
        [BOOT_NONE] = NULL, [BOOT_DISK] = "disk", [BOOT_CDROM] = "CD"};
    const struct machine_config *config = vm->disk->config;
    const char *first = devices[config->boot_order[0]], *second = devices[config->boot_order[1]];

    add_format(lines, "Boot", "%s: %s%s%s", config->firmware == FIRMWARE_OVMF ? "UEFI" : "BIOS",
               config->kernel ? "kernel "
               : first        ? first
                              : "nothing",
               config->kernel ? config->kernel
               : second       ? ", then "
                              : "",
               config->kernel || !second ? "" : second);
}

static void screen_changed(void *opaque)
{
    tui_redraw(opaque);
}

static bool fits_as_text(const struct guest_screen *screen, const struct rect *rect)
{
    return screen->mode == GUEST_SCREEN_TEXT && (int)screen->columns <= rect->width &&
           (int)screen->rows <= rect->height;
}

static void draw_small_screen(struct terminal *term, const struct guest_screen *screen,
                              const struct rect *rect)
{
    if (screen->mode == GUEST_SCREEN_BLANK)
        draw_text(term, rect->x + rect->width / 2 - 6, rect->y + rect->height / 2, 12, ROLE_DIM,
                  "blank screen");
    else if (fits_as_text(screen, rect))
        picture_draw_text(term, screen, rect, 0, 0);
    else
        picture_draw(term, screen, rect);
}

static void draw_thumbnail(struct overview *overview, struct vm *vm, struct lines *lines)
{
    struct terminal *term = tui_term(overview->tab.tui);
    struct rect *rect = &lines->left;
    int width = CLAMP(rect->width - THUMBNAIL_BESIDE, THUMBNAIL_MIN_WIDTH, THUMBNAIL_MAX_WIDTH);
    int height = MIN(width * 3 / 8 + 1, rect->height - 2); /* 4:3, of cells twice as high as wide */
    struct rect inside = {rect->x + rect->width - width - 1, rect->y + 1, width, height};
    struct rect frame;
    const struct guest_screen *screen;

    if (!overview->feed)
        overview->feed = feed_new(tui_model(overview->tab.tui), THUMBNAIL_INTERVAL_MS,
                                  screen_changed, overview->tab.tui);
    feed_update(overview->feed, vm, (unsigned)width, (unsigned)height * 2);
    screen = feed_screen(overview->feed);
    if (!screen)
        return;
    if (fits_as_text(screen, &inside))
        inside.height = (int)screen->rows;
    frame = (struct rect){inside.x - 1, inside.y - 1, inside.width + 2, inside.height + 2};
    draw_frame(term, &frame, ROLE_FRAME, NULL);
    draw_small_screen(term, screen, &inside);
    tui_hot(overview->tab.tui, &frame, action_info(ACTION_CONSOLE)->key);
    lines->below.y += frame.height + 1;
    lines->below.height -= frame.height + 1;
    rect->width -= frame.width + 2;
}

static void overview_draw(struct tab *tab, struct vm *vm, const struct rect *rect, bool focused)
{
    struct overview *overview = (struct overview *)tab;
    struct lines lines = {tab->tui, *rect, *rect};
    const struct machine_config *config = vm->disk->config;

    model_show(vm);
    if (vm_is_answering(vm) && rect->width >= THUMBNAIL_BESIDE + THUMBNAIL_MIN_WIDTH &&
        rect->height > 6)
        draw_thumbnail(overview, vm, &lines);
    draw_state(&lines, vm);
    if (!config)
        return;
    add_blank(&lines);
    draw_cpu(&lines, vm);
    draw_memory(&lines, vm);
    draw_storage(&lines, vm);
    draw_boot(&lines, vm);
    if (vm->accel)
        add_long(&lines, "Runs on", vm->accel);
    if (vm->vnc)
        add_long(&lines, "VNC", vm->vnc);
    if (config->description) {
        add_blank(&lines);
        lines.left.height = MAX(lines.left.height, 0);
        draw_wrapped(tui_term(tab->tui), &lines.left, ROLE_DIM, config->description);
    }
}

static void overview_hide(struct tab *tab)
{
    struct overview *overview = (struct overview *)tab;

    g_clear_pointer(&overview->feed, feed_free);
}

static void overview_free(struct tab *tab)
{
    overview_hide(tab);
    g_free(tab);
}

static const struct tab_ops overview_ops = {
    .title = "Overview",
    .draw = overview_draw,
    .hide = overview_hide,
    .free = overview_free,
};

struct tab *overview_new(struct tui *tui)
{
    struct overview *overview = g_new0(struct overview, 1);

    overview->tab = (struct tab){&overview_ops, tui};
    return &overview->tab;
}
