# tests/unit: Check programs; tests/fuzz: fuzzers; tests/guest: whole guests; tests/golden: screens
include $(top_srcdir)/tests/control.mk
include $(top_srcdir)/tests/core.mk
include $(top_srcdir)/tests/boot.mk
include $(top_srcdir)/tests/display.mk
include $(top_srcdir)/tests/guest/local.mk
include $(top_srcdir)/tests/golden.mk
include $(top_srcdir)/tests/legacy.mk
EXTRA_DIST += tests/fuzz/driver.c tests/fuzz/fuzz.h tests/tsan.supp
if TSAN
AM_TESTS_ENVIRONMENT = TSAN_OPTIONS="suppressions=$(abs_top_srcdir)/tests/tsan.supp"; export TSAN_OPTIONS;
endif

# What has threads, for --enable-tsan.
THREAD_TESTS = \
	tests/unit/test_ahci \
	tests/unit/test_atapi \
	tests/unit/test_bus \
	tests/unit/test_control \
	tests/unit/test_debug_ports \
	tests/unit/test_display \
	tests/unit/test_flash \
	tests/unit/test_image \
	tests/unit/test_io_context \
	tests/unit/test_kvm \
	tests/unit/test_serial_backend \
	tests/unit/test_vga_render \
	tests/unit/test_vnc
.PHONY: check-threads
check-threads:
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(THREAD_TESTS)'

dist_check_SCRIPTS += tests/house/walls.sh
TESTS += tests/house/walls.sh
EXTRA_DIST += tests/bench/start_and_memory.py

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_bus
TESTS += tests/unit/test_bus
tests_unit_test_bus_SOURCES = tests/unit/test_bus.c
tests_unit_test_bus_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_bus_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_kvm
TESTS += tests/unit/test_kvm
tests_unit_test_kvm_SOURCES = tests/unit/test_kvm.c
tests_unit_test_kvm_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_kvm_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)
endif

# disks
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_io_context tests/unit/test_image
TESTS += tests/unit/test_io_context tests/unit/test_image
tests_unit_test_io_context_SOURCES = tests/unit/test_io_context.c
tests_unit_test_io_context_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_io_context_LDADD = disks/libdisks.a core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)
tests_unit_test_image_SOURCES = \
	tests/fakes/memory_file.c \
	tests/fakes/memory_file.h \
	tests/unit/test_image.c
tests_unit_test_image_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_image_LDADD = disks/libdisks.a core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)
endif
include $(top_srcdir)/tests/guest/payload/local.mk

# The VGA
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
tests_unit_test_edid_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_edid_LDADD = $(vga_test_libs)
endif

# SATA
ahci_test_libs = engine/libengine.a disks/libdisks.a core/libcore.a $(GLIB_LIBS)
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
