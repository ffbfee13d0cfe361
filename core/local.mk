noinst_LIBRARIES += core/libcore.a
core_libcore_a_SOURCES = \
	core/error.c core/error.h \
	core/log.c core/log.h
