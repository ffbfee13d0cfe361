# The software CPU against the host's processor, and its x87, MMX and SSE.
check_PROGRAMS += tests/diff/test_soft_diff
TESTS += tests/diff/test_soft_diff
tests_diff_test_soft_diff_SOURCES = tests/diff/test_soft_diff.c \
	tests/diff/case.c tests/diff/case.h tests/diff/case_state.c tests/diff/case_system.c \
	tests/diff/compare.c tests/diff/coverage.c tests/diff/coverage.h tests/diff/directed.def \
	tests/diff/descriptors.c tests/diff/descriptors.h \
	tests/diff/native.c tests/diff/native.h \
	tests/diff/soft_runner.c tests/diff/soft_runner.h \
	tests/diff/values.c tests/diff/values.h
tests_diff_test_soft_diff_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS)

# Their sequences, as blocks have them.
check_PROGRAMS += tests/diff/test_soft_sequences
TESTS += tests/diff/test_soft_sequences
tests_diff_test_soft_sequences_SOURCES = tests/diff/test_soft_sequences.c \
	tests/diff/descriptors.c tests/diff/descriptors.h \
	tests/diff/native.c tests/diff/native.h \
	tests/diff/soft_runner.c tests/diff/soft_runner.h \
	tests/diff/values.c tests/diff/values.h
tests_diff_test_soft_sequences_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/unit/test_soft_fpu
TESTS += tests/unit/test_soft_fpu
tests_unit_test_soft_fpu_SOURCES = tests/unit/test_soft_fpu.c \
	tests/fakes/soft_memory.c tests/fakes/soft_memory.h
tests_unit_test_soft_fpu_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_fpu_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS) $(CHECK_LIBS)
endif
