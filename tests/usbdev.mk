# The emulated USB devices.
usbdev_test_libs = usb/libvmusb.a disks/libdisks.a core/libcore.a $(DISK_LIBS) $(GLIB_LIBS)
usbdev_test_fakes = tests/fakes/usb_harness.c tests/fakes/usb_harness.h
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_usb_standard
TESTS += tests/unit/test_usb_standard
tests_unit_test_usb_standard_SOURCES = tests/unit/test_usb_standard.c $(usbdev_test_fakes)
tests_unit_test_usb_standard_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_usb_standard_LDADD = $(usbdev_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_usb_hid
TESTS += tests/unit/test_usb_hid
tests_unit_test_usb_hid_SOURCES = tests/unit/test_usb_hid.c $(usbdev_test_fakes)
tests_unit_test_usb_hid_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_usb_hid_LDADD = $(usbdev_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_usb_hub
TESTS += tests/unit/test_usb_hub
tests_unit_test_usb_hub_SOURCES = tests/unit/test_usb_hub.c $(usbdev_test_fakes)
tests_unit_test_usb_hub_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_usb_hub_LDADD = $(usbdev_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_usb_serial
TESTS += tests/unit/test_usb_serial
tests_unit_test_usb_serial_SOURCES = tests/unit/test_usb_serial.c $(usbdev_test_fakes)
tests_unit_test_usb_serial_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_usb_serial_LDADD = $(usbdev_test_libs) $(CHECK_LIBS)
endif

usbdev_disk_fakes = $(usbdev_test_fakes) \
	tests/fakes/memory_file.c tests/fakes/memory_file.h \
	tests/fakes/usb_disk.c tests/fakes/usb_disk.h
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_usb_bot
TESTS += tests/unit/test_usb_bot
tests_unit_test_usb_bot_SOURCES = tests/unit/test_usb_bot.c $(usbdev_disk_fakes)
tests_unit_test_usb_bot_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_usb_bot_LDADD = $(usbdev_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_usb_uas
TESTS += tests/unit/test_usb_uas
tests_unit_test_usb_uas_SOURCES = tests/unit/test_usb_uas.c $(usbdev_disk_fakes)
tests_unit_test_usb_uas_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_usb_uas_LDADD = $(usbdev_test_libs) $(CHECK_LIBS)
endif

usbdev_fuzz_sources = tests/fuzz/driver.c tests/fuzz/usb_input.c tests/fuzz/usb_input.h \
	$(usbdev_disk_fakes)
check_PROGRAMS += tests/fuzz/fuzz_usb_requests tests/fuzz/fuzz_usb_storage
TESTS += tests/fuzz/fuzz_usb_requests tests/fuzz/fuzz_usb_storage
EXTRA_DIST += tests/fuzz/corpus/usb_requests tests/fuzz/corpus/usb_storage
tests_fuzz_fuzz_usb_requests_SOURCES = tests/fuzz/fuzz_usb_requests.c $(usbdev_fuzz_sources)
tests_fuzz_fuzz_usb_requests_LDADD = $(usbdev_test_libs)
tests_fuzz_fuzz_usb_storage_SOURCES = tests/fuzz/fuzz_usb_storage.c $(usbdev_fuzz_sources)
tests_fuzz_fuzz_usb_storage_LDADD = $(usbdev_test_libs)
