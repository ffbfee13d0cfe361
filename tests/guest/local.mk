# Whole guests through the real engine. They take minutes where KVM interprets the guest, so they
# are not part of "make check": "make check-guest" runs them, GUEST_TESTS=... some of them.
GUEST_TESTS = \
	tests/guest/test_bad_files.sh \
	tests/guest/test_control_abuse.sh \
	tests/guest/test_disk_device.sh \
	tests/guest/test_disk_jobs.sh \
	tests/guest/test_disk_linux.sh \
	tests/guest/test_disk_live.sh \
	tests/guest/test_engine_kill.sh \
	tests/guest/test_grub_cd.sh \
	tests/guest/test_installer.sh \
	tests/guest/test_isolinux.sh \
	tests/guest/test_keys.sh \
	tests/guest/test_linux.sh \
	tests/guest/test_linux32.sh \
	tests/guest/test_linux_stress.sh \
	tests/guest/test_memtest.sh \
	tests/guest/test_ovmf.sh \
	tests/guest/test_payload.sh \
	tests/guest/test_payload_ends.sh \
	tests/guest/test_payload_hammer.sh \
	tests/guest/test_programs.sh \
	tests/guest/test_qcow2.sh \
	tests/guest/test_seabios.sh \
	tests/guest/test_snow.sh \
	tests/guest/test_soft.sh \
	tests/guest/test_usb_boot.sh \
	tests/guest/test_usb_host.sh \
	tests/guest/test_usb_linux.sh \
	tests/guest/test_usb_redir.sh \
	tests/guest/test_vnc_port.sh \
	tests/guest/test_vnc_stall.sh
# What the software CPU runs too, within a minute.
SOFT_GUEST_TESTS = \
	tests/guest/test_disk_device.sh \
	tests/guest/test_disk_live.sh \
	tests/guest/test_grub_cd.sh \
	tests/guest/test_keys.sh \
	tests/guest/test_linux.sh \
	tests/guest/test_ovmf.sh \
	tests/guest/test_payload.sh \
	tests/guest/test_qcow2.sh \
	tests/guest/test_seabios.sh
EXTRA_DIST += $(GUEST_TESTS) tests/guest/lib.sh tests/guest/run.sh \
	tests/guest/linux.sh tests/guest/stress.sh tests/guest/stress_init.sh \
	tests/guest/setup.sh tests/guest/programs.c tests/guest/programs.sh tests/guest/programs_init.sh \
	tests/guest/disk_init.sh tests/guest/usb_guest.sh tests/guest/usb_init.sh \
	tests/guest/keys.S tests/guest/snow.S tests/guest/writer.S

.PHONY: check-guest
if HAVE_CHECK
check_PROGRAMS += tests/guest/control_tool tests/guest/vnc_tool
tests_guest_control_tool_SOURCES = tests/guest/control_tool.c
tests_guest_control_tool_LDADD = core/libcore.a $(GLIB_LIBS) $(JANSSON_LIBS)
tests_guest_vnc_tool_SOURCES = tests/guest/vnc_tool.c
tests_guest_vnc_tool_CFLAGS = $(AM_CFLAGS) $(VNCCLIENT_CFLAGS)
tests_guest_vnc_tool_LDADD = $(GLIB_LIBS) $(VNCCLIENT_LIBS)

guest_test_needs = vmdesk$(EXEEXT) vmdesk-engine$(EXEEXT) vmdesk-usb-broker$(EXEEXT) \
	tests/usb/redir_peer$(EXEEXT) \
	tests/guest/control_tool$(EXEEXT) tests/guest/vnc_tool$(EXEEXT)
if HAVE_FUSE
guest_test_needs += tests/usb/fuse_usbfs$(EXEEXT)
endif
if HAVE_M32
guest_test_needs += tests/guest/keys.img tests/guest/payload/payload tests/guest/snow.img \
	tests/guest/writer.img
endif

check-guest: $(guest_test_needs)
	$(srcdir)/tests/guest/run.sh $(addprefix $(srcdir)/,$(GUEST_TESTS))
	GUEST_ACCEL=soft $(srcdir)/tests/guest/run.sh $(addprefix $(srcdir)/,$(SOFT_GUEST_TESTS))
endif

CLEANFILES += tests/guest/keys.img tests/guest/snow.img tests/guest/writer.img
SECTOR_LINK = -m32 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-Ttext=0x7c00 \
	-Wl,--oformat=binary
tests/guest/keys.img: tests/guest/keys.S
	@$(MKDIR_P) tests/guest
	$(AM_V_CC)$(CC) $(SECTOR_LINK) -o $@ $(srcdir)/tests/guest/keys.S
tests/guest/snow.img: tests/guest/snow.S
	@$(MKDIR_P) tests/guest
	$(AM_V_CC)$(CC) $(SECTOR_LINK) -o $@ $(srcdir)/tests/guest/snow.S
tests/guest/writer.img: tests/guest/writer.S
	@$(MKDIR_P) tests/guest
	$(AM_V_CC)$(CC) $(SECTOR_LINK) -o $@ $(srcdir)/tests/guest/writer.S
