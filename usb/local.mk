noinst_LIBRARIES += usb/libvmusb.a
usb_libvmusb_a_SOURCES = \
	usb/host_list.c usb/host_list.h \
	usb/usb.c usb/usb.h
usb_libvmusb_a_CFLAGS = $(AM_CFLAGS) $(USB_CFLAGS)
