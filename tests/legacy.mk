# The PC's legacy devices: serial, RTC, i8042, fw_cfg, flash, debug ports.

if HAVE_CHECK
legacy_test_board = tests/fakes/fake_board.c tests/fakes/fake_board.h
legacy_test_libs = engine/libengine.a core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)

check_PROGRAMS += tests/unit/test_serial
TESTS += tests/unit/test_serial
tests_unit_test_serial_SOURCES = tests/unit/test_serial.c $(legacy_test_board)
tests_unit_test_serial_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_serial_LDADD = $(legacy_test_libs)
endif
