# What image formats stand on, and those that are only read.
formats_test_libs = disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS)
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_recording_file tests/unit/test_formats tests/unit/test_file \
	tests/unit/test_vhdx_log
TESTS += tests/unit/test_recording_file tests/unit/test_formats tests/unit/test_file \
	tests/unit/test_vhdx_log
tests_unit_test_recording_file_SOURCES = \
	tests/fakes/recording_file.c \
	tests/fakes/recording_file.h \
	tests/unit/test_recording_file.c
tests_unit_test_recording_file_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_recording_file_LDADD = $(formats_test_libs) $(CHECK_LIBS)
tests_unit_test_file_SOURCES = \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h \
	tests/unit/test_file.c
tests_unit_test_file_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_file_LDADD = $(formats_test_libs) $(CHECK_LIBS)
tests_unit_test_formats_SOURCES = \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h \
	tests/unit/test_formats.c
tests_unit_test_formats_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_formats_LDADD = $(formats_test_libs) $(CHECK_LIBS)
tests_unit_test_vhdx_log_SOURCES = \
	tests/fakes/memory_file.c tests/fakes/memory_file.h \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h \
	tests/unit/test_vhdx_log.c
tests_unit_test_vhdx_log_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_vhdx_log_LDADD = $(formats_test_libs) $(CHECK_LIBS)
endif

format_fuzzers = \
	tests/fuzz/fuzz_vdi \
	tests/fuzz/fuzz_vhd \
	tests/fuzz/fuzz_vhdx \
	tests/fuzz/fuzz_vmdk
check_PROGRAMS += $(format_fuzzers)
TESTS += $(format_fuzzers)
EXTRA_DIST += \
	tests/fuzz/corpus/vdi \
	tests/fuzz/corpus/vhd \
	tests/fuzz/corpus/vhdx \
	tests/fuzz/corpus/vmdk \
	tests/fuzz/pack_image.py
format_fuzzer_sources = \
	tests/fakes/memory_file.c tests/fakes/memory_file.h \
	tests/fuzz/driver.c \
	tests/fuzz/fuzz_image_reader.c
tests_fuzz_fuzz_vdi_SOURCES = $(format_fuzzer_sources)
tests_fuzz_fuzz_vdi_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FORMAT='"vdi"'
tests_fuzz_fuzz_vdi_LDADD = $(formats_test_libs)
tests_fuzz_fuzz_vhd_SOURCES = $(format_fuzzer_sources)
tests_fuzz_fuzz_vhd_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FORMAT='"vhd"'
tests_fuzz_fuzz_vhd_LDADD = $(formats_test_libs)
tests_fuzz_fuzz_vhdx_SOURCES = $(format_fuzzer_sources)
tests_fuzz_fuzz_vhdx_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FORMAT='"vhdx"'
tests_fuzz_fuzz_vhdx_LDADD = $(formats_test_libs)
tests_fuzz_fuzz_vmdk_SOURCES = $(format_fuzzer_sources)
tests_fuzz_fuzz_vmdk_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_FORMAT='"vmdk"'
tests_fuzz_fuzz_vmdk_LDADD = $(formats_test_libs)

dist_check_SCRIPTS += tests/disk_verbs.sh
TESTS += tests/disk_verbs.sh

# For tests/bench/disk_bench.py.
check_PROGRAMS += tests/bench/disk_bench tests/bench/disk_hold
tests_bench_disk_bench_SOURCES = tests/bench/disk_bench.c
tests_bench_disk_bench_LDADD = $(formats_test_libs)
tests_bench_disk_hold_SOURCES = tests/bench/disk_hold.c
tests_bench_disk_hold_LDADD = $(formats_test_libs)
EXTRA_DIST += tests/bench/disk_bench.py
