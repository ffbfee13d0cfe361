# The VGA.
check_PROGRAMS += tests/fuzz/fuzz_vga
TESTS += tests/fuzz/fuzz_vga
EXTRA_DIST += tests/fuzz/corpus/vga
tests_fuzz_fuzz_vga_SOURCES = tests/fuzz/fuzz_vga.c tests/fuzz/driver.c \
	tests/fakes/vga_machine.c tests/fakes/vga_machine.h
tests_fuzz_fuzz_vga_LDADD = engine/libengine.a display/libdisplay.a core/libcore.a \
	$(GLIB_LIBS) $(PNG_LIBS)
if HAVE_CHECK
vga_test_libs = engine/libengine.a display/libdisplay.a core/libcore.a \
	$(GLIB_LIBS) $(PNG_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_vga
TESTS += tests/unit/test_vga
tests_unit_test_vga_SOURCES = tests/unit/test_vga.c \
	tests/fakes/vga_machine.c tests/fakes/vga_machine.h
tests_unit_test_vga_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_vga_LDADD = $(vga_test_libs)
check_PROGRAMS += tests/unit/test_vga_render
TESTS += tests/unit/test_vga_render
tests_unit_test_vga_render_SOURCES = tests/unit/test_vga_render.c \
	tests/fakes/vga_machine.c tests/fakes/vga_machine.h
tests_unit_test_vga_render_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_vga_render_LDADD = $(vga_test_libs)
check_PROGRAMS += tests/unit/test_edid
TESTS += tests/unit/test_edid
tests_unit_test_edid_SOURCES = tests/unit/test_edid.c
tests_unit_test_edid_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(GIO_CFLAGS)
tests_unit_test_edid_LDADD = $(vga_test_libs) $(GIO_LIBS)
endif
