# The software CPU's decoder, dispatcher, memory and system parts
softcore_test_libs = engine/libengine.a core/libcore.a $(GLIB_LIBS)
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_soft_vcpu
TESTS += tests/unit/test_soft_vcpu
tests_unit_test_soft_vcpu_SOURCES = tests/unit/test_kvm.c
tests_unit_test_soft_vcpu_CPPFLAGS = $(AM_CPPFLAGS) -DTEST_ACCEL=ACCEL_SOFT
tests_unit_test_soft_vcpu_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_vcpu_LDADD = $(softcore_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_cpu_move
TESTS += tests/unit/test_cpu_move
tests_unit_test_cpu_move_SOURCES = tests/unit/test_cpu_move.c tests/unit/move_guest.S \
	tests/unit/move_guest.h
tests_unit_test_cpu_move_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_cpu_move_LDADD = $(softcore_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_kvm_handoff
TESTS += tests/unit/test_kvm_handoff
tests_unit_test_kvm_handoff_SOURCES = tests/unit/test_kvm_handoff.c
tests_unit_test_kvm_handoff_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_kvm_handoff_LDADD = $(softcore_test_libs) $(CHECK_LIBS)
endif
