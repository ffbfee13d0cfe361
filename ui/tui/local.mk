# The terminal interface: the only code that includes curses.
noinst_LIBRARIES += ui/tui/libtui.a
ui_tui_libtui_a_SOURCES = \
	ui/tui/tui.h
ui_tui_libtui_a_CFLAGS = $(AM_CFLAGS) $(NCURSES_CFLAGS) $(VTERM_CFLAGS)
TUI_LIBS = $(NCURSES_LIBS) $(VTERM_LIBS)
