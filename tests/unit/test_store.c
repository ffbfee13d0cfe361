/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store: creating, saving, deleting, locking and watching machines. */
#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.h"
#include "core/paths.h"
#include "core/store.h"
#include "tests/fakes/temp_folder.h"
#include "tests/suite.h"

#define MANY 100

static char *folder;
static struct store *store;

static void setup(void)
{
    folder = temp_folder_new();
    store = store_new(folder);
}

static void teardown(void)
{
    store_free(store);
    temp_folder_remove(folder);
}

static void create(const char *name)
{
    struct machine_config *config = machine_config_new(name);
    GError *err = NULL;

    ck_assert_msg(store_create(store, config, NULL, &err), "%s", err ? err->message : "");
    machine_config_free(config);
}

static struct store_machine *load(const char *name)
{
    struct store_machine *machine = store_load_valid(store, name, NULL);

    ck_assert_ptr_nonnull(machine);
    return machine;
}

static unsigned count_entries(void)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    unsigned count = 0;

    while (g_dir_read_name(dir) != NULL)
        count++;
    g_dir_close(dir);
    return count;
}

START_TEST(creates_a_machine_with_disks)
{
    struct machine_config *config = machine_config_new("deb");
    const uint64_t sizes[MACHINE_MAX_DISKS] = {[1] = UINT64_C(3) << 30};
    g_autofree char *disk = g_build_filename(folder, "deb", "disk1.raw", NULL);
    g_autofree char *path = g_build_filename(folder, "deb", NULL);
    struct store_machine *machine;
    struct stat st;

    config->cpus = 2;
    ck_assert(store_create(store, config, sizes, NULL));
    machine = load("deb");
    ck_assert_uint_eq(machine->config->cpus, 2);
    ck_assert_str_eq(machine->config->disks[1].file, "disk1.raw");
    ck_assert_ptr_null(machine->config->disks[0].file);
    ck_assert(!machine->running);
    ck_assert_int_eq(stat(disk, &st), 0);
    ck_assert_int_eq(st.st_size, INT64_C(3) << 30);
    ck_assert_int_eq(st.st_blocks, 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    ck_assert_uint_eq(count_entries(), 1);
    store_machine_free(machine);
    machine_config_free(config);
}
END_TEST

static void check_create_fails(struct machine_config *config, const uint64_t *sizes,
                               enum vmdesk_error code, const char *reason)
{
    unsigned before = count_entries();
    GError *err = NULL;

    ck_assert(!store_create(store, config, sizes, &err));
    ck_assert_int_eq(err->code, code);
    ck_assert_msg(strstr(err->message, reason) != NULL, "%s", err->message);
    ck_assert_uint_eq(count_entries(), before);
    g_error_free(err);
}

START_TEST(create_refuses)
{
    const uint64_t odd[MACHINE_MAX_DISKS] = {1000};
    g_autofree char *long_name = g_strnfill(300, 'x');
    const char *const bad_names[] = {"a/b", "..", ".x", "", long_name};
    struct machine_config *config;

    create("deb");
    config = machine_config_new("deb");
    check_create_fails(config, NULL, VMDESK_ERROR_EXISTS, "choose another name");
    for (size_t i = 0; i < G_N_ELEMENTS(bad_names); i++) {
        g_free(config->name);
        config->name = g_strdup(bad_names[i]);
        check_create_fails(config, NULL, VMDESK_ERROR_INVALID, "name");
    }
    g_free(config->name);
    config->name = g_strdup("new");
    check_create_fails(config, odd, VMDESK_ERROR_INVALID, "multiple of 512");
    config->initrd = g_strdup("/i");
    check_create_fails(config, NULL, VMDESK_ERROR_INVALID, "boot.kernel");
    machine_config_free(config);
}
END_TEST

START_TEST(create_leaves_nothing_when_a_file_cannot_grow)
{
    const uint64_t sizes[MACHINE_MAX_DISKS] = {1 << 20};
    struct rlimit limit = {.rlim_cur = 512, .rlim_max = RLIM_INFINITY};
    struct machine_config *config = machine_config_new("deb");
    g_autoptr(GError) disk = NULL;
    g_autoptr(GError) definition = NULL;
    bool created;

    /* The limit holds for Check's own messages too: no assertion under it. */
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    created =
        store_create(store, config, sizes, &disk) || store_create(store, config, NULL, &definition);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert(!created);
    ck_assert_ptr_nonnull(strstr(disk->message, "disk0.raw"));
    ck_assert_ptr_nonnull(strstr(definition->message, "Cannot save the definition"));
    ck_assert_uint_eq(count_entries(), 0);
    machine_config_free(config);
}
END_TEST

/* A file system of our own with no room, where the kernel lets us mount one. */
START_TEST(create_and_save_on_a_full_disk)
{
    struct machine_config *config;
    struct store_machine *machine;
    g_autofree char *before = NULL, *after = NULL;
    g_autofree char *filler = g_strnfill(1 << 20, 'x');
    g_autofree char *path = g_build_filename(folder, "filler", NULL);
    g_autofree char *deb = g_build_filename(folder, "deb", NULL);
    g_autoptr(GError) err = NULL;
    int fd;

    if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", folder, "tmpfs", 0, "size=256k") != 0)
        return;
    create("deb");
    before = temp_folder_read(deb, PATHS_CONFIG);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    while (write(fd, filler, 4096) > 0)
        ;
    close(fd);
    config = machine_config_new("new");
    check_create_fails(config, NULL, VMDESK_ERROR_NO_SPACE, "No space left");
    machine = load("deb");
    machine->config->cpus = 4;
    ck_assert(!store_save(store, machine, &err));
    ck_assert_int_eq(err->code, VMDESK_ERROR_NO_SPACE);
    after = temp_folder_read(deb, PATHS_CONFIG);
    ck_assert_str_eq(before, after);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert(store_save(store, machine, NULL));
    store_machine_free(machine);
    machine_config_free(config);
    ck_assert_int_eq(umount2(folder, MNT_DETACH), 0);
}
END_TEST

START_TEST(lists_sorted_with_broken_ones)
{
    g_autofree char *broken = g_build_filename(folder, "b", NULL);
    g_autofree char *spaced = g_build_filename(folder, "d e", NULL);
    g_autofree char *empty = g_build_filename(folder, "e", NULL);
    g_autofree char *hidden = g_build_filename(folder, ".new-x-123456", NULL);
    g_autoptr(GPtrArray) machines = NULL;
    const char *const expected[] = {"a", "b", "c", "d e", "e"};

    create("c");
    create("a");
    create("b");
    temp_folder_write(broken, PATHS_CONFIG, "[machine]\ncpus = 99\n");
    ck_assert_int_eq(mkdir(spaced, 0700), 0);
    ck_assert_int_eq(mkdir(empty, 0700), 0);
    ck_assert_int_eq(mkdir(hidden, 0700), 0);
    temp_folder_write(folder, "stray-file", "");
    machines = store_list(store, NULL);
    ck_assert_uint_eq(machines->len, G_N_ELEMENTS(expected));
    for (unsigned i = 0; i < machines->len; i++) {
        const struct store_machine *machine = machines->pdata[i];
        ck_assert_str_eq(machine->name, expected[i]);
        ck_assert_int_eq(machine->config == NULL, machine->error != NULL);
    }
    ck_assert_ptr_nonnull(
        strstr(((struct store_machine *)machines->pdata[1])->error->message, "machine.conf:2:"));
    ck_assert_ptr_nonnull(((struct store_machine *)machines->pdata[2])->config);
    ck_assert_int_eq(((struct store_machine *)machines->pdata[4])->error->code,
                     VMDESK_ERROR_NOT_FOUND);
}
END_TEST

START_TEST(lists_many)
{
    g_autoptr(GPtrArray) machines = NULL;

    for (unsigned i = 0; i < MANY; i++) {
        g_autofree char *name = g_strdup_printf("m%03u", i);
        create(name);
    }
    machines = store_list(store, NULL);
    ck_assert_uint_eq(machines->len, MANY);
}
END_TEST

START_TEST(missing_store_is_empty)
{
    g_autofree char *path = g_build_filename(folder, "none", NULL);
    struct store *none = store_new(path);
    g_autoptr(GPtrArray) machines = store_list(none, NULL);
    g_autoptr(GError) err = NULL;

    ck_assert_uint_eq(machines->len, 0);
    ck_assert_ptr_null(store_load(none, "deb", &err));
    ck_assert_int_eq(err->code, VMDESK_ERROR_NOT_FOUND);
    store_free(none);
}
END_TEST

START_TEST(load_says_what_is_wrong)
{
    g_autoptr(GError) typo = NULL;
    g_autoptr(GError) name = NULL;
    g_autoptr(GError) fifo = NULL;
    g_autofree char *path = g_build_filename(folder, "debian", PATHS_CONFIG, NULL);

    create("debian");
    ck_assert_ptr_null(store_load(store, "debain", &typo));
    ck_assert_ptr_nonnull(strstr(typo->message, "did you mean \"debian\"?"));
    ck_assert_ptr_null(store_load(store, "../etc", &name));
    ck_assert_int_eq(name->code, VMDESK_ERROR_INVALID);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_ptr_null(store_load_valid(store, "debian", &fifo));
    ck_assert_ptr_nonnull(strstr(fifo->message, "not a regular file"));
}
END_TEST

START_TEST(save_keeps_comments_and_sees_other_writers)
{
    struct store_machine *mine, *theirs;
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) err = NULL;

    create("deb");
    mine = load("deb");
    theirs = load("deb");
    mine->config->cpus = 2;
    ck_assert(store_save(store, mine, NULL));
    mine->config->cpus = 3; /* a second save goes on from the first */
    ck_assert(store_save(store, mine, NULL));
    theirs->config->cpus = 8;
    ck_assert(!store_save(store, theirs, &err));
    ck_assert_int_eq(err->code, VMDESK_ERROR_BUSY);
    text = temp_folder_read(mine->folder, PATHS_CONFIG);
    ck_assert_ptr_nonnull(strstr(text, "\ncpus = 3\n"));
    ck_assert_ptr_nonnull(strstr(text, "# Virtual CPUs."));
    ck_assert_str_eq(text, mine->text);
    store_machine_free(theirs);
    store_machine_free(mine);
}
END_TEST

START_TEST(save_text_mends_a_broken_machine)
{
    struct store_machine *machine;
    g_autofree char *path = g_build_filename(folder, "deb", NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) err = NULL;

    create("deb");
    temp_folder_write(path, PATHS_CONFIG, "[machine]\ncpus = many\n");
    machine = store_load(store, "deb", NULL);
    ck_assert_ptr_null(machine->config);
    ck_assert(!store_save_text(store, machine, "[machine]\ncpus = 0\n", &err));
    ck_assert_ptr_nonnull(strstr(err->message, "machine.conf:2:"));
    ck_assert(store_save_text(store, machine, "[machine]\ncpus = 2\n", NULL));
    ck_assert_uint_eq(machine->config->cpus, 2);
    ck_assert_ptr_null(machine->error);
    text = temp_folder_read(path, PATHS_CONFIG);
    ck_assert_str_eq(text, "[machine]\ncpus = 2\n");
    store_machine_free(machine);
}
END_TEST

START_TEST(delete_removes_its_own_files_only)
{
    const uint64_t sizes[MACHINE_MAX_DISKS] = {512};
    struct machine_config *config = machine_config_new("deb");
    g_autofree char *path = g_build_filename(folder, "deb", NULL);
    g_autofree char *notes = g_build_filename(path, "notes", NULL);
    g_autofree char *mine = g_build_filename(folder, "mine.raw", NULL);
    g_autoptr(GError) err = NULL;

    config->disks[1].file = g_strdup(mine);
    config->serial_file = g_strdup("serial.log");
    ck_assert(store_create(store, config, sizes, NULL));
    temp_folder_write(folder, "mine.raw", "precious");
    temp_folder_write(path, PATHS_LOG, "");
    temp_folder_write(path, PATHS_OLD_LOG, "");
    temp_folder_write(path, PATHS_FIRMWARE_VARIABLES, "");
    temp_folder_write(path, "machine.conf.A1B2C3", "");
    temp_folder_write(path, "serial.log", "");
    temp_folder_write(path, "notes", "");
    ck_assert(!store_delete(store, "deb", &err));
    ck_assert_int_eq(err->code, VMDESK_ERROR_EXISTS);
    ck_assert_ptr_nonnull(strstr(err->message, "(notes)"));
    store_machine_free(load("deb"));
    ck_assert_int_eq(unlink(notes), 0);
    ck_assert(store_delete(store, "deb", NULL));
    ck_assert_uint_eq(count_entries(), 1);
    ck_assert_int_eq(access(mine, F_OK), 0);
    machine_config_free(config);
}
END_TEST

START_TEST(running_machine_is_not_deleted_nor_locked_twice)
{
    g_autofree char *path = g_build_filename(folder, "deb", NULL);
    g_autofree char *runtime = NULL;
    g_autofree char *pid_text = g_strdup_printf("(process %d)", (int)getpid());
    g_autoptr(GError) twice = NULL;
    g_autoptr(GError) deleting = NULL;
    struct machine_lock *lock;
    struct store_machine *machine;
    pid_t pid;

    create("deb");
    ck_assert(!machine_lock_query(path, &pid, &runtime));
    ck_assert_ptr_null(runtime);
    lock = machine_lock_acquire(path, "/run/x/deb", NULL);
    ck_assert_ptr_nonnull(lock);
    ck_assert(machine_lock_query(path, &pid, &runtime));
    ck_assert_int_eq(pid, getpid());
    ck_assert_str_eq(runtime, "/run/x/deb");
    ck_assert_ptr_null(machine_lock_acquire(path, "/run/x/deb", &twice));
    ck_assert_int_eq(twice->code, VMDESK_ERROR_BUSY);
    ck_assert_ptr_nonnull(strstr(twice->message, pid_text));
    ck_assert(!store_delete(store, "deb", &deleting));
    ck_assert_int_eq(deleting->code, VMDESK_ERROR_BUSY);
    machine = load("deb");
    ck_assert(machine->running);
    ck_assert_int_eq(machine->pid, getpid());
    store_machine_free(machine);
    machine_lock_release(lock);
    ck_assert(!machine_lock_query(path, NULL, NULL));
    ck_assert(store_delete(store, "deb", NULL));
}
END_TEST

static void note_change(void *opaque)
{
    (*(unsigned *)opaque)++;
}

/* Waits for a change; false after two seconds without one. */
static bool wait_for_change(unsigned *changes)
{
    gint64 end = g_get_monotonic_time() + 2 * G_USEC_PER_SEC;

    while (*changes == 0 && g_get_monotonic_time() < end) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
    if (*changes == 0)
        return false;
    *changes = 0;
    return true;
}

/* Another process locks the machine, says so and is killed. */
START_TEST(killed_holder_frees_the_lock_and_the_watch_tells)
{
    g_autofree char *path = g_build_filename(folder, "deb", NULL);
    struct store_watch *watch;
    unsigned changes = 0;
    pid_t child, pid;
    int status;

    create("deb");
    watch = store_watch_new(store, NULL, note_change, &changes, NULL);
    ck_assert_ptr_nonnull(watch);
    child = fork();
    if (child == 0) {
        if (machine_lock_acquire(path, "/run/x/deb", NULL) == NULL)
            _exit(1);
        for (;;)
            pause();
    }
    ck_assert(wait_for_change(&changes));
    ck_assert(machine_lock_query(path, &pid, NULL));
    ck_assert_int_eq(pid, child);
    kill(child, SIGKILL);
    ck_assert(wait_for_change(&changes));
    ck_assert(!machine_lock_query(path, NULL, NULL));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    store_watch_free(watch);
}
END_TEST

START_TEST(watch_tells_of_machines)
{
    struct store_watch *watch;
    struct store_machine *machine;
    g_autofree char *path = g_build_filename(folder, "deb", NULL);
    unsigned changes = 0;

    watch = store_watch_new(store, NULL, note_change, &changes, NULL);
    create("deb");
    ck_assert(wait_for_change(&changes));
    machine = load("deb");
    machine->config->cpus = 2;
    ck_assert(store_save(store, machine, NULL));
    ck_assert(wait_for_change(&changes));
    temp_folder_write(path, PATHS_LOG, "a log line is no change");
    g_usleep(100000);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    ck_assert_uint_eq(changes, 0);
    g_autofree char *log = g_build_filename(path, PATHS_LOG, NULL);
    ck_assert_int_eq(unlink(log), 0);
    ck_assert(store_delete(store, "deb", NULL));
    ck_assert(wait_for_change(&changes));
    store_machine_free(machine);
    store_watch_free(watch);
}
END_TEST

START_TEST(old_leftovers_go_and_new_ones_stay)
{
    g_autofree char *old = g_build_filename(folder, ".new-x-000000", NULL);
    g_autofree char *recent = g_build_filename(folder, ".new-y-000000", NULL);
    const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

    ck_assert_int_eq(mkdir(old, 0700), 0);
    ck_assert_int_eq(mkdir(recent, 0700), 0);
    temp_folder_write(old, "disk0.raw", "half");
    ck_assert_int_eq(utimensat(AT_FDCWD, old, long_ago, 0), 0);
    create("deb");
    ck_assert_int_ne(access(old, F_OK), 0);
    ck_assert_int_eq(access(recent, F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, creates_a_machine_with_disks);
    tcase_add_test(tcase, create_refuses);
    tcase_add_test(tcase, create_leaves_nothing_when_a_file_cannot_grow);
    tcase_add_test(tcase, create_and_save_on_a_full_disk);
    tcase_add_test(tcase, lists_sorted_with_broken_ones);
    tcase_add_test(tcase, lists_many);
    tcase_add_test(tcase, missing_store_is_empty);
    tcase_add_test(tcase, load_says_what_is_wrong);
    tcase_add_test(tcase, save_keeps_comments_and_sees_other_writers);
    tcase_add_test(tcase, save_text_mends_a_broken_machine);
    tcase_add_test(tcase, delete_removes_its_own_files_only);
    tcase_add_test(tcase, running_machine_is_not_deleted_nor_locked_twice);
    tcase_add_test(tcase, killed_holder_frees_the_lock_and_the_watch_tells);
    tcase_add_test(tcase, watch_tells_of_machines);
    tcase_add_test(tcase, old_leftovers_go_and_new_ones_stay);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
