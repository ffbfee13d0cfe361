noinst_LIBRARIES += core/libcore.a
core_libcore_a_SOURCES = \
	core/client.c core/client.h \
	core/config.h \
	core/discs.h \
	core/error.c core/error.h \
	core/keys.c core/keys.h \
	core/launch.h \
	core/listener.c core/listener.h \
	core/log.c core/log.h \
	core/paths.h \
	core/peer.c core/peer.h \
	core/protocol.c core/protocol.h \
	core/protocol_schema.c \
	core/store.h \
	core/text.h

if TSAN
core_libcore_a_SOURCES += core/tsan_glib.c
endif
