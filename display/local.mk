noinst_LIBRARIES += display/libdisplay.a
display_libdisplay_a_SOURCES =
display_libdisplay_a_CFLAGS = $(AM_CFLAGS) $(VNC_CFLAGS) $(PNG_CFLAGS)
