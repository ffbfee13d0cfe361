# USB devices of the host: tests/usb/fuse_usbfs is a computer with one, for a stock libusb.
usb_scripted = \
	tests/usb/scripted_device.c tests/usb/scripted_device.h \
	tests/usb/scripted_disk.c tests/usb/scripted_disk.h
usb_scripted_usbfs = $(usb_scripted) \
	tests/usb/fake_sysfs.c tests/usb/fake_sysfs.h tests/usb/script.c tests/usb/script.h \
	tests/usb/usbfs.c tests/usb/usbfs.h
usb_host_libs = usb/libvmusb.a core/libcore.a $(USB_LIBS) $(GLIB_LIBS)
if HAVE_CHECK
check_PROGRAMS += tests/usb/redir_peer tests/usb/test_redir
tests_usb_redir_peer_SOURCES = tests/usb/redir_peer.c $(usb_scripted)
tests_usb_redir_peer_CFLAGS = $(AM_CFLAGS) $(USBREDIR_CFLAGS)
tests_usb_redir_peer_LDADD = $(USBREDIR_LIBS) $(GLIB_LIBS)
tests_usb_test_redir_SOURCES = tests/usb/test_redir.c tests/fakes/temp_folder.c \
	tests/fakes/temp_folder.h
tests_usb_test_redir_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_usb_test_redir_LDADD = $(usb_host_libs) $(CHECK_LIBS)
TESTS += tests/usb/test_redir
check_PROGRAMS += tests/unit/test_usb_rules
TESTS += tests/unit/test_usb_rules
tests_unit_test_usb_rules_SOURCES = tests/unit/test_usb_rules.c tests/fakes/temp_folder.c \
	tests/fakes/temp_folder.h
tests_unit_test_usb_rules_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_usb_rules_LDADD = $(usb_host_libs) $(CHECK_LIBS)
endif
if HAVE_FUSE
if HAVE_CHECK
check_PROGRAMS += tests/usb/fuse_usbfs
tests_usb_fuse_usbfs_SOURCES = tests/usb/fuse_usbfs.c $(usb_scripted_usbfs)
tests_usb_fuse_usbfs_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS)
tests_usb_fuse_usbfs_LDADD = core/libcore.a $(FUSE_LIBS) $(GLIB_LIBS)

check_PROGRAMS += tests/usb/test_host
tests_usb_test_host_SOURCES = tests/usb/test_host.c tests/usb/host_fixture.c \
	tests/usb/host_fixture.h
tests_usb_test_host_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(USB_CFLAGS)
tests_usb_test_host_LDADD = $(usb_host_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/usb/test_hosts
tests_usb_test_hosts_SOURCES = tests/usb/test_hosts.c tests/usb/host_fixture.c \
	tests/usb/host_fixture.h tests/fakes/temp_folder.c tests/fakes/temp_folder.h
tests_usb_test_hosts_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(USB_CFLAGS)
tests_usb_test_hosts_LDADD = $(usb_host_libs) $(CHECK_LIBS)
TESTS += tests/usb/test_host.sh tests/usb/test_hosts.sh
endif
endif
if HAVE_UMOCKDEV
if HAVE_CHECK
check_PROGRAMS += tests/usb/umockdev_usbfs
tests_usb_umockdev_usbfs_SOURCES = tests/usb/umockdev_usbfs.c $(usb_scripted_usbfs)
tests_usb_umockdev_usbfs_CFLAGS = $(AM_CFLAGS) $(UMOCKDEV_CFLAGS)
tests_usb_umockdev_usbfs_LDADD = core/libcore.a $(UMOCKDEV_LIBS) $(GLIB_LIBS)
endif
endif
TESTS += tests/usb/test_host_user.sh tests/usb/test_usbredirect.sh
dist_check_SCRIPTS += tests/usb/test_host.sh tests/usb/test_host_user.sh tests/usb/test_hosts.sh \
	tests/usb/test_usbredirect.sh

check_PROGRAMS += tests/fuzz/fuzz_usb_descriptors tests/fuzz/fuzz_usbredir
TESTS += tests/fuzz/fuzz_usb_descriptors tests/fuzz/fuzz_usbredir
EXTRA_DIST += tests/fuzz/corpus/usb_descriptors tests/fuzz/corpus/usbredir
tests_fuzz_fuzz_usb_descriptors_SOURCES = tests/fuzz/fuzz_usb_descriptors.c tests/fuzz/driver.c
tests_fuzz_fuzz_usb_descriptors_LDADD = usb/libvmusb.a core/libcore.a $(GLIB_LIBS)
tests_fuzz_fuzz_usbredir_SOURCES = tests/fuzz/fuzz_usbredir.c tests/fuzz/driver.c
tests_fuzz_fuzz_usbredir_LDADD = usb/libvmusb.a core/libcore.a $(USB_LIBS) $(GLIB_LIBS)
