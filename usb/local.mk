noinst_LIBRARIES += usb/libvmusb.a
usb_libvmusb_a_SOURCES = \
	usb/ports.c usb/ports.h \
	usb/usb.c usb/usb.h \
	usb/emulated/descriptors.c usb/emulated/descriptors.h \
	usb/emulated/emulated.c usb/emulated/emulated.h \
	usb/emulated/hid.c usb/emulated/hid.h \
	usb/emulated/hub.c usb/emulated/hub.h \
	usb/emulated/hub_port.c usb/emulated/hub_port.h \
	usb/emulated/ids.h \
	usb/emulated/keyboard.c usb/emulated/keyboard.h \
	usb/emulated/keyboard_usages.c usb/emulated/keyboard_usages.h \
	usb/emulated/scsi.h \
	usb/emulated/scsi_cd.c \
	usb/emulated/scsi_disk.c usb/emulated/scsi_disk.h \
	usb/emulated/scsi_erase.c \
	usb/emulated/scsi_inquiry.c \
	usb/emulated/scsi_internal.h \
	usb/emulated/scsi_media.c \
	usb/emulated/scsi_mode.c \
	usb/emulated/serial.c usb/emulated/serial.h \
	usb/emulated/standard.c usb/emulated/standard.h \
	usb/emulated/storage.c usb/emulated/storage.h \
	usb/emulated/storage_bot.c \
	usb/emulated/storage_internal.h \
	usb/emulated/storage_uas.c \
	usb/emulated/tablet.c usb/emulated/tablet.h \
	usb/emulated/wake.c usb/emulated/wake.h \
	usb/host/broker.c usb/host/broker.h \
	usb/host/claim.c usb/host/claim.h \
	usb/host/context.c usb/host/context.h \
	usb/host/device.c usb/host/device.h \
	usb/host/device_info.c usb/host/device_info.h \
	usb/host/hosts.c usb/host/hosts.h \
	usb/host/hosts_internal.h \
	usb/host/hosts_redir.c \
	usb/host/hosts_rules.c \
	usb/host/internal.h \
	usb/host/list.c usb/host/list.h \
	usb/host/mounts.c usb/host/mounts.h \
	usb/host/setup.c \
	usb/host/transfer.c \
	usb/host/udev_rule.c usb/host/udev_rule.h \
	usb/host/watch.c usb/host/watch.h \
	usb/redir/connect.c usb/redir/connect.h \
	usb/redir/internal.h \
	usb/redir/listen.c usb/redir/listen.h \
	usb/redir/receive.c \
	usb/redir/redir.c usb/redir/redir.h \
	usb/redir/send.c
usb_libvmusb_a_CFLAGS = $(AM_CFLAGS) $(USB_CFLAGS) $(USBREDIR_CFLAGS)

# Opens devices for engines: nothing else.
pkglibexec_PROGRAMS += vmdesk-usb-broker
vmdesk_usb_broker_SOURCES = usb/host/broker_main.c usb/host/broker.h
vmdesk_usb_broker_CFLAGS = $(AM_CFLAGS)
