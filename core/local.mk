noinst_LIBRARIES += core/libcore.a
core_libcore_a_SOURCES = \
	core/client.c core/client.h \
	core/config.c core/config.h \
	core/config_format.c \
	core/config_internal.h \
	core/config_parse.c \
	core/discs.c core/discs.h \
	core/error.c core/error.h \
	core/keys.c core/keys.h \
	core/launch.c core/launch.h \
	core/listener.c core/listener.h \
	core/log.c core/log.h \
	core/paths.c core/paths.h \
	core/peer.c core/peer.h \
	core/protocol.c core/protocol.h \
	core/protocol_schema.c \
	core/store.c core/store.h \
	core/store_create.c \
	core/store_internal.h \
	core/store_lock.c \
	core/store_watch.c \
	core/text.c core/text.h \
	core/usb_rules.c core/usb_rules.h

if TSAN
core_libcore_a_SOURCES += core/tsan_glib.c
endif
