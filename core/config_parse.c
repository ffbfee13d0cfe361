/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "core/config.h"
#include "core/config_internal.h"
#include "core/error.h"
#include "core/text.h"

struct parser {
    struct machine_config *config;
    const char *file;
    GHashTable *seen; /* "group" and "group.key" to the line where it was first */
    char *group;      /* NULL: none yet, or an unknown one: its keys are passed over */
    bool in_group;    /* some group has begun */
    unsigned line;    /* from 1; 0: the file as a whole */
    GString *problems;
    unsigned problem_count;
};

void config_line_init(struct config_line *line, const char *text)
{
    g_autofree char *trimmed = g_strstrip(g_strdup(text));
    size_t len = strlen(trimmed);
    char *equals;

    *line = (struct config_line){.kind = LINE_BROKEN};
    if (len == 0 || trimmed[0] == '#' || trimmed[0] == ';') {
        line->kind = LINE_EMPTY;
    } else if (trimmed[0] == '[') {
        if (trimmed[len - 1] != ']')
            return;
        line->kind = LINE_GROUP;
        line->name = g_strstrip(g_strndup(trimmed + 1, len - 2));
    } else if ((equals = strchr(trimmed, '=')) != NULL && equals != trimmed) {
        line->kind = LINE_KEY;
        line->name = g_strstrip(g_strndup(trimmed, equals - trimmed));
        line->value = g_strstrip(g_strdup(equals + 1));
    }
}

void config_line_finish(struct config_line *line)
{
    g_free(line->name);
    g_free(line->value);
}

static void problem(struct parser *p, const char *text)
{
    p->problem_count++;
    if (p->problem_count > CONFIG_MAX_PROBLEMS)
        return;
    if (p->problem_count > 1)
        g_string_append_c(p->problems, '\n');
    if (p->line > 0)
        g_string_append_printf(p->problems, "%s:%u: %s", p->file, p->line, text);
    else
        g_string_append_printf(p->problems, "%s: %s", p->file, text);
}

/* Whether name is new here; says so when it is not. */
static bool first_time(struct parser *p, const char *name)
{
    g_autofree char *text = NULL;
    gpointer line = g_hash_table_lookup(p->seen, name);

    if (line == NULL) {
        g_hash_table_insert(p->seen, g_strdup(name), GUINT_TO_POINTER(p->line));
        return true;
    }
    text = g_strdup_printf("%s is here a second time, first on line %u: keep one of them", name,
                           GPOINTER_TO_UINT(line));
    problem(p, text);
    return false;
}

static void parse_group(struct parser *p, const char *name)
{
    g_autoptr(GError) error = NULL;

    p->in_group = true;
    g_clear_pointer(&p->group, g_free);
    if (!config_check_group(name, &error)) {
        problem(p, error->message);
        return;
    }
    p->group = g_strdup(name);
    first_time(p, name);
}

static void parse_key(struct parser *p, const struct config_line *line)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;

    if (!p->in_group) {
        problem(p, "This key is in no group: write a line as [machine] before it");
        return;
    }
    if (p->group == NULL)
        return;
    path = g_strdup_printf("%s.%s", p->group, line->name);
    if (!machine_config_set(p->config, path, line->value, &error))
        problem(p, error->message);
    else
        first_time(p, path);
}

/* text is NUL-terminated at len, but may have NULs before. */
static void parse_line(struct parser *p, const char *text, size_t len)
{
    struct config_line line;

    if (!g_utf8_validate_len(text, len, NULL)) {
        problem(p, memchr(text, '\0', len) != NULL ? "This line has a NUL byte: remove it"
                                                   : "This line is not valid UTF-8: correct it");
        return;
    }
    for (const char *c = text; *c != '\0'; c = g_utf8_next_char(c)) {
        if (*c != '\t' && g_unichar_iscntrl(g_utf8_get_char(c))) {
            problem(p, *c == '\r' ? "This line ends with a carriage return: use line feeds alone"
                                  : "This line has a control character: remove it");
            return;
        }
    }
    config_line_init(&line, text);
    if (line.kind == LINE_GROUP)
        parse_group(p, line.name);
    else if (line.kind == LINE_KEY)
        parse_key(p, &line);
    else if (line.kind == LINE_BROKEN)
        problem(p, "This is neither [group] nor key = value nor a # comment: correct it");
    config_line_finish(&line);
}

static void parse_text(struct parser *p, const char *text, size_t size)
{
    for (size_t start = 0; start < size;) {
        const char *feed = memchr(text + start, '\n', size - start);
        size_t len = feed != NULL ? (size_t)(feed - text) - start : size - start;
        g_autofree char *line = g_malloc(len + 1);

        memcpy(line, text + start, len);
        line[len] = '\0';
        p->line++;
        parse_line(p, line, len);
        start += len + 1;
    }
    p->line = 0;
}

struct machine_config *machine_config_parse(const char *name, const char *text, size_t size,
                                            const char *file, GError **err)
{
    g_autoptr(GError) error = NULL;
    struct parser p = {.file = file};

    if (size > CONFIG_MAX_BYTES) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID,
                    "%s: The file is larger than %d bytes: that is no machine definition", file,
                    CONFIG_MAX_BYTES);
        return NULL;
    }
    p.config = machine_config_new(name);
    p.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    p.problems = g_string_new(NULL);
    parse_text(&p, text, size);
    if (p.problem_count == 0 && !machine_config_validate(p.config, &error))
        problem(&p, error->message);
    if (p.problem_count > CONFIG_MAX_PROBLEMS)
        g_string_append_printf(p.problems, "\n%s: and %u more problems", file,
                               p.problem_count - CONFIG_MAX_PROBLEMS);
    if (p.problem_count > 0) {
        vmdesk_fail(err, VMDESK_ERROR_INVALID, "%s", p.problems->str);
        g_clear_pointer(&p.config, machine_config_free);
    }
    g_free(p.group);
    g_hash_table_unref(p.seen);
    g_string_free(p.problems, TRUE);
    return p.config;
}
