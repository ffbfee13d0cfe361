# The software CPU as a whole: raw bytes in each mode, and its system parts.
softsystem_fakes = tests/fakes/soft_machine.c tests/fakes/soft_machine.h
check_PROGRAMS += tests/fuzz/fuzz_soft
TESTS += tests/fuzz/fuzz_soft
EXTRA_DIST += tests/fuzz/corpus/soft
tests_fuzz_fuzz_soft_SOURCES = tests/fuzz/fuzz_soft.c tests/fuzz/driver.c $(softsystem_fakes)
tests_fuzz_fuzz_soft_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS)

EXTRA_DIST += tests/fuzz/corpus/soft_decode
if HAVE_ZYDIS
check_PROGRAMS += tests/fuzz/fuzz_soft_decode
TESTS += tests/fuzz/fuzz_soft_decode
tests_fuzz_fuzz_soft_decode_SOURCES = tests/fuzz/fuzz_soft_decode.c tests/fuzz/driver.c
tests_fuzz_fuzz_soft_decode_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS) -lZydis
endif

if HAVE_CHECK
softsystem_libs = engine/libengine.a core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_soft_system_paging
TESTS += tests/unit/test_soft_system_paging
tests_unit_test_soft_system_paging_SOURCES = tests/unit/test_soft_system_paging.c $(softsystem_fakes)
tests_unit_test_soft_system_paging_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_system_paging_LDADD = $(softsystem_libs)
check_PROGRAMS += tests/unit/test_soft_system_gates
TESTS += tests/unit/test_soft_system_gates
tests_unit_test_soft_system_gates_SOURCES = tests/unit/test_soft_system_gates.c $(softsystem_fakes)
tests_unit_test_soft_system_gates_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_system_gates_LDADD = $(softsystem_libs)
check_PROGRAMS += tests/unit/test_soft_system_debug
TESTS += tests/unit/test_soft_system_debug
tests_unit_test_soft_system_debug_SOURCES = tests/unit/test_soft_system_debug.c $(softsystem_fakes)
tests_unit_test_soft_system_debug_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_system_debug_LDADD = $(softsystem_libs)
check_PROGRAMS += tests/unit/test_soft_system_modes
TESTS += tests/unit/test_soft_system_modes
tests_unit_test_soft_system_modes_SOURCES = tests/unit/test_soft_system_modes.c $(softsystem_fakes)
tests_unit_test_soft_system_modes_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_system_modes_LDADD = $(softsystem_libs)
check_PROGRAMS += tests/unit/test_soft_system_instructions
TESTS += tests/unit/test_soft_system_instructions
tests_unit_test_soft_system_instructions_SOURCES = tests/unit/test_soft_system_instructions.c \
	$(softsystem_fakes)
tests_unit_test_soft_system_instructions_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_system_instructions_LDADD = $(softsystem_libs)
check_PROGRAMS += tests/unit/test_soft_system_crossing
TESTS += tests/unit/test_soft_system_crossing
tests_unit_test_soft_system_crossing_SOURCES = tests/unit/test_soft_system_crossing.c $(softsystem_fakes)
tests_unit_test_soft_system_crossing_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_system_crossing_LDADD = $(softsystem_libs)
check_PROGRAMS += tests/unit/test_soft_system_vme
TESTS += tests/unit/test_soft_system_vme
tests_unit_test_soft_system_vme_SOURCES = tests/unit/test_soft_system_vme.c $(softsystem_fakes)
tests_unit_test_soft_system_vme_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_system_vme_LDADD = $(softsystem_libs)
check_PROGRAMS += tests/unit/test_soft_smp
TESTS += tests/unit/test_soft_smp
tests_unit_test_soft_smp_SOURCES = tests/unit/test_soft_smp.c
tests_unit_test_soft_smp_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_smp_LDADD = $(softsystem_libs)
endif
