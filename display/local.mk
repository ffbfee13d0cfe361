noinst_LIBRARIES += display/libdisplay.a
display_libdisplay_a_SOURCES = \
	display/byte_queue.c display/byte_queue.h \
	display/damage.c display/damage.h \
	display/display.c display/display.h display/display_private.h \
	display/dump.c \
	display/input.h \
	display/keyboard.c display/keyboard.h \
	display/keymap.c display/keymap.h \
	display/keymap_layouts.c display/keymap_layouts.h \
	display/png.c display/png.h \
	display/query.c \
	display/scale.c display/scale.h \
	display/surface.c display/surface.h \
	display/vnc.c display/vnc.h \
	display/vnc_bridge.c display/vnc_bridge.h \
	display/vnc_handshake.c display/vnc_handshake.h \
	display/vnc_library.c display/vnc_library.h \
	display/vnc_link.h \
	display/vnc_listen.c display/vnc_listen.h \
	display/vnc_messages.c display/vnc_messages.h \
	display/vnc_screen.c display/vnc_screen.h \
	display/vnc_viewer.c display/vnc_viewer.h
display_libdisplay_a_CFLAGS = $(AM_CFLAGS) $(VNC_CFLAGS) $(PNG_CFLAGS)
