/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a test that draws at random starts. */
#ifndef TESTS_SEED_H
#define TESTS_SEED_H

#include <glib.h>

/* By default always at the same place, so that a change is to blame for what it breaks. The
 * environment's variable can name another, or be "new" to look where nobody has looked yet. */
static inline uint32_t test_seed(const char *variable)
{
    const char *text = g_getenv(variable);

    if (text == NULL)
        return 1;
    return g_str_equal(text, "new") ? g_random_int() : g_ascii_strtoull(text, NULL, 0);
}

#endif
