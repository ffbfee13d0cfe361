# The software CPU as a whole: raw bytes in each mode, and its system parts.
softsystem_fakes = tests/fakes/soft_machine.c tests/fakes/soft_machine.h
check_PROGRAMS += tests/fuzz/fuzz_soft
TESTS += tests/fuzz/fuzz_soft
EXTRA_DIST += tests/fuzz/corpus/soft
tests_fuzz_fuzz_soft_SOURCES = tests/fuzz/fuzz_soft.c tests/fuzz/driver.c $(softsystem_fakes)
tests_fuzz_fuzz_soft_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS)
