noinst_LIBRARIES += usb/libvmusb.a
usb_libvmusb_a_SOURCES =
usb_libvmusb_a_CFLAGS = $(AM_CFLAGS) $(USB_CFLAGS)
