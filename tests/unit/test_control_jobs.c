/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work on disks as clients of the control server see it. */
#include <check.h>
#include <glib/gstdio.h>

#include "core/error.h"
#include "disks/image_tree.h"
#include "disks/io_context.h"
#include "tests/suite.h"
#include "tests/unit/control_fixture.h"

START_TEST(test_stream_and_commit)
{
    struct user *user = connect_user(), *other = connect_user();

    assert_took(ask(user, "{\"execute\":\"block-stream\",\"arguments\":{\"device\":\"disk0\"}}"),
                "{\"return\":{}}");
    machine->job.done = 40;
    assert_took(ask(user, "{\"execute\":\"query-block-jobs\"}"),
                "{\"return\":[{\"device\":\"disk0\",\"len\":100,\"offset\":40,\"type\":"
                "\"stream\"}]}");
    assert_error(ask(user, "{\"execute\":\"block-commit\",\"arguments\":{\"device\":\"disk0\"}}"),
                 "DeviceNotActive", "already");
    machine->job.done = 100;
    fake_machine_end_job(machine, NULL);
    assert_took(take(other), "{\"data\":{\"device\":\"disk0\",\"len\":100,\"offset\":100,\"type\":"
                             "\"stream\"},\"event\":\"BLOCK_JOB_COMPLETED\"}");
    json_decref(take(user));
    assert_took(ask(user, "{\"execute\":\"query-block-jobs\"}"), "{\"return\":[]}");
    assert_took(ask(user, "{\"execute\":\"block-commit\",\"arguments\":{\"device\":\"disk0\"}}"),
                "{\"return\":{}}");
    ck_assert_str_eq(machine->log->str, "job 0 disk0 (null);job 1 disk0 (null);");
    leave(user);
    leave(other);
}
END_TEST

START_TEST(test_failure_and_cancelling)
{
    g_autoptr(GError) failed = g_error_new(VMDESK_ERROR, VMDESK_ERROR_IO, "bad \xff sector");
    g_autoptr(GError) cancelled = g_error_new(VMDESK_ERROR, VMDESK_ERROR_CANCELLED, "cancelled");
    struct user *user = connect_user();

    assert_took(ask(user, "{\"execute\":\"block-commit\",\"arguments\":{\"device\":\"disk0\"}}"),
                "{\"return\":{}}");
    fake_machine_end_job(machine, failed);
    assert_took(take(user),
                "{\"data\":{\"device\":\"disk0\",\"error\":\"bad \xef\xbf\xbd sector\",\"len\":100,"
                "\"offset\":0,\"type\":\"commit\"},\"event\":\"BLOCK_JOB_COMPLETED\"}");
    assert_took(ask(user, "{\"execute\":\"block-stream\",\"arguments\":{\"device\":\"disk0\"}}"),
                "{\"return\":{}}");
    assert_took(ask(user,
                    "{\"execute\":\"block-job-cancel\",\"arguments\":{\"device\":\"disk0\"}}"),
                "{\"return\":{}}");
    fake_machine_end_job(machine, cancelled);
    assert_took(take(user), "{\"data\":{\"device\":\"disk0\",\"len\":100,\"offset\":0,\"type\":"
                            "\"stream\"},\"event\":\"BLOCK_JOB_CANCELLED\"}");
    assert_error(ask(user,
                     "{\"execute\":\"block-job-cancel\",\"arguments\":{\"device\":\"disk0\"}}"),
                 "DeviceNotFound", "Nothing");
    assert_error(ask(user, "{\"execute\":\"block-stream\",\"arguments\":{\"device\":\"disk1\"}}"),
                 "DeviceNotFound", "disk1");
    assert_error(ask(user, "{\"execute\":\"block-stream\",\"arguments\":{\"device\":\"cd0\"}}"),
                 "DeviceNotFound", "'cd0'");
    leave(user);
}
END_TEST

/* The reply to a snapshot comes when it is there; nobody else is told. */
START_TEST(test_snapshots)
{
    g_autoptr(GError) failed = g_error_new(VMDESK_ERROR, VMDESK_ERROR_EXISTS, "name taken");
    struct user *user = connect_user(), *other = connect_user();
    const char *create = "{\"execute\":\"blockdev-snapshot-internal-sync\",\"arguments\":{"
                         "\"device\":\"disk0\",\"name\":\"a\"},\"id\":1}";

    ck_assert_ptr_null(ask(user, create));
    fake_machine_end_job(machine, NULL);
    assert_took(take(user), "{\"id\":1,\"return\":{}}");
    ck_assert_ptr_null(take(other));
    ck_assert_ptr_null(ask(user, create));
    fake_machine_end_job(machine, failed);
    assert_error(take(user), "GenericError", "name taken");
    ck_assert_ptr_null(ask(user, "{\"execute\":\"blockdev-snapshot-delete-internal-sync\","
                                 "\"arguments\":{\"device\":\"disk0\",\"name\":\"a\"}}"));
    fake_machine_end_job(machine, NULL);
    json_decref(take(user));
    ck_assert_ptr_null(ask(user, "{\"execute\":\"blockdev-snapshot-rename-internal-sync\","
                                 "\"arguments\":{\"device\":\"disk0\",\"name\":\"a\","
                                 "\"new-name\":\"b\"}}"));
    leave(user);
    fake_machine_end_job(machine, NULL);
    ck_assert_str_eq(machine->log->str, "job 2 disk0 a;job 2 disk0 a;job 3 disk0 a;job 4 disk0 a;");
    leave(other);
}
END_TEST

/* As with snapshots. What is no size never reaches the machine. */
START_TEST(test_resize)
{
    static const char *const bad[] = {"0",      "-512",
                                      "511",    "1e9",
                                      "\"1G\"", "9223372036854775808",
                                      "[512]",  "512,\"force\":true"};
    g_autoptr(GError) failed = g_error_new(VMDESK_ERROR, VMDESK_ERROR_NO_SPACE, "no room");
    const char *resize = "{\"execute\":\"block_resize\",\"arguments\":{\"device\":\"disk0\","
                         "\"size\":9223372036854775807},\"id\":1}";
    struct user *user = connect_user(), *other = connect_user();

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *line = g_strdup_printf("{\"execute\":\"block_resize\",\"arguments\":{"
                                                "\"device\":\"disk0\",\"size\":%s}}",
                                                bad[i]);

        assert_error(ask(user, line), "GenericError", "");
    }
    assert_error(ask(user, "{\"execute\":\"block_resize\",\"arguments\":{\"device\":\"disk0\"}}"),
                 "GenericError", "'size' is missing");
    assert_error(ask(user, "{\"execute\":\"block_resize\",\"arguments\":{\"device\":\"cd0\","
                           "\"size\":512}}"),
                 "DeviceNotFound", "'cd0'");
    ck_assert_str_eq(machine->log->str, "");
    ck_assert_ptr_null(ask(user, resize));
    ck_assert_uint_eq(machine->job.size, INT64_MAX);
    assert_took(ask(other, "{\"execute\":\"query-block-jobs\"}"),
                "{\"return\":[{\"device\":\"disk0\",\"len\":100,\"offset\":0,\"type\":"
                "\"resize\"}]}");
    assert_error(ask(other, "{\"execute\":\"block-commit\",\"arguments\":{\"device\":\"disk0\"}}"),
                 "DeviceNotActive", "already");
    fake_machine_end_job(machine, NULL);
    assert_took(take(user), "{\"id\":1,\"return\":{}}");
    ck_assert_ptr_null(take(other));
    ck_assert_ptr_null(ask(user, resize));
    fake_machine_end_job(machine, failed);
    assert_error(take(user), "GenericError", "no room");
    ck_assert_ptr_null(ask(user, resize));
    leave(user);
    fake_machine_end_job(machine, NULL);
    leave(other);
}
END_TEST

START_TEST(test_list_of_snapshots)
{
    const struct image_create_options create = {.format = "qcow2", .size = 1 << 20};
    const struct image_options options = {.format = "qcow2"};
    const char *ask_list = "{\"execute\":\"query-snapshots\",\"arguments\":{\"device\":\"disk0\"}}";
    struct image_snapshot a = {.name = (char *)"a", .date_sec = 7, .icount = UINT64_MAX};
    struct image_snapshot b = {.name = (char *)"b", .date_sec = 8, .icount = UINT64_MAX};
    g_autofree char *disk = g_build_filename(folder, "disk.qcow2", NULL);
    g_autofree char *tree = g_build_filename(folder, SNAPSHOT_TREE_FILE, NULL);
    struct io_context *io = io_context_new(1);
    struct user *user = connect_user();

    assert_error(ask(user, ask_list), "DeviceNotFound", "disk0");
    ck_assert(image_create(disk, &create, NULL, NULL));
    machine->disk = image_open(disk, &options, io, NULL);
    assert_took(ask(user, ask_list), "{\"return\":[]}");
    ck_assert(image_tree_create(machine->disk, &a, NULL));
    ck_assert(image_tree_create(machine->disk, &b, NULL));
    assert_took(ask(user, ask_list),
                "{\"return\":[{\"current\":false,\"date-nsec\":0,\"date-sec\":7,\"id\":\"1\","
                "\"name\":\"a\",\"virtual-size\":1048576,\"vm-clock-nsec\":0,"
                "\"vm-state-size\":0},{\"current\":true,\"date-nsec\":0,\"date-sec\":8,\"id\":"
                "\"2\",\"name\":\"b\",\"parent\":\"1\",\"virtual-size\":1048576,"
                "\"vm-clock-nsec\":0,\"vm-state-size\":0}]}");
    leave(user);
    image_close(machine->disk);
    machine->disk = NULL;
    io_context_free(io);
    g_unlink(disk);
    g_unlink(tree);
}
END_TEST

/* The chain; but only the disk's own image while work may change what it lies on. */
START_TEST(test_images)
{
    g_autofree char *base = g_build_filename(folder, "base.qcow2", NULL);
    g_autofree char *disk = g_build_filename(folder, "disk.qcow2", NULL);
    const struct image_create_options create[] = {
        {.format = "qcow2", .size = 1 << 20},
        {.format = "qcow2", .backing = "base.qcow2", .backing_format = "qcow2"},
    };
    const struct image_options options = {.format = "qcow2"};
    const char *question =
        "{\"execute\":\"query-block-image\",\"arguments\":{\"device\":\"disk0\"}}";
    struct io_context *io = io_context_new(1);
    struct user *user = connect_user();
    json_t *answer, *images;

    assert_error(ask(user, question), "DeviceNotFound", "disk0");
    ck_assert(image_create(base, &create[0], NULL, NULL));
    ck_assert(image_create(disk, &create[1], NULL, NULL));
    machine->disk = image_open(disk, &options, io, NULL);
    answer = ask(user, question);
    images = json_object_get(answer, "return");
    ck_assert_uint_eq(json_array_size(images), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(images, 0), "filename")),
                     disk);
    ck_assert_str_eq(json_string_value(
                         json_object_get(json_array_get(images, 0), "full-backing-filename")),
                     base);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(images, 1), "filename")),
                     base);
    json_decref(answer);
    json_decref(ask(user, "{\"execute\":\"block-stream\",\"arguments\":{\"device\":\"disk0\"}}"));
    answer = ask(user, question);
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "return")), 1);
    json_decref(answer);
    fake_machine_end_job(machine, NULL);
    leave(user);
    image_close(machine->disk);
    machine->disk = NULL;
    io_context_free(io);
    g_unlink(disk);
    g_unlink(base);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control jobs");
    TCase *tcase = tcase_create("all");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_stream_and_commit);
    tcase_add_test(tcase, test_failure_and_cancelling);
    tcase_add_test(tcase, test_snapshots);
    tcase_add_test(tcase, test_resize);
    tcase_add_test(tcase, test_list_of_snapshots);
    tcase_add_test(tcase, test_images);
    return run_suite(suite);
}
