/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The completion script for bash, made from the tables of verbs and of keys. */
#include <stdio.h>
#include <string.h>

#include "ui/verbs.h"

static void print_keys(void)
{
    const struct config_key *key;

    fputs("_vmdesk_keys='", stdout);
    for (size_t i = 0; (key = config_key(i)) != NULL; i++) {
        bool disk = strcmp(key->group, "disk") == 0;

        for (unsigned j = 0; j < (disk ? MACHINE_MAX_DISKS : 1); j++) {
            if (disk)
                printf("%s%u.%s= ", key->group, j, key->key);
            else
                printf("%s.%s= ", key->group, key->key);
        }
    }
    fputs("'\n", stdout);
}

/* A line each, as a verb may be of several words. */
static void print_verbs(void)
{
    size_t count;
    const struct verb *verbs = verbs_table(&count);

    fputs("_vmdesk_verbs='", stdout);
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i > 0 ? "\n" : "", verbs[i].name);
    fputs("'\n", stdout);
}

/* What completes a value, as shell code. */
static const char *completer(enum value_kind kind)
{
    switch (kind) {
    case VALUE_FILE:
        return "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\"))";
    case VALUE_MACHINE:
        return "_vmdesk_machines";
    case VALUE_KEY:
        return "compopt -o nospace; COMPREPLY=($(compgen -W \"$_vmdesk_keys\" -- \"$cur\"))";
    case VALUE_VERB:
        return "_vmdesk_words ''";
    case VALUE_NONE:
    case VALUE_OTHER:
    case VALUE_SIZE:
        break;
    }
    return ":";
}

static void print_options(const struct verb *verb)
{
    printf("        '%s') COMPREPLY=($(compgen -W '--help", verb->name);
    for (const struct verb_option *o = verb->options; o->name != NULL; o++)
        printf(" --%s", o->name);
    puts("' -- \"$cur\"));;");
}

static void print_values(const struct verb *verb)
{
    for (const struct verb_option *o = verb->options; o->name != NULL; o++) {
        if (o->kind == VALUE_NONE)
            continue;
        printf("        '%s':--%s", verb->name, o->name);
        if (o->letter != '\0')
            printf("|'%s':-%c", verb->name, o->letter);
        printf(") %s; return;;\n", completer(o->kind));
    }
}

static void print_arguments(const struct verb *verb)
{
    unsigned place = 0;

    for (const struct verb_argument *a = verb->arguments; a->placeholder != NULL; a++)
        printf("        '%s':%s) %s;;\n", verb->name,
               a->repeated ? "*" : (char[]){'0' + place++, '\0'}, completer(a->kind));
}

/* Calls print for the bare row and each verb. */
static void each_verb(void (*print)(const struct verb *verb))
{
    size_t count;
    const struct verb *verbs = verbs_table(&count);

    print(verbs_bare());
    for (size_t i = 0; i < count; i++)
        print(&verbs[i]);
}

bool verb_completion(const struct verb_call *call, GError **err)
{
    puts("# bash completion for vmdesk, printed by \"vmdesk completion\"");
    print_verbs();
    print_keys();
    puts("_vmdesk_machines()\n"
         "{\n"
         "    local folder=${XDG_DATA_HOME:-$HOME/.local/share}/vmdesk/machines\n"
         "    COMPREPLY=($(cd \"$folder\" 2>/dev/null && compgen -d -- \"$cur\"))\n"
         "}\n"
         "# The next words of the verbs that start with these.\n"
         "_vmdesk_words()\n"
         "{\n"
         "    local line words=''\n"
         "    while read -r line; do\n"
         "        case $line in\n"
         "        \"$1\"*) line=${line#\"$1\"}; words=\"$words ${line%% *}\";;\n"
         "        esac\n"
         "    done <<<\"$_vmdesk_verbs\"\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\" | sort -u))\n"
         "}\n"
         "_vmdesk()\n"
         "{\n"
         "    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
         "    local verb='' word place=0 whole=0 i lines=$'\\n'$_vmdesk_verbs$'\\n'\n"
         "    COMPREPLY=()\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "        word=${COMP_WORDS[i]}\n"
         "        case $word in -*) continue;; esac\n"
         "        if [ $whole = 1 ]; then place=$((place + 1)); continue; fi\n"
         "        verb=\"$verb${verb:+ }$word\"\n"
         "        case $lines in *$'\\n'\"$verb \"*) ;; *) whole=1;; esac\n"
         "    done\n"
         "    case $verb:$before in");
    each_verb(print_values);
    puts("    esac\n"
         "    if [[ $cur == -* ]]; then\n"
         "        case $verb in");
    each_verb(print_options);
    puts("        esac\n"
         "        return\n"
         "    fi\n"
         "    if [ $whole = 0 ]; then _vmdesk_words \"$verb${verb:+ }\"; return; fi\n"
         "    case $verb:$place in");
    each_verb(print_arguments);
    puts("    esac\n"
         "}\n"
         "complete -F _vmdesk vmdesk");
    return true;
}
