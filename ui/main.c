/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdesk: the terminal interface when bare, the command line with a verb. */
#include <locale.h>

#include "ui/verbs.h"

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    return verbs_run(argc, argv);
}
