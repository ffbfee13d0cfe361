noinst_LIBRARIES += core/libcore.a
core_libcore_a_SOURCES = \
	core/client.c core/client.h \
	core/config.h \
	core/discs.h \
	core/error.c core/error.h \
	core/keys.c core/keys.h \
	core/launch.h \
	core/log.c core/log.h \
	core/paths.h \
	core/protocol.c core/protocol.h \
	core/protocol_schema.c \
	core/store.h \
	core/text.h
