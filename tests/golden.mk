# The interface in a tmux of its own, with an engine that has no guest; and its parts alone.
check_PROGRAMS += tests/fakes/scripted_engine
tests_fakes_scripted_engine_SOURCES = tests/fakes/scripted_engine.c
tests_fakes_scripted_engine_LDADD = core/libcore.a $(GLIB_LIBS) $(JANSSON_LIBS)

golden_tests = \
	tests/golden/console.sh \
	tests/golden/disks.sh \
	tests/golden/engine.sh \
	tests/golden/forms.sh \
	tests/golden/list.sh \
	tests/golden/terminal.sh \
	tests/golden/usb.sh
TESTS += $(golden_tests)
dist_check_SCRIPTS += $(golden_tests)
EXTRA_DIST += tests/golden/lib.sh tests/golden/styles.awk tests/golden/expected

check_PROGRAMS += tests/fuzz/fuzz_guest_screen
TESTS += tests/fuzz/fuzz_guest_screen
EXTRA_DIST += tests/fuzz/corpus/guest_screen
tests_fuzz_fuzz_guest_screen_SOURCES = tests/fuzz/fuzz_guest_screen.c tests/fuzz/driver.c
tests_fuzz_fuzz_guest_screen_LDADD = ui/tui/libtui.a disks/libdisks.a core/libcore.a $(TUI_LIBS) \
	$(DISK_LIBS) $(JANSSON_LIBS) \
	$(GLIB_LIBS)

if HAVE_CHECK
tui_test_libs = ui/tui/libtui.a disks/libdisks.a core/libcore.a $(TUI_LIBS) $(DISK_LIBS) $(JANSSON_LIBS) $(GLIB_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_tui_parts
TESTS += tests/unit/test_tui_parts
tests_unit_test_tui_parts_SOURCES = tests/unit/test_tui_parts.c
tests_unit_test_tui_parts_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_tui_parts_LDADD = $(tui_test_libs)
check_PROGRAMS += tests/unit/test_tui_guest_screen
TESTS += tests/unit/test_tui_guest_screen
tests_unit_test_tui_guest_screen_SOURCES = tests/unit/test_tui_guest_screen.c
tests_unit_test_tui_guest_screen_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_tui_guest_screen_LDADD = $(tui_test_libs)
endif
