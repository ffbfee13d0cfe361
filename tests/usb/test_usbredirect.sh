#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A stock usbredirect, with a stock libusb and the scripted device behind it, as the peer.
if ! command -v usbredirect >/dev/null || [ ! -x tests/usb/fuse_usbfs ]; then
    echo "skipped: needs usbredirect and the tests of tests/usb/test_host.sh" >&2
    exit 77
fi
exec tests/usb/fuse_usbfs tests/usb/test_redir usbredirect
