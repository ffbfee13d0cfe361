noinst_LIBRARIES += usb/libvmusb.a
usb_libvmusb_a_SOURCES = \
	usb/descriptors.c usb/descriptors.h \
	usb/device_info.c usb/device_info.h \
	usb/emulated.c usb/emulated.h \
	usb/hid.c usb/hid.h \
	usb/host_broker.c usb/host_broker.h \
	usb/host_claim.c usb/host_claim.h \
	usb/host_context.c usb/host_context.h \
	usb/host_device.c usb/host_device.h \
	usb/host_internal.h \
	usb/host_list.c usb/host_list.h \
	usb/host_mounts.c usb/host_mounts.h \
	usb/host_setup.c \
	usb/host_transfer.c \
	usb/host_watch.c usb/host_watch.h \
	usb/hosts.c usb/hosts.h \
	usb/hosts_internal.h \
	usb/hosts_redir.c \
	usb/hosts_rules.c \
	usb/hub.c usb/hub.h \
	usb/hub_port.c usb/hub_port.h \
	usb/ids.h \
	usb/keyboard.c usb/keyboard.h \
	usb/keyboard_usages.c usb/keyboard_usages.h \
	usb/ports.c usb/ports.h \
	usb/redir_connect.c usb/redir_connect.h \
	usb/redir_device.c usb/redir_device.h \
	usb/redir_internal.h \
	usb/redir_receive.c \
	usb/redir_send.c \
	usb/scsi.h \
	usb/scsi_cd.c \
	usb/scsi_disk.c usb/scsi_disk.h \
	usb/scsi_erase.c \
	usb/scsi_inquiry.c \
	usb/scsi_internal.h \
	usb/scsi_media.c \
	usb/scsi_mode.c \
	usb/serial.c usb/serial.h \
	usb/standard.c usb/standard.h \
	usb/storage.c usb/storage.h \
	usb/storage_bot.c \
	usb/storage_internal.h \
	usb/storage_uas.c \
	usb/tablet.c usb/tablet.h \
	usb/udev_rule.c usb/udev_rule.h \
	usb/usb.c usb/usb.h \
	usb/wake.c usb/wake.h
usb_libvmusb_a_CFLAGS = $(AM_CFLAGS) $(USB_CFLAGS) $(USBREDIR_CFLAGS)



# Opens devices for engines: nothing else.
pkglibexec_PROGRAMS += vmdesk-usb-broker
vmdesk_usb_broker_SOURCES = usb/broker_main.c usb/host_broker.h
vmdesk_usb_broker_CFLAGS = $(AM_CFLAGS)
