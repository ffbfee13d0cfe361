# What image formats stand on, and those that are only read.
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_recording_file
TESTS += tests/unit/test_recording_file
tests_unit_test_recording_file_SOURCES = \
	tests/fakes/recording_file.c \
	tests/fakes/recording_file.h \
	tests/unit/test_recording_file.c
tests_unit_test_recording_file_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_recording_file_LDADD = disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS) $(CHECK_LIBS)
endif
