# Core: definitions, paths, the store, starting engines, finding discs
check_PROGRAMS += tests/fuzz/fuzz_config
TESTS += tests/fuzz/fuzz_config
EXTRA_DIST += tests/fuzz/corpus/config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/driver.c
tests_fuzz_fuzz_config_LDADD = core/libcore.a $(GLIB_LIBS)
check_PROGRAMS += tests/fuzz/fuzz_discs
TESTS += tests/fuzz/fuzz_discs
EXTRA_DIST += tests/fuzz/corpus/discs
tests_fuzz_fuzz_discs_SOURCES = tests/fuzz/fuzz_discs.c tests/fuzz/driver.c
tests_fuzz_fuzz_discs_LDADD = core/libcore.a $(GLIB_LIBS)
if HAVE_CHECK
core_test_libs = core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_config
TESTS += tests/unit/test_config
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_config_LDADD = $(core_test_libs)
check_PROGRAMS += tests/unit/test_paths
TESTS += tests/unit/test_paths
tests_unit_test_paths_SOURCES = tests/unit/test_paths.c \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h
tests_unit_test_paths_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_paths_LDADD = $(core_test_libs)
check_PROGRAMS += tests/unit/test_store
TESTS += tests/unit/test_store
tests_unit_test_store_SOURCES = tests/unit/test_store.c \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h
tests_unit_test_store_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_store_LDADD = $(core_test_libs)
check_PROGRAMS += tests/unit/test_launch
TESTS += tests/unit/test_launch
tests_unit_test_launch_SOURCES = tests/unit/test_launch.c \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h
tests_unit_test_launch_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_launch_LDADD = $(core_test_libs)
check_PROGRAMS += tests/unit/test_discs
TESTS += tests/unit/test_discs
tests_unit_test_discs_SOURCES = tests/unit/test_discs.c \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h
tests_unit_test_discs_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_discs_LDADD = $(core_test_libs)
endif

# The command line, with an engine that has no guest.
check_PROGRAMS += tests/fakes/fake_engine
tests_fakes_fake_engine_SOURCES = tests/fakes/fake_engine.c \
	tests/fakes/fake_machine.c tests/fakes/fake_machine.h
tests_fakes_fake_engine_LDADD = engine/libengine.a usb/libvmusb.a disks/libdisks.a core/libcore.a \
	$(DISK_LIBS) $(USB_LIBS) $(GLIB_LIBS) $(JANSSON_LIBS)
dist_check_SCRIPTS += tests/cli.sh
TESTS += tests/cli.sh
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_cli_keys
TESTS += tests/unit/test_cli_keys
tests_unit_test_cli_keys_SOURCES = tests/unit/test_cli_keys.c
tests_unit_test_cli_keys_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_cli_keys_LDADD = ui/libui.a core/libcore.a $(GLIB_LIBS) $(JANSSON_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_screen_text
TESTS += tests/unit/test_screen_text
tests_unit_test_screen_text_SOURCES = tests/unit/test_screen_text.c
tests_unit_test_screen_text_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_screen_text_LDADD = ui/libui.a core/libcore.a $(GLIB_LIBS) $(JANSSON_LIBS) $(CHECK_LIBS)
endif
