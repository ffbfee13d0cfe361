# Firmware, its tables, and direct boot.
check_PROGRAMS += tests/fuzz/fuzz_kernel
TESTS += tests/fuzz/fuzz_kernel
EXTRA_DIST += tests/fuzz/corpus/kernel
tests_fuzz_fuzz_kernel_SOURCES = tests/fuzz/fuzz_kernel.c tests/fuzz/driver.c
tests_fuzz_fuzz_kernel_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS)

dist_check_SCRIPTS += tests/unit/test_blobs.sh
TESTS += tests/unit/test_blobs.sh

if HAVE_CHECK
BOOT_TESTS = \
	tests/unit/test_acpi \
	tests/unit/test_direct_boot \
	tests/unit/test_firmware \
	tests/unit/test_smbios
check_PROGRAMS += $(BOOT_TESTS)
TESTS += $(BOOT_TESTS)
BOOT_TEST_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
BOOT_TEST_LIBS = engine/libengine.a core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)
BOOT_TEST_FAKES = tests/fakes/temp_folder.c tests/fakes/temp_folder.h
tests_unit_test_acpi_SOURCES = tests/unit/test_acpi.c $(BOOT_TEST_FAKES)
tests_unit_test_acpi_CFLAGS = $(BOOT_TEST_CFLAGS)
tests_unit_test_acpi_LDADD = $(BOOT_TEST_LIBS)
tests_unit_test_direct_boot_SOURCES = tests/unit/test_direct_boot.c $(BOOT_TEST_FAKES)
tests_unit_test_direct_boot_CFLAGS = $(BOOT_TEST_CFLAGS)
tests_unit_test_direct_boot_LDADD = $(BOOT_TEST_LIBS)
tests_unit_test_firmware_SOURCES = tests/unit/test_firmware.c $(BOOT_TEST_FAKES)
tests_unit_test_firmware_CFLAGS = $(BOOT_TEST_CFLAGS)
tests_unit_test_firmware_LDADD = $(BOOT_TEST_LIBS)
tests_unit_test_smbios_SOURCES = tests/unit/test_smbios.c
tests_unit_test_smbios_CFLAGS = $(BOOT_TEST_CFLAGS)
tests_unit_test_smbios_LDADD = $(BOOT_TEST_LIBS)
endif
