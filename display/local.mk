noinst_LIBRARIES += display/libdisplay.a
display_libdisplay_a_SOURCES = \
	display/damage.c display/damage.h \
	display/display.c display/display.h display/display_private.h \
	display/dump.c \
	display/input.h \
	display/png.c display/png.h \
	display/query.c \
	display/scale.c display/scale.h \
	display/surface.c display/surface.h
display_libdisplay_a_CFLAGS = $(AM_CFLAGS) $(VNC_CFLAGS) $(PNG_CFLAGS)
