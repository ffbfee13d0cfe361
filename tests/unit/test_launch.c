/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting an engine: shell scripts stand in for it. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/launch.h"
#include "core/paths.h"
#include "core/store.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

static char *folder;

static void setup(void)
{
    folder = temp_folder_new();
}

static void teardown(void)
{
    temp_folder_remove(folder);
}

/* Makes a script the engine. It finds its own folder in $2. */
static void use_engine(const char *script)
{
    g_autofree char *text = g_strconcat("#!/bin/sh\n", script, NULL);
    g_autofree char *path = g_build_filename(folder, "engine.sh", NULL);

    temp_folder_write(folder, "engine.sh", text);
    ck_assert_int_eq(chmod(path, 0700), 0);
    g_setenv("VMDESK_ENGINE", path, TRUE);
}

START_TEST(engine_gets_what_the_contract_says)
{
    g_autofree char *got = NULL;
    g_autofree char *log = NULL;
    g_autofree char *expected =
        g_strdup_printf("args --ready-fd=3 %s\ncwd /\nfds 0 1 2 3\n", folder);
    int open_fd = open("/dev/null", O_RDONLY); /* must not be inherited */

    use_engine("exec >\"$2/got\"\n"
               "echo args \"$@\"; echo cwd $(pwd)\n"
               /* a shell has its script open as 10 */
               "fds=; for n in 0 1 2 3 4 5 6 7 8 9 11 12 13 14; do\n"
               "[ -e /proc/self/fd/$n ] && fds=\"$fds $n\"; done; echo fds$fds\n"
               "echo to the log >&2\n"
               "echo READY >&3\n");
    signal(SIGPIPE, SIG_IGN);
    ck_assert(launch_and_wait(folder, 10000, NULL));
    got = temp_folder_read(folder, "got");
    ck_assert_str_eq(got, expected);
    log = temp_folder_read(folder, PATHS_LOG);
    ck_assert_str_eq(log, "to the log\n");
    close(open_fd);
}
END_TEST

START_TEST(engine_is_detached_with_default_signals)
{
    g_autofree char *stat_text = NULL;
    g_autofree char *status = NULL;
    unsigned long blocked, ignored;
    int pid, parent, group, session;
    char state;

    signal(SIGPIPE, SIG_IGN);
    /* Without a child: a shell blocks signals while it waits for one. */
    use_engine(
        "read -r line </proc/self/stat; echo \"$line\" >\"$2/stat\"\n"
        "while read -r key value; do case $key in SigBlk:|SigIgn:) echo $key $value;; esac;\n"
        "done </proc/self/status >\"$2/status\"; echo READY >&3\n");
    ck_assert(launch_and_wait(folder, 10000, NULL));
    stat_text = temp_folder_read(folder, "stat");
    ck_assert_int_eq(sscanf(stat_text, "%d (%*[^)]) %c %d %d %d", &pid, &state, &parent, &group,
                            &session),
                     5);
    ck_assert_int_ne(parent, getpid());
    ck_assert_int_ne(session, getsid(0));
    status = temp_folder_read(folder, "status");
    /* Bits 31 and 32 are the C library's own signals, which it lets nobody touch. */
    ck_assert_int_eq(sscanf(status, "SigBlk: %lx\nSigIgn: %lx", &blocked, &ignored), 2);
    ck_assert_uint_eq(blocked, 0);
    ck_assert_uint_eq(ignored & ~(3UL << 31), 0);
}
END_TEST

static const struct {
    const char *script;
    enum vmdesk_error code;
    const char *reason;
} failures[] = {
    {"echo 'ERROR /dev/kvm: no permission. Join the group kvm' >&3; exit 1\n", VMDESK_ERROR_INVALID,
     "/dev/kvm: no permission. Join the group kvm"},
    {"printf 'ERROR \\033[2J\\n' >&3\n", VMDESK_ERROR_INVALID, "\357\277\275[2J"},
    {"echo 'ERROR one' >&3; echo two >&3", VMDESK_ERROR_INVALID, "one\ntwo"},
    {"echo first >&2; echo cannot go on >&2; kill -9 $$\n", VMDESK_ERROR_GONE, "cannot go on"},
    {"exit 0\n", VMDESK_ERROR_GONE, "(empty)"},
    {"printf READY >&3\n", VMDESK_ERROR_GONE, "ended before"},
    {"echo READYX >&3\n", VMDESK_ERROR_GONE, "ended before"},
    {"exec 3>&-; sleep 1\n", VMDESK_ERROR_GONE, "ended before"},
    {"head -c 100000 /dev/zero >&3; sleep 1\n", VMDESK_ERROR_GONE, "ended before"},
    {"exec sleep 2\n", VMDESK_ERROR_TIMEOUT, "is not ready after 1 s"},
};

START_TEST(failure_is_reported)
{
    g_autoptr(GError) err = NULL;

    use_engine(failures[_i].script);
    ck_assert(!launch_and_wait(folder, 1000, &err));
    ck_assert_msg(strstr(err->message, failures[_i].reason) != NULL, "%s", err->message);
    ck_assert_int_eq(err->code, failures[_i].code);
    ck_assert_ptr_null(strchr(err->message, '\033'));
}
END_TEST

START_TEST(unusable_engine_is_reported)
{
    g_autoptr(GError) missing = NULL;
    g_autoptr(GError) garbage = NULL;
    g_autofree char *path = g_build_filename(folder, "engine.sh", NULL);

    use_engine("");
    temp_folder_write(folder, "engine.sh", "\177ELF garbage");
    ck_assert_int_eq(chmod(path, 0700), 0);
    ck_assert(!launch_and_wait(folder, 10000, &garbage));
    ck_assert_ptr_nonnull(strstr(garbage->message, "could not be executed"));
    g_setenv("VMDESK_ENGINE", "/nonexistent", TRUE);
    ck_assert(!launch_and_wait(folder, 10000, &missing));
    ck_assert_int_eq(missing->code, VMDESK_ERROR_NOT_FOUND);
}
END_TEST

START_TEST(running_machine_is_not_started_again)
{
    struct machine_lock *lock = machine_lock_acquire(folder, "/run/x", NULL);
    g_autoptr(GError) err = NULL;

    use_engine("echo started >\"$2/got\"; echo READY >&3\n");
    ck_assert(!launch_and_wait(folder, 10000, &err));
    ck_assert_int_eq(err->code, VMDESK_ERROR_BUSY);
    machine_lock_release(lock);
    ck_assert(launch_and_wait(folder, 10000, NULL));
}
END_TEST

struct outcome {
    unsigned calls;
    bool failed;
};

static void note_outcome(void *opaque, const GError *error)
{
    struct outcome *outcome = opaque;

    outcome->calls++;
    outcome->failed = error != NULL;
}

static void wait_for_outcome(const struct outcome *outcome)
{
    gint64 end = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;

    while (outcome->calls == 0 && g_get_monotonic_time() < end) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
}

START_TEST(asynchronous_start_calls_back_once)
{
    struct outcome good = {0}, bad = {0}, ignored = {0};
    struct launch *launch;

    use_engine("sleep 0.1; echo READY >&3; echo more >&3\n");
    launch = launch_start(folder, NULL, note_outcome, &good, NULL);
    ck_assert_ptr_nonnull(launch);
    ck_assert_uint_eq(good.calls, 0);
    wait_for_outcome(&good);
    ck_assert(!good.failed);
    launch_free(launch);
    use_engine("exit 1\n");
    launch = launch_start(folder, NULL, note_outcome, &bad, NULL);
    wait_for_outcome(&bad);
    ck_assert(bad.failed);
    launch_free(launch);
    launch_free(launch_start(folder, NULL, note_outcome, &ignored, NULL));
    g_usleep(100000);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    ck_assert_uint_eq(good.calls, 1);
    ck_assert_uint_eq(bad.calls, 1);
    ck_assert_uint_eq(ignored.calls, 0);
}
END_TEST

START_TEST(long_log_is_rotated)
{
    g_autofree char *path = g_build_filename(folder, PATHS_LOG, NULL);
    g_autofree char *old = g_build_filename(folder, PATHS_OLD_LOG, NULL);
    g_autofree char *line = NULL;
    struct stat st;

    use_engine("echo a line >&2; printf 'the \\033last' >&2; echo READY >&3\n");
    temp_folder_write(folder, PATHS_LOG, "short\n");
    ck_assert(launch_and_wait(folder, 10000, NULL));
    ck_assert_int_ne(access(old, F_OK), 0);
    line = launch_last_log_line(folder);
    ck_assert_str_eq(line, "the \357\277\275last");
    ck_assert_int_eq(truncate(path, LAUNCH_MAX_LOG + 1), 0);
    ck_assert(launch_and_wait(folder, 10000, NULL));
    ck_assert_int_eq(stat(old, &st), 0);
    ck_assert_int_eq(st.st_size, LAUNCH_MAX_LOG + 1);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_lt(st.st_size, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launch");
    TCase *tcase = tcase_create("launch");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, engine_gets_what_the_contract_says);
    tcase_add_test(tcase, engine_is_detached_with_default_signals);
    tcase_add_loop_test(tcase, failure_is_reported, 0, G_N_ELEMENTS(failures));
    tcase_add_test(tcase, unusable_engine_is_reported);
    tcase_add_test(tcase, running_machine_is_not_started_again);
    tcase_add_test(tcase, asynchronous_start_calls_back_once);
    tcase_add_test(tcase, long_log_is_rotated);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
