# The PC's legacy devices: serial, RTC, i8042, fw_cfg, flash, debug ports.

legacy_test_board = tests/fakes/fake_board.c tests/fakes/fake_board.h

if HAVE_CHECK
legacy_test_libs = engine/libengine.a core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/test_serial
TESTS += tests/unit/test_serial
tests_unit_test_serial_SOURCES = tests/unit/test_serial.c $(legacy_test_board)
tests_unit_test_serial_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_serial_LDADD = $(legacy_test_libs)
check_PROGRAMS += tests/unit/test_rtc
TESTS += tests/unit/test_rtc
tests_unit_test_rtc_SOURCES = tests/unit/test_rtc.c $(legacy_test_board)
tests_unit_test_rtc_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_rtc_LDADD = $(legacy_test_libs)
check_PROGRAMS += tests/unit/test_i8042
TESTS += tests/unit/test_i8042
tests_unit_test_i8042_SOURCES = tests/unit/test_i8042.c $(legacy_test_board)
tests_unit_test_i8042_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_i8042_LDADD = $(legacy_test_libs)
check_PROGRAMS += tests/unit/test_fw_cfg
TESTS += tests/unit/test_fw_cfg
tests_unit_test_fw_cfg_SOURCES = tests/unit/test_fw_cfg.c $(legacy_test_board)
tests_unit_test_fw_cfg_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_fw_cfg_LDADD = $(legacy_test_libs)
check_PROGRAMS += tests/unit/test_flash
TESTS += tests/unit/test_flash
tests_unit_test_flash_SOURCES = tests/unit/test_flash.c $(legacy_test_board) \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h
tests_unit_test_flash_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_flash_LDADD = $(legacy_test_libs)
check_PROGRAMS += tests/unit/test_debug_ports
TESTS += tests/unit/test_debug_ports
tests_unit_test_debug_ports_SOURCES = tests/unit/test_debug_ports.c $(legacy_test_board) \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h
tests_unit_test_debug_ports_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_debug_ports_LDADD = $(legacy_test_libs)
endif

check_PROGRAMS += tests/fuzz/fuzz_fw_cfg tests/fuzz/fuzz_isa
TESTS += tests/fuzz/fuzz_fw_cfg tests/fuzz/fuzz_isa
EXTRA_DIST += tests/fuzz/corpus/fw_cfg tests/fuzz/corpus/isa
tests_fuzz_fuzz_fw_cfg_SOURCES = tests/fuzz/fuzz_fw_cfg.c tests/fuzz/driver.c $(legacy_test_board)
tests_fuzz_fuzz_fw_cfg_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS)
tests_fuzz_fuzz_isa_SOURCES = tests/fuzz/fuzz_isa.c tests/fuzz/driver.c $(legacy_test_board)
tests_fuzz_fuzz_isa_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS)
