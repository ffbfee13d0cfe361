# display/: surfaces, damage, key maps, VNC
if HAVE_CHECK
DISPLAY_TESTS = \
	tests/unit/test_damage \
	tests/unit/test_display \
	tests/unit/test_keymap \
	tests/unit/test_surface \
	tests/unit/test_vnc \
	tests/unit/test_vnc_hostile
check_PROGRAMS += $(DISPLAY_TESTS)
TESTS += $(DISPLAY_TESTS)
DISPLAY_TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(PNG_CFLAGS) $(VNCCLIENT_CFLAGS)
DISPLAY_TEST_LIBS = display/libdisplay.a core/libcore.a $(PNG_LIBS) $(GLIB_LIBS) \
	$(CHECK_LIBS)
tests_unit_test_damage_SOURCES = tests/unit/test_damage.c
tests_unit_test_damage_CFLAGS = $(DISPLAY_TEST_CFLAGS)
tests_unit_test_damage_LDADD = $(DISPLAY_TEST_LIBS)
tests_unit_test_display_SOURCES = tests/unit/test_display.c tests/fakes/screen.c tests/fakes/screen.h
tests_unit_test_display_CFLAGS = $(DISPLAY_TEST_CFLAGS)
tests_unit_test_display_LDADD = $(DISPLAY_TEST_LIBS)
tests_unit_test_keymap_SOURCES = tests/unit/test_keymap.c
tests_unit_test_keymap_CFLAGS = $(DISPLAY_TEST_CFLAGS)
tests_unit_test_keymap_LDADD = $(DISPLAY_TEST_LIBS)
tests_unit_test_surface_SOURCES = tests/unit/test_surface.c
tests_unit_test_surface_CFLAGS = $(DISPLAY_TEST_CFLAGS)
tests_unit_test_surface_LDADD = $(DISPLAY_TEST_LIBS)
VNC_FIXTURE = tests/unit/vnc_fixture.c tests/unit/vnc_fixture.h tests/fakes/screen.c \
	tests/fakes/screen.h
tests_unit_test_vnc_SOURCES = tests/unit/test_vnc.c $(VNC_FIXTURE)
tests_unit_test_vnc_CFLAGS = $(DISPLAY_TEST_CFLAGS)
tests_unit_test_vnc_LDADD = $(DISPLAY_TEST_LIBS) $(VNCCLIENT_LIBS)
tests_unit_test_vnc_hostile_SOURCES = tests/unit/test_vnc_hostile.c $(VNC_FIXTURE)
tests_unit_test_vnc_hostile_CFLAGS = $(DISPLAY_TEST_CFLAGS)
tests_unit_test_vnc_hostile_LDADD = $(DISPLAY_TEST_LIBS) $(VNCCLIENT_LIBS)
endif

check_PROGRAMS += tests/fuzz/fuzz_vnc
TESTS += tests/fuzz/fuzz_vnc
EXTRA_DIST += tests/fuzz/corpus/vnc
tests_fuzz_fuzz_vnc_SOURCES = tests/fuzz/fuzz_vnc.c tests/fuzz/driver.c
tests_fuzz_fuzz_vnc_LDADD = display/libdisplay.a core/libcore.a $(GLIB_LIBS)
