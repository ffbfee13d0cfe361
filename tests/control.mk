# The control protocol, its client and server, and the serial line's host end.
EXTRA_DIST += tests/fuzz/corpus/control
check_PROGRAMS += tests/fuzz/fuzz_control
TESTS += tests/fuzz/fuzz_control
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c tests/fuzz/driver.c \
	tests/fakes/fake_machine.c tests/fakes/fake_machine.h
tests_fuzz_fuzz_control_LDADD = engine/libengine.a usb/libvmusb.a disks/libdisks.a core/libcore.a \
	$(DISK_LIBS) $(USB_LIBS) $(GLIB_LIBS) $(JANSSON_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_protocol
TESTS += tests/unit/test_protocol
tests_unit_test_protocol_SOURCES = tests/unit/test_protocol.c
tests_unit_test_protocol_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_protocol_LDADD = core/libcore.a $(GLIB_LIBS) $(JANSSON_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_client
TESTS += tests/unit/test_client
tests_unit_test_client_SOURCES = tests/unit/test_client.c
tests_unit_test_client_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_client_LDADD = core/libcore.a $(GLIB_LIBS) $(JANSSON_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_control
TESTS += tests/unit/test_control
control_test_fakes = \
	tests/fakes/fake_machine.c tests/fakes/fake_machine.h \
	tests/unit/control_fixture.c tests/unit/control_fixture.h
control_test_libs = engine/libengine.a usb/libvmusb.a disks/libdisks.a core/libcore.a \
	$(DISK_LIBS) $(USB_LIBS) $(GLIB_LIBS) $(JANSSON_LIBS) $(CHECK_LIBS)
tests_unit_test_control_SOURCES = tests/unit/test_control.c $(control_test_fakes)
tests_unit_test_control_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_control_LDADD = $(control_test_libs)
check_PROGRAMS += tests/unit/test_control_clients
TESTS += tests/unit/test_control_clients
tests_unit_test_control_clients_SOURCES = tests/unit/test_control_clients.c $(control_test_fakes)
tests_unit_test_control_clients_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_control_clients_LDADD = $(control_test_libs)
check_PROGRAMS += tests/unit/test_control_jobs
TESTS += tests/unit/test_control_jobs
tests_unit_test_control_jobs_SOURCES = tests/unit/test_control_jobs.c $(control_test_fakes)
tests_unit_test_control_jobs_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_control_jobs_LDADD = $(control_test_libs)
check_PROGRAMS += tests/unit/test_peer
TESTS += tests/unit/test_peer
tests_unit_test_peer_SOURCES = tests/unit/test_peer.c
tests_unit_test_peer_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_peer_LDADD = core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_serial_backend
TESTS += tests/unit/test_serial_backend
tests_unit_test_serial_backend_SOURCES = tests/unit/test_serial_backend.c
tests_unit_test_serial_backend_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_serial_backend_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)
endif
