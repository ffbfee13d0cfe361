include $(top_srcdir)/ui/tui/local.mk

# The command line: a library, so that tests link it too; vmdesk is only its main().
noinst_LIBRARIES += ui/libui.a
ui_libui_a_SOURCES = \
	ui/console_keys.c ui/console_keys.h \
	ui/key_events.c ui/key_events.h \
	ui/output.c ui/output.h \
	ui/raw_terminal.c ui/raw_terminal.h \
	ui/remote.c ui/remote.h \
	ui/screen_text.c ui/screen_text.h
