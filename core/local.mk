noinst_LIBRARIES += core/libcore.a
core_libcore_a_SOURCES = \
	core/config.h \
	core/discs.h \
	core/error.c core/error.h \
	core/launch.h \
	core/log.c core/log.h \
	core/paths.h \
	core/store.h \
	core/text.h
