/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder for one test. */
#ifndef TESTS_FAKES_TEMP_FOLDER_H
#define TESTS_FAKES_TEMP_FOLDER_H

/* A new empty folder; caller frees the path after temp_folder_remove(). Ends the test on failure.
 */
char *temp_folder_new(void);
/* Removes it with all that is in it, and frees the path. */
void temp_folder_remove(char *folder);

/* Writes a file in it. */
void temp_folder_write(const char *folder, const char *name, const char *text);
/* What a file in it holds; caller frees. Ends the test when it is not there. */
char *temp_folder_read(const char *folder, const char *name);

#endif
