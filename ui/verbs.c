/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/verbs.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "ui/new_disk.h"

/* Whether the verb's name starts with the first words of the command line. Returns how many words
 * of the name match, and in *ret_words how many it has. */
static unsigned match_words(const struct verb *verb, char *const *words, unsigned *ret_words)
{
    g_auto(GStrv) names = g_strsplit(verb->name, " ", -1);
    unsigned matched = 0;

    while (names[matched] != NULL && words[matched] != NULL &&
           strcmp(names[matched], words[matched]) == 0)
        matched++;
    *ret_words = g_strv_length(names);
    return matched;
}

static bool fail_unknown(char *const *words, unsigned known, GError **err)
{
    size_t count;
    const struct verb *verbs = verbs_table(&count);
    g_autofree const char **names = g_new(const char *, count);
    g_autoptr(GString) typed = g_string_new(words[0]);
    g_autofree char *shown = NULL, *group = NULL;
    const char *closest;

    for (unsigned i = 1; i <= known && words[i] != NULL; i++)
        g_string_append_printf(typed, " %s", words[i]);
    for (size_t i = 0; i < count; i++)
        names[i] = verbs[i].name;
    shown = text_sanitize(typed->str, -1, false);
    closest = text_closest(typed->str, names, count);
    if (known > 0 && words[known] == NULL)
        return verb_misused(err, "Something is missing: \"vmdesk help %s\" lists what there is",
                            shown);
    if (closest != NULL)
        return verb_misused(err, "There is no verb \"%s\": did you mean \"%s\"?", shown, closest);
    g_string_truncate(typed, 0);
    for (unsigned i = 0; i < known; i++)
        g_string_append_printf(typed, " %s", words[i]);
    return verb_misused(err, "There is no verb \"%s\": \"vmdesk help%s\" lists them", shown,
                        typed->str);
}

/* The verb that the words start with, and how many of them are its name. */
static const struct verb *find_verb(char *const *words, unsigned *ret_words, GError **err)
{
    size_t count;
    const struct verb *verbs = verbs_table(&count);
    unsigned known = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned all, matched = match_words(&verbs[i], words, &all);

        if (matched == all) {
            *ret_words = all;
            return &verbs[i];
        }
        known = MAX(known, matched);
    }
    fail_unknown(words, known, err);
    return NULL;
}

bool verb_misused(GError **err, const char *message, ...)
{
    va_list ap;

    va_start(ap, message);
    if (err != NULL)
        *err = g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_FAILED, message, ap);
    va_end(ap);
    return false;
}

static GPtrArray *option_values(const struct verb_call *call, const char *option)
{
    return g_hash_table_lookup(call->options, option);
}

bool verb_has(const struct verb_call *call, const char *option)
{
    return option_values(call, option) != NULL;
}

unsigned verb_count(const struct verb_call *call, const char *option)
{
    const GPtrArray *values = option_values(call, option);

    return values != NULL ? values->len : 0;
}

const char *verb_value_at(const struct verb_call *call, const char *option, unsigned index)
{
    return option_values(call, option)->pdata[index];
}

const char *verb_value(const struct verb_call *call, const char *option)
{
    unsigned count = verb_count(call, option);

    return count > 0 ? verb_value_at(call, option, count - 1) : NULL;
}

bool verb_number(const struct verb_call *call, const char *option, unsigned min, unsigned max,
                 unsigned fallback, unsigned *ret_number, GError **err)
{
    const char *text = verb_value(call, option);
    g_autoptr(GError) error = NULL;
    uint64_t number = fallback;

    if (text != NULL && !text_parse_number(text, min, max, &number, &error))
        return verb_misused(err, "--%s: %s", option, error->message);
    *ret_number = number;
    return true;
}

/* "NAME", "[FILE]", "GROUP.KEY=VALUE..." */
static char *describe_arguments(const struct verb *verb)
{
    GString *text = g_string_new(NULL);

    for (const struct verb_argument *a = verb->arguments; a->placeholder != NULL; a++)
        g_string_append_printf(text, "%s%s%s%s%s", text->len > 0 ? " " : "", a->optional ? "[" : "",
                               a->placeholder, a->repeated ? "..." : "", a->optional ? "]" : "");
    return g_string_free(text, FALSE);
}

struct parsing {
    const struct verb *verb;
    GHashTable *options;
};

/* GOption names the option as it was typed: "--json" or "-j". */
static gboolean take_option(const char *typed, const char *value, gpointer data, GError **err)
{
    const struct parsing *parsing = data;
    const struct verb_option *option = parsing->verb->options;
    GPtrArray *values;

    while (typed[1] == '-' ? strcmp(option->name, typed + 2) != 0 : option->letter != typed[1])
        option++;
    values = g_hash_table_lookup(parsing->options, option->name);
    if (values == NULL) {
        values = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(parsing->options, (char *)option->name, values);
    }
    g_ptr_array_add(values, g_strdup(value));
    return TRUE;
}

/* The verbs of a group, or with NULL those without one, and the groups. */
static char *list_verbs(const char *group)
{
    size_t count;
    const struct verb *verbs = verbs_table(&count);
    GString *text = g_string_new("Verbs (\"vmdesk help VERB\" explains one):\n");
    g_autofree char *prefix = group != NULL ? g_strdup_printf("%s ", group) : g_strdup("");
    g_autofree char *shown = NULL; /* the group that was listed last */

    for (size_t i = 0; i < count; i++) {
        const char *space = strchr(verbs[i].name, ' ');

        if (group == NULL && space != NULL) {
            g_autofree char *first = g_strndup(verbs[i].name, space - verbs[i].name);

            if (g_strcmp0(first, shown) != 0)
                g_string_append_printf(text, "  %-11s more verbs: \"vmdesk help %s\" lists them\n",
                                       first, first);
            g_free(shown);
            shown = g_steal_pointer(&first);
        } else if (g_str_has_prefix(verbs[i].name, prefix)) {
            g_string_append_printf(text, "  %-*s %s\n", group != NULL ? 22 : 11, verbs[i].name,
                                   verbs[i].help);
        }
    }
    return g_string_free(text, FALSE);
}

/* GOption names the program in its help: "vmdesk VERB". */
static void name_program(const struct verb *verb)
{
    g_autofree char *name =
        g_strdup_printf("vmdesk%s%s", verb->name[0] != '\0' ? " " : "", verb->name);

    g_set_prgname(name);
}

/* GOption's view of a verb's row. */
static GOptionContext *option_context(const struct verb *verb, struct parsing *parsing)
{
    g_autofree char *arguments = describe_arguments(verb);
    GOptionContext *context = g_option_context_new(arguments);
    GOptionGroup *group = g_option_group_new("main", "", "", parsing, NULL);
    g_autoptr(GArray) entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));
    g_autofree char *overview = list_verbs(NULL);

    for (const struct verb_option *o = verb->options; o->name != NULL; o++) {
        GOptionEntry entry = {
            .long_name = o->name,
            .short_name = o->letter,
            .flags = o->kind == VALUE_NONE ? G_OPTION_FLAG_NO_ARG : G_OPTION_FLAG_FILENAME,
            .arg = G_OPTION_ARG_CALLBACK,
            .arg_data = (gpointer)take_option,
            .description = o->help,
            .arg_description = o->placeholder,
        };
        g_array_append_val(entries, entry);
    }
    g_option_group_add_entries(group, (const GOptionEntry *)entries->data);
    g_option_context_set_main_group(context, group);
    g_option_context_set_summary(context, verb->help);
    g_option_context_set_description(context, verb == verbs_bare() ? overview : verb->details);
    return context;
}

static bool check_arguments(const struct verb *verb, unsigned count, GError **err)
{
    unsigned min = 0, max = 0;

    for (const struct verb_argument *a = verb->arguments; a->placeholder != NULL; a++) {
        min += !a->optional;
        max = a->repeated ? G_MAXUINT : max + 1;
    }
    if (count >= min && count <= max)
        return true;
    g_autofree char *arguments = describe_arguments(verb);
    return verb_misused(err, "%s: use it as \"vmdesk %s%s%s\" (\"vmdesk help %s\" tells more)",
                        count < min ? "Something is missing" : "That is too much", verb->name,
                        arguments[0] != '\0' ? " " : "", arguments, verb->name);
}

static char *verb_usage(const struct verb *verb)
{
    GOptionContext *context = option_context(verb, NULL);
    char *help;

    name_program(verb);
    help = g_option_context_get_help(context, TRUE, NULL);
    g_option_context_free(context);
    return help;
}

static bool is_negative(const char *word)
{
    return word[0] == '-' && g_ascii_isdigit(word[1]) &&
           word[1 + strspn(word + 1, "0123456789.KMGTPEiBkmgtpe")] == '\0';
}

/* "-1G" would be taken for options. */
static bool refuse_negative(const struct verb *verb, int argc, char **argv, GError **err)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (is_negative(argv[i]))
            return verb_misused(err, "\"%s\" is no option, and no number can be negative here",
                                argv[i]);
    return true;
}

static bool run_verb(const struct verb *verb, int argc, char **argv, GError **err)
{
    struct parsing parsing = {
        .verb = verb,
        .options =
            g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref),
    };
    GOptionContext *context = option_context(verb, &parsing);
    bool done = false;

    name_program(verb);
    if (refuse_negative(verb, argc, argv, err) &&
        g_option_context_parse(context, &argc, &argv, err)) {
        /* A "--" that ended the options is still there. */
        int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;

        if (check_arguments(verb, argc - first, err)) {
            struct verb_call call = {
                .verb = verb,
                .store = store_new(NULL),
                .arguments = argv + first,
                .options = parsing.options,
            };
            store_set_disk_maker(call.store, new_disk_make);
            done = verb->run(&call, err);
            store_free(call.store);
        }
    }
    g_option_context_free(context);
    g_hash_table_unref(parsing.options);
    return done;
}

static enum exit_status status_of(const GError *error)
{
    if (error->domain == G_OPTION_ERROR)
        return STATUS_USAGE;
    if (error->domain != VMDESK_ERROR)
        return STATUS_FAILED;
    switch ((enum vmdesk_error)error->code) {
    case VMDESK_ERROR_NOT_FOUND:
        return STATUS_NOT_FOUND;
    case VMDESK_ERROR_BUSY:
    case VMDESK_ERROR_GONE:
        return STATUS_STATE;
    case VMDESK_ERROR_TIMEOUT:
        return STATUS_TIMEOUT;
    case VMDESK_ERROR_CANCELLED:
        return STATUS_INTERRUPTED;
    default:
        return STATUS_FAILED;
    }
}

static int report(const GError *error)
{
    g_autofree char *message = text_sanitize(error->message, -1, true);

    fprintf(stderr, "vmdesk: %s\n", message);
    return status_of(error);
}

int verbs_run(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    bool bare = argc < 2 || argv[1][0] == '-';
    unsigned words = 0;
    const struct verb *verb = bare ? verbs_bare() : find_verb(argv + 1, &words, &error);

    if (verb == NULL || !run_verb(verb, argc - (int)words, argv + words, &error))
        return report(error);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        vmdesk_fail(&error, VMDESK_ERROR_IO,
                    "Cannot write the output: make room, or look at the program that reads it");
        return report(error);
    }
    return STATUS_DONE;
}

/* Whether the words are a group of verbs. */
static bool is_group(const char *words)
{
    size_t count;
    const struct verb *verbs = verbs_table(&count);
    g_autofree char *prefix = g_strdup_printf("%s ", words);

    for (size_t i = 0; i < count; i++)
        if (g_str_has_prefix(verbs[i].name, prefix))
            return true;
    return false;
}

bool verb_help(const struct verb_call *call, GError **err)
{
    g_autofree char *words = g_strjoinv(" ", call->arguments), *text = NULL;
    const struct verb *verb = verbs_bare();
    unsigned count = 0;

    if (is_group(words)) {
        text = list_verbs(words);
    } else {
        if (call->arguments[0] != NULL)
            verb = find_verb(call->arguments, &count, err);
        if (verb == NULL)
            return false;
        text = verb_usage(verb);
    }
    fputs(text, stdout);
    return true;
}
