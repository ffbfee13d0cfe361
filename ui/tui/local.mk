# The terminal interface: the only code that includes curses.
noinst_LIBRARIES += ui/tui/libtui.a
ui_tui_libtui_a_SOURCES = \
	ui/tui/actions.c \
	ui/tui/console.c \
	ui/tui/curses.h \
	ui/tui/dialog.c \
	ui/tui/disc_picker.c \
	ui/tui/disk_actions.c ui/tui/disk_actions.h \
	ui/tui/disk_work.c ui/tui/disk_work.h \
	ui/tui/disks.c \
	ui/tui/draw.c \
	ui/tui/feed.c ui/tui/feed.h \
	ui/tui/field.c ui/tui/field.h \
	ui/tui/file_watch.c ui/tui/file_watch.h \
	ui/tui/form.c \
	ui/tui/guest_screen.c ui/tui/guest_screen.h \
	ui/tui/keymap.c ui/tui/keymap.h \
	ui/tui/list.c ui/tui/list.h \
	ui/tui/log_view.c \
	ui/tui/main_screen.c \
	ui/tui/model.c ui/tui/model.h \
	ui/tui/overview.c \
	ui/tui/picker.c \
	ui/tui/picture.c ui/tui/picture.h \
	ui/tui/serial.c ui/tui/serial.h \
	ui/tui/settings.c \
	ui/tui/tab.h \
	ui/tui/term.c ui/tui/term.h \
	ui/tui/theme.c ui/tui/theme.h \
	ui/tui/tui.c ui/tui/tui.h \
	ui/tui/ui.h \
	ui/tui/usb.c \
	ui/tui/vm.c \
	ui/tui/widgets.c
ui_tui_libtui_a_CFLAGS = $(AM_CFLAGS) $(NCURSES_CFLAGS) $(VTERM_CFLAGS)
TUI_LIBS = $(NCURSES_LIBS) $(VTERM_LIBS)
