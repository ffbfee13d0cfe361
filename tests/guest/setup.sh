# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What the inits of Linux guests begin with: commands, file systems of the kernel, drivers.
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
    insmod "/modules/$module.ko"
done </modules/order
