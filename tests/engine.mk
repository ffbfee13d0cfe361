# The buses, and vCPUs under the host's KVM.
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
