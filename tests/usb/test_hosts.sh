#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
exec tests/usb/fuse_usbfs tests/usb/test_hosts
