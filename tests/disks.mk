# Images, the threads that read and write them, and the SATA controller before them.
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_io_context tests/unit/test_image tests/unit/test_image_job
TESTS += tests/unit/test_io_context tests/unit/test_image tests/unit/test_image_job
check_PROGRAMS += tests/unit/test_image_commit
TESTS += tests/unit/test_image_commit
tests_unit_test_image_commit_SOURCES = \
	tests/fakes/disk_writer.c \
	tests/fakes/disk_writer.h \
	tests/fakes/temp_folder.c \
	tests/fakes/temp_folder.h \
	tests/unit/test_image_commit.c
tests_unit_test_image_commit_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_image_commit_LDADD = disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_image_flatten
TESTS += tests/unit/test_image_flatten
tests_unit_test_image_flatten_SOURCES = \
	tests/fakes/disk_writer.c \
	tests/fakes/disk_writer.h \
	tests/fakes/temp_folder.c \
	tests/fakes/temp_folder.h \
	tests/unit/test_image_flatten.c
tests_unit_test_image_flatten_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_image_flatten_LDADD = disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS) $(CHECK_LIBS)
tests_unit_test_image_job_SOURCES = \
	tests/fakes/temp_folder.c \
	tests/fakes/temp_folder.h \
	tests/unit/test_image_job.c
tests_unit_test_image_job_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_image_job_LDADD = disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_snapshot_delete
TESTS += tests/unit/test_snapshot_delete
tests_unit_test_snapshot_delete_SOURCES = \
	tests/fakes/disk_writer.c \
	tests/fakes/disk_writer.h \
	tests/fakes/memory_file.c \
	tests/fakes/memory_file.h \
	tests/unit/test_snapshot_delete.c
tests_unit_test_snapshot_delete_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_snapshot_delete_LDADD = disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_qcow2_submit
TESTS += tests/unit/test_qcow2_submit
tests_unit_test_qcow2_submit_SOURCES = \
	tests/fakes/memory_file.c \
	tests/fakes/memory_file.h \
	tests/unit/test_qcow2_submit.c
tests_unit_test_qcow2_submit_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_qcow2_submit_LDADD = disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS) $(CHECK_LIBS)
tests_unit_test_io_context_SOURCES = tests/unit/test_io_context.c
tests_unit_test_io_context_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_io_context_LDADD = disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS) $(CHECK_LIBS)
tests_unit_test_image_SOURCES = \
	tests/fakes/memory_file.c \
	tests/fakes/memory_file.h \
	tests/unit/test_image.c
tests_unit_test_image_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_image_LDADD = disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS) $(CHECK_LIBS)
endif

ahci_test_libs = engine/libengine.a disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS)
ahci_test_fakes = \
	tests/fakes/ahci_driver.c tests/fakes/ahci_driver.h \
	tests/fakes/fake_board.c tests/fakes/fake_board.h \
	tests/fakes/memory_file.c tests/fakes/memory_file.h
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_ahci
TESTS += tests/unit/test_ahci
tests_unit_test_ahci_SOURCES = tests/unit/test_ahci.c $(ahci_test_fakes)
tests_unit_test_ahci_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_ahci_LDADD = $(ahci_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_atapi
TESTS += tests/unit/test_atapi
tests_unit_test_atapi_SOURCES = tests/unit/test_atapi.c $(ahci_test_fakes)
tests_unit_test_atapi_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_atapi_LDADD = $(ahci_test_libs) $(CHECK_LIBS)
endif
# A guest may race with the DMA that it has asked for; ThreadSanitizer would report it.
check_PROGRAMS += tests/fuzz/fuzz_ahci
if !TSAN
TESTS += tests/fuzz/fuzz_ahci
endif
EXTRA_DIST += tests/fuzz/corpus/ahci
tests_fuzz_fuzz_ahci_SOURCES = tests/fuzz/fuzz_ahci.c tests/fuzz/driver.c $(ahci_test_fakes)
tests_fuzz_fuzz_ahci_LDADD = $(ahci_test_libs)

# The qcow2 format against qemu-img.
qcow2_test_libs = disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS)
check_PROGRAMS += tests/disks/test_qcow2_oracle
TESTS += tests/disks/test_qcow2_oracle
tests_disks_test_qcow2_oracle_SOURCES = \
	tests/disks/oracle.c tests/disks/oracle.h tests/disks/test_qcow2_oracle.c
tests_disks_test_qcow2_oracle_LDADD = $(qcow2_test_libs)
check_PROGRAMS += tests/disks/test_qcow2_kill
TESTS += tests/disks/test_qcow2_kill
tests_disks_test_qcow2_kill_SOURCES = \
	tests/disks/oracle.c tests/disks/oracle.h tests/disks/test_qcow2_kill.c
tests_disks_test_qcow2_kill_LDADD = $(qcow2_test_libs)
check_PROGRAMS += tests/disks/test_qcow2_device
TESTS += tests/disks/test_qcow2_device
tests_disks_test_qcow2_device_SOURCES = \
	tests/disks/oracle.c tests/disks/oracle.h tests/disks/test_qcow2_device.c
tests_disks_test_qcow2_device_LDADD = $(qcow2_test_libs)
check_PROGRAMS += tests/disks/test_qcow2_crash
TESTS += tests/disks/test_qcow2_crash
tests_disks_test_qcow2_crash_SOURCES = \
	tests/disks/oracle.c tests/disks/oracle.h tests/disks/test_qcow2_crash.c \
	tests/fakes/recording_file.c tests/fakes/recording_file.h
tests_disks_test_qcow2_crash_LDADD = $(qcow2_test_libs)

# The tree of an image's snapshots.
check_PROGRAMS += tests/fuzz/fuzz_snapshot_tree
TESTS += tests/fuzz/fuzz_snapshot_tree
EXTRA_DIST += tests/fuzz/corpus/snapshot_tree
tests_fuzz_fuzz_snapshot_tree_SOURCES = tests/fuzz/fuzz_snapshot_tree.c tests/fuzz/driver.c
tests_fuzz_fuzz_snapshot_tree_LDADD = $(qcow2_test_libs)
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_snapshot_tree tests/unit/test_image_tree
TESTS += tests/unit/test_snapshot_tree tests/unit/test_image_tree
tests_unit_test_snapshot_tree_SOURCES = tests/unit/test_snapshot_tree.c \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h
tests_unit_test_snapshot_tree_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_snapshot_tree_LDADD = $(qcow2_test_libs) $(CHECK_LIBS)
tests_unit_test_image_tree_SOURCES = tests/unit/test_image_tree.c \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h
tests_unit_test_image_tree_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_image_tree_LDADD = $(qcow2_test_libs) $(CHECK_LIBS)
endif
check_PROGRAMS += tests/disks/test_qcow2_foreign
TESTS += tests/disks/test_qcow2_foreign
tests_disks_test_qcow2_foreign_SOURCES = \
	tests/disks/oracle.c tests/disks/oracle.h tests/disks/test_qcow2_foreign.c
tests_disks_test_qcow2_foreign_LDADD = $(qcow2_test_libs)
check_PROGRAMS += tests/fuzz/fuzz_qcow2
TESTS += tests/fuzz/fuzz_qcow2
EXTRA_DIST += tests/fuzz/corpus/qcow2
tests_fuzz_fuzz_qcow2_SOURCES = \
	tests/fuzz/fuzz_qcow2.c tests/fuzz/driver.c tests/fakes/memory_file.c tests/fakes/memory_file.h
tests_fuzz_fuzz_qcow2_LDADD = $(qcow2_test_libs)
check_PROGRAMS += tests/disks/test_qcow2_hostile
TESTS += tests/disks/test_qcow2_hostile
tests_disks_test_qcow2_hostile_SOURCES = \
	tests/disks/oracle.c tests/disks/oracle.h tests/disks/test_qcow2_hostile.c
tests_disks_test_qcow2_hostile_LDADD = $(qcow2_test_libs)
