/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints what a manual page says of the tables, as scdoc source: "verbs" or "keys". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "ui/verbs.h"

/* Text in which scdoc would see marks. */
static void print_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("\\*_#[]|<>", *text) != NULL)
            putchar('\\');
        putchar(*text);
    }
}

static void print_option(const struct verb_option *option)
{
    putchar('\t');
    if (option->letter != '\0')
        printf("*-%c*, ", option->letter);
    printf("*--%s*", option->name);
    if (option->placeholder != NULL) {
        fputs(" _", stdout);
        print_text(option->placeholder);
        putchar('_');
    }
    fputs("\n\t\t", stdout);
    print_text(option->help);
    fputs("\n\n", stdout);
}

static void print_verb(const struct verb *verb)
{
    printf("*%s*%s", verb->name, verb->options->name != NULL ? " [_OPTION_...]" : "");
    for (const struct verb_argument *a = verb->arguments; a->placeholder != NULL; a++)
        printf(" %s_%s_%s%s", a->optional ? "[" : "", a->placeholder, a->repeated ? "..." : "",
               a->optional ? "]" : "");
    printf("\n\t%c", g_ascii_toupper(verb->help[0]));
    print_text(verb->help + 1);
    putchar('.');
    if (verb->details != NULL) {
        putchar(' ');
        print_text(verb->details);
    }
    fputs("\n\n", stdout);
    for (const struct verb_option *o = verb->options; o->name != NULL; o++)
        print_option(o);
}

static void print_key(const struct config_key *key)
{
    printf("*%s* = _", key->key);
    print_text(key->values);
    putchar('_');
    if (key->default_text[0] != '\0') {
        fputs(" (default: ", stdout);
        print_text(key->default_text);
        putchar(')');
    }
    fputs("\n\t", stdout);
    print_text(key->comment);
    fputs("\n\n", stdout);
}

static void print_verbs(void)
{
    size_t count;
    const struct verb *verbs = verbs_table(&count);

    for (size_t i = 0; i < count; i++)
        print_verb(&verbs[i]);
}

static void print_keys(void)
{
    const char *group = "";
    const struct config_key *key;

    for (size_t i = 0; (key = config_key(i)) != NULL; i++) {
        if (strcmp(key->group, group) != 0) {
            group = key->group;
            if (strcmp(group, "disk") == 0)
                printf("## [disk0] to [disk%d]\n\n", MACHINE_MAX_DISKS - 1);
            else
                printf("## [%s]\n\n", group);
        }
        print_key(key);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "verbs") == 0)
        print_verbs();
    else if (argc == 2 && strcmp(argv[1], "keys") == 0)
        print_keys();
    else
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
