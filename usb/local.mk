noinst_LIBRARIES += usb/libvmusb.a
usb_libvmusb_a_SOURCES = \
	usb/descriptors.c usb/descriptors.h \
	usb/emulated.c usb/emulated.h \
	usb/hid.c usb/hid.h \
	usb/host_list.c usb/host_list.h \
	usb/ids.h \
	usb/standard.c usb/standard.h \
	usb/tablet.c usb/tablet.h \
	usb/usb.c usb/usb.h \
	usb/wake.c usb/wake.h
usb_libvmusb_a_CFLAGS = $(AM_CFLAGS) $(USB_CFLAGS)
