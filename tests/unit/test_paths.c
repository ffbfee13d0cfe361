/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things are, and what is refused there. */
#include <check.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/paths.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

static char *folder;

static void setup(void)
{
    folder = temp_folder_new();
    g_setenv("XDG_RUNTIME_DIR", folder, TRUE);
}

static void teardown(void)
{
    temp_folder_remove(folder);
}

static const struct {
    const char *name;
    const char *reason; /* NULL: fine */
} names[] = {
    {"deb", NULL},
    {"Debian_12.5-x", NULL},
    {"0", NULL},
    {"", "needs a name"},
    {".hidden", "start with a letter or a digit"},
    {"-n", "start with a letter or a digit"},
    {"..", "start with a letter or a digit"},
    {"a/b", "use only"},
    {"/etc", "start with"},
    {"a b", "use only"},
    {"a\n", "use only"},
    {"gr\303\274n", "use only"},
    {"a\033[2J", "use only"},
};

START_TEST(names_are_checked)
{
    g_autoptr(GError) err = NULL;
    bool valid = paths_check_name(names[_i].name, &err);

    ck_assert_int_eq(valid, names[_i].reason == NULL);
    if (!valid) {
        ck_assert_ptr_nonnull(strstr(err->message, names[_i].reason));
        ck_assert_ptr_null(strchr(err->message, '\033'));
    }
}
END_TEST

START_TEST(name_length_is_checked)
{
    g_autofree char *longest = g_strnfill(64, 'x');
    g_autofree char *too_long = g_strnfill(300, 'x');
    g_autoptr(GError) err = NULL;

    ck_assert(paths_check_name(longest, NULL));
    ck_assert(!paths_check_name(too_long, &err));
    ck_assert_ptr_nonnull(strstr(err->message, "300 bytes long: use at most 64"));
}
END_TEST

START_TEST(data_folder_follows_xdg)
{
    static const struct {
        const char *data, *home, *expected;
    } rows[] = {
        {"/d", "/h", "/d/vmdesk/machines"},
        {NULL, "/h", "/h/.local/share/vmdesk/machines"},
        {"relative", "/h", "/h/.local/share/vmdesk/machines"},
        {"", "/h", "/h/.local/share/vmdesk/machines"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = NULL;

        g_setenv("HOME", rows[i].home, TRUE);
        if (rows[i].data != NULL)
            g_setenv("XDG_DATA_HOME", rows[i].data, TRUE);
        else
            g_unsetenv("XDG_DATA_HOME");
        path = paths_machines();
        ck_assert_str_eq(path, rows[i].expected);
    }
}
END_TEST

START_TEST(runtime_folder_is_private)
{
    g_autofree char *runtime = paths_runtime("deb", NULL);
    g_autofree char *expected = g_build_filename(folder, "vmdesk", "deb", NULL);
    g_autofree char *fallback = NULL;
    g_autofree char *fallback_expected = g_strdup_printf("/tmp/vmdesk-%u/deb", (unsigned)geteuid());
    struct stat st;

    ck_assert_str_eq(runtime, expected);
    ck_assert(paths_create_runtime(runtime, NULL));
    ck_assert(paths_create_runtime(runtime, NULL)); /* again is fine */
    ck_assert_int_eq(stat(runtime, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    g_unsetenv("XDG_RUNTIME_DIR");
    fallback = paths_runtime("deb", NULL);
    ck_assert_str_eq(fallback, fallback_expected);
    ck_assert_ptr_null(paths_runtime("a/b", NULL));
}
END_TEST

static void check_refused(const char *runtime)
{
    g_autoptr(GError) err = NULL;

    ck_assert(!paths_create_runtime(runtime, &err));
    ck_assert_ptr_nonnull(strstr(err->message, "remove it"));
}

START_TEST(planted_runtime_folder_is_refused)
{
    g_autofree char *parent = g_build_filename(folder, "vmdesk", NULL);
    g_autofree char *runtime = g_build_filename(parent, "deb", NULL);
    g_autofree char *other = g_build_filename(folder, "other", NULL);

    ck_assert_int_eq(mkdir(parent, 0700), 0);
    ck_assert_int_eq(chmod(parent, 0755), 0);
    check_refused(runtime); /* open to others */
    ck_assert_int_eq(chmod(parent, 0700), 0);
    ck_assert_int_eq(mkdir(other, 0700), 0);
    ck_assert_int_eq(symlink(other, runtime), 0);
    check_refused(runtime); /* a link to somewhere else */
    ck_assert_int_eq(unlink(runtime), 0);
    temp_folder_write(parent, "deb", "");
    check_refused(runtime); /* a file */
    ck_assert_int_eq(unlink(runtime), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(mkdir(runtime, 0700), 0);
        ck_assert_int_eq(chown(runtime, 65534, 65534), 0);
        check_refused(runtime); /* somebody else's */
    }
}
END_TEST

START_TEST(long_socket_path_is_refused)
{
    g_autofree char *deep = NULL;
    g_autofree char *fits = g_strnfill(108 - 1 - strlen("//vnc.sock"), 'x');
    g_autofree char *absolute = g_strconcat("/", fits, NULL);
    g_autofree char *longer = g_strconcat(absolute, "x", NULL);
    g_autofree char *fitting = paths_socket(absolute, PATHS_VNC_SOCKET, NULL);
    g_autoptr(GError) err = NULL;

    ck_assert_uint_eq(strlen(fitting), 107);
    ck_assert_ptr_null(paths_socket(longer, PATHS_VNC_SOCKET, NULL));
    deep = g_strconcat(folder, absolute, NULL);
    g_setenv("XDG_RUNTIME_DIR", deep, TRUE);
    ck_assert_ptr_null(paths_runtime("deb", &err));
    ck_assert_ptr_nonnull(strstr(err->message, "set XDG_RUNTIME_DIR to a shorter folder"));
}
END_TEST

START_TEST(engine_is_found)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *engine = NULL;

    g_setenv("VMDESK_ENGINE", "/bin/true", TRUE);
    engine = paths_engine(NULL);
    ck_assert_str_eq(engine, "/bin/true");
    g_setenv("VMDESK_ENGINE", "/nonexistent", TRUE);
    ck_assert_ptr_null(paths_engine(&err));
    ck_assert_int_eq(err->code, VMDESK_ERROR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err->message, "/nonexistent"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("paths");
    TCase *tcase = tcase_create("paths");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, names_are_checked, 0, G_N_ELEMENTS(names));
    tcase_add_test(tcase, name_length_is_checked);
    tcase_add_test(tcase, data_folder_follows_xdg);
    tcase_add_test(tcase, runtime_folder_is_private);
    tcase_add_test(tcase, planted_runtime_folder_is_refused);
    tcase_add_test(tcase, long_socket_path_is_refused);
    tcase_add_test(tcase, engine_is_found);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
