# Who tests what: tests/unit are Check programs, tests/fuzz fuzzers with a driver for "make check",
# tests/golden screens, tests/guest whole guests ("make check-guest"), tests/house the tree itself.
include $(top_srcdir)/tests/boot.mk
include $(top_srcdir)/tests/control.mk
include $(top_srcdir)/tests/core.mk
include $(top_srcdir)/tests/disks.mk
include $(top_srcdir)/tests/display.mk
include $(top_srcdir)/tests/engine.mk
include $(top_srcdir)/tests/formats.mk
include $(top_srcdir)/tests/golden.mk
include $(top_srcdir)/tests/legacy.mk
include $(top_srcdir)/tests/softcore.mk
include $(top_srcdir)/tests/softfpu.mk
include $(top_srcdir)/tests/softirq.mk
include $(top_srcdir)/tests/usbdev.mk
include $(top_srcdir)/tests/softsystem.mk
include $(top_srcdir)/tests/usbhost.mk
include $(top_srcdir)/tests/vga.mk
include $(top_srcdir)/tests/xhci.mk
include $(top_srcdir)/tests/guest/local.mk
include $(top_srcdir)/tests/guest/payload/local.mk

dist_check_SCRIPTS += tests/house/walls.sh
TESTS += tests/house/walls.sh
EXTRA_DIST += tests/seed.h tests/suite.h tests/fuzz/driver.c tests/fuzz/fuzz.h tests/bench/start_and_memory.py \
	tests/bench/device_code.py tests/bench/soft_cpu.py tests/bench/soft_loops.c \
	tests/bench/usb_storage.py

# What has threads, for --enable-tsan.
THREAD_TESTS = \
	tests/disks/test_qcow2_oracle \
	tests/unit/test_ahci \
	tests/unit/test_atapi \
	tests/unit/test_bus \
	tests/unit/test_control \
	tests/unit/test_control_clients \
	tests/unit/test_control_jobs \
	tests/unit/test_cpu_move \
	tests/unit/test_debug_ports \
	tests/unit/test_display \
	tests/unit/test_file \
	tests/unit/test_flash \
	tests/unit/test_image \
	tests/unit/test_image_commit \
	tests/unit/test_image_flatten \
	tests/unit/test_image_job \
	tests/unit/test_io_context \
	tests/unit/test_kvm \
	tests/unit/test_qcow2_submit \
	tests/unit/test_serial_backend \
	tests/unit/test_snapshot_delete \
	tests/unit/test_soft_ipi \
	tests/unit/test_soft_smp \
	tests/unit/test_usb_bot \
	tests/unit/test_usb_hid \
	tests/unit/test_usb_hub \
	tests/unit/test_usb_serial \
	tests/unit/test_usb_standard \
	tests/unit/test_usb_uas \
	tests/unit/test_vga_render \
	tests/unit/test_vnc \
	tests/unit/test_vnc_hostile \
	tests/unit/test_xhci_transfers \
	tests/usb/test_host.sh \
	tests/usb/test_hosts.sh \
	tests/usb/test_redir
.PHONY: check-threads
check-threads:
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(THREAD_TESTS)'

# Check ends a test that takes longer than this, by default 4 s: too short under a sanitizer on a
# busy host.
AM_TESTS_ENVIRONMENT = CK_DEFAULT_TIMEOUT=60; export CK_DEFAULT_TIMEOUT;
EXTRA_DIST += tests/tsan.supp
if TSAN
AM_TESTS_ENVIRONMENT += TSAN_OPTIONS="suppressions=$(abs_top_srcdir)/tests/tsan.supp"; export TSAN_OPTIONS;
endif
