#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The init of a Linux guest that runs the work on its first disk, with the programs there.
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
    insmod "/modules/$module.ko"
done </modules/order
tries=0
until [ -b /dev/sda ] || [ $tries = 60 ]; do
    sleep 1
    tries=$((tries + 1))
done
mount -t ext4 /dev/sda /root
mount -t devtmpfs dev /root/dev
mount -t proc proc /root/proc
PATH=/usr/bin:/bin chroot /root bash -c 'cd /work && bash programs.sh' >/results
sed 's/^/result: /' /results
umount /root/proc /root/dev && umount /root && echo "end: clean"
poweroff -f
