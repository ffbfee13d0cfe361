/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the reference part of protocol.md from the tables of core/protocol.h. */
#include <stdio.h>

#include "core/protocol.h"

static void print_argument(const struct protocol_argument *a)
{
    const char *unit = a->type == PROTOCOL_STRING ? " bytes" : "";

    printf("- `%s` (%s%s", a->name, protocol_type_name(a->type), a->optional ? ", optional" : "");
    if (a->type == PROTOCOL_ARRAY)
        unit = " elements";
    if (a->max == INT64_MAX)
        printf(", from %" G_GINT64_FORMAT, a->min);
    else if (a->type != PROTOCOL_BOOL)
        printf(", %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT "%s", a->min, a->max, unit);
    printf("): %s\n", a->help);
}

int main(void)
{
    size_t count;
    const struct protocol_command *commands = protocol_commands(&count);
    const struct protocol_event *events;

    printf("## Commands\n");
    for (size_t i = 0; i < count; i++) {
        printf("\n### %s\n\n%s\n", commands[i].name, commands[i].help);
        if (commands[i].arguments->name != NULL)
            printf("\n");
        for (const struct protocol_argument *a = commands[i].arguments; a->name != NULL; a++)
            print_argument(a);
        printf("\nReturns %s.\n", commands[i].result);
    }
    events = protocol_events(&count);
    printf("\n## Events\n");
    for (size_t i = 0; i < count; i++)
        printf("\n### %s\n\n%s\n\nData: %s.\n", events[i].name, events[i].help, events[i].data);
    return 0;
}
