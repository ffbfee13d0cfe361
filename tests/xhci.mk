# The xHCI controller and what it brings to PCI.
xhci_test_libs = engine/libengine.a usb/libvmusb.a disks/libdisks.a core/libcore.a \
	$(DISK_LIBS) $(GLIB_LIBS)
xhci_test_fakes = \
	tests/fakes/fake_board.c tests/fakes/fake_board.h \
	tests/fakes/scripted_usb_device.c tests/fakes/scripted_usb_device.h \
	tests/fakes/xhci_driver.c tests/fakes/xhci_driver.h
xhci_test_fixture = $(xhci_test_fakes) tests/fakes/xhci_fixture.c tests/fakes/xhci_fixture.h
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_pci_msix
TESTS += tests/unit/test_pci_msix
tests_unit_test_pci_msix_SOURCES = tests/unit/test_pci_msix.c
tests_unit_test_pci_msix_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_pci_msix_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_xhci
TESTS += tests/unit/test_xhci
tests_unit_test_xhci_SOURCES = tests/unit/test_xhci.c $(xhci_test_fixture)
tests_unit_test_xhci_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_xhci_LDADD = $(xhci_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_xhci_events
TESTS += tests/unit/test_xhci_events
tests_unit_test_xhci_events_SOURCES = tests/unit/test_xhci_events.c $(xhci_test_fixture)
tests_unit_test_xhci_events_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_xhci_events_LDADD = $(xhci_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_xhci_streams
TESTS += tests/unit/test_xhci_streams
tests_unit_test_xhci_streams_SOURCES = tests/unit/test_xhci_streams.c $(xhci_test_fixture)
tests_unit_test_xhci_streams_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_xhci_streams_LDADD = $(xhci_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_xhci_transfers
TESTS += tests/unit/test_xhci_transfers
tests_unit_test_xhci_transfers_SOURCES = tests/unit/test_xhci_transfers.c $(xhci_test_fixture)
tests_unit_test_xhci_transfers_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_xhci_transfers_LDADD = $(xhci_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_xhci_ports
TESTS += tests/unit/test_xhci_ports
tests_unit_test_xhci_ports_SOURCES = tests/unit/test_xhci_ports.c $(xhci_test_fakes)
tests_unit_test_xhci_ports_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_xhci_ports_LDADD = $(xhci_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_xhci_rings
TESTS += tests/unit/test_xhci_rings
tests_unit_test_xhci_rings_SOURCES = tests/unit/test_xhci_rings.c
tests_unit_test_xhci_rings_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_xhci_rings_LDADD = $(xhci_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_input_router
TESTS += tests/unit/test_input_router
tests_unit_test_input_router_SOURCES = tests/unit/test_input_router.c \
	tests/fakes/usb_harness.c tests/fakes/usb_harness.h
tests_unit_test_input_router_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_input_router_LDADD = $(xhci_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_machine_usb
TESTS += tests/unit/test_machine_usb
tests_unit_test_machine_usb_SOURCES = tests/unit/test_machine_usb.c $(xhci_test_fakes) \
	tests/fakes/temp_folder.c tests/fakes/temp_folder.h
tests_unit_test_machine_usb_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_machine_usb_LDADD = $(xhci_test_libs) $(CHECK_LIBS)
endif

check_PROGRAMS += tests/fuzz/fuzz_xhci
TESTS += tests/fuzz/fuzz_xhci
EXTRA_DIST += tests/fuzz/corpus/xhci
tests_fuzz_fuzz_xhci_SOURCES = tests/fuzz/fuzz_xhci.c tests/fuzz/driver.c $(xhci_test_fakes)
tests_fuzz_fuzz_xhci_LDADD = $(xhci_test_libs)
