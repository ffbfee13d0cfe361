# The interrupt controllers and timers of the software CPU
softirq_test_libs = engine/libengine.a core/libcore.a $(GLIB_LIBS)
softirq_test_fakes = tests/fakes/fake_board.c tests/fakes/fake_board.h \
	tests/fakes/irq_machine.c tests/fakes/irq_machine.h
if HAVE_CHECK
check_PROGRAMS += tests/unit/test_soft_pic
TESTS += tests/unit/test_soft_pic
tests_unit_test_soft_pic_SOURCES = tests/unit/test_soft_pic.c $(softirq_test_fakes)
tests_unit_test_soft_pic_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_pic_LDADD = $(softirq_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_soft_ioapic
TESTS += tests/unit/test_soft_ioapic
tests_unit_test_soft_ioapic_SOURCES = tests/unit/test_soft_ioapic.c $(softirq_test_fakes)
tests_unit_test_soft_ioapic_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_ioapic_LDADD = $(softirq_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_soft_pit
TESTS += tests/unit/test_soft_pit
tests_unit_test_soft_pit_SOURCES = tests/unit/test_soft_pit.c $(softirq_test_fakes)
tests_unit_test_soft_pit_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_pit_LDADD = $(softirq_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_soft_lapic
TESTS += tests/unit/test_soft_lapic
tests_unit_test_soft_lapic_SOURCES = tests/unit/test_soft_lapic.c $(softirq_test_fakes)
tests_unit_test_soft_lapic_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_lapic_LDADD = $(softirq_test_libs) $(CHECK_LIBS)
check_PROGRAMS += tests/unit/test_soft_ipi
TESTS += tests/unit/test_soft_ipi
tests_unit_test_soft_ipi_SOURCES = tests/unit/test_soft_ipi.c
tests_unit_test_soft_ipi_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_soft_ipi_LDADD = $(softirq_test_libs) $(CHECK_LIBS)
endif
check_PROGRAMS += tests/fuzz/fuzz_soft_irqchip
TESTS += tests/fuzz/fuzz_soft_irqchip
EXTRA_DIST += tests/fuzz/corpus/soft_irqchip
tests_fuzz_fuzz_soft_irqchip_SOURCES = tests/fuzz/fuzz_soft_irqchip.c tests/fuzz/driver.c \
	$(softirq_test_fakes)
tests_fuzz_fuzz_soft_irqchip_LDADD = $(softirq_test_libs)
