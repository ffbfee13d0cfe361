#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What test_host.sh does, as an ordinary user.
if [ ! -x tests/usb/umockdev_usbfs ] || [ ! -x tests/usb/test_host ]; then
    echo "skipped: needs umockdev and the tests of tests/usb/test_host.sh" >&2
    exit 77
fi
exec tests/usb/umockdev_usbfs tests/usb/test_host
