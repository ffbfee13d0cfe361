include $(top_srcdir)/ui/tui/local.mk

# The command line: a library, so that tests link it too; vmdesk is only its main().
noinst_LIBRARIES += ui/libui.a
ui_libui_a_SOURCES = \
	ui/completion.c \
	ui/console.c ui/console.h \
	ui/console_keys.c ui/console_keys.h \
	ui/console_serial.c \
	ui/console_text.c \
	ui/disk_live.c ui/disk_live.h \
	ui/disk_place.c ui/disk_place.h \
	ui/disk_progress.c \
	ui/disk_snapshots.c ui/disk_snapshots.h \
	ui/disk_verbs.c ui/disk_verbs.h \
	ui/key_events.c ui/key_events.h \
	ui/output.c ui/output.h \
	ui/raw_terminal.c ui/raw_terminal.h \
	ui/remote.c ui/remote.h \
	ui/screen_text.c ui/screen_text.h \
	ui/verb_change.c \
	ui/verb_create.c \
	ui/verb_disk_bench.c \
	ui/verb_disk_change.c \
	ui/verb_disk_check.c \
	ui/verb_disk_info.c \
	ui/verb_disk_make.c \
	ui/verb_disk_snapshot.c \
	ui/verb_list.c \
	ui/verb_log.c \
	ui/verb_media.c \
	ui/verb_power.c \
	ui/verb_screen.c \
	ui/verb_show.c \
	ui/verb_table.c \
	ui/verb_tui.c \
	ui/verb_type.c \
	ui/verb_usb.c \
	ui/new_disk.c ui/new_disk.h \
	ui/verb_usb_rule.c \
	ui/verbs.c ui/verbs.h

bin_PROGRAMS += vmdesk
vmdesk_SOURCES = ui/main.c
UI_LIBS = ui/libui.a ui/tui/libtui.a usb/libvmusb.a disks/libdisks.a core/libcore.a \
	$(TUI_LIBS) $(DISK_LIBS) $(USB_LIBS) $(JANSSON_LIBS) $(GLIB_LIBS) -lm
vmdesk_LDADD = $(UI_LIBS)

bashcompletiondir = $(datadir)/bash-completion/completions
nodist_bashcompletion_DATA = ui/completion/vmdesk
CLEANFILES += ui/completion/vmdesk
ui/completion/vmdesk: vmdesk$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && ./vmdesk$(EXEEXT) completion >$@.tmp && mv $@.tmp $@
