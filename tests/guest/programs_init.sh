#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The init of a Linux guest that runs the work on its first disk, with the programs there.
. /setup.sh
mkdir /root
tries=0
until [ -b /dev/sda ] || [ $tries = 60 ]; do
    sleep 1
    tries=$((tries + 1))
done
mount -t ext4 /dev/sda /root
mount -t devtmpfs dev /root/dev
mount -t proc proc /root/proc
PATH=/usr/bin:/bin chroot /root bash -c 'cd /programs && bash programs.sh' >/results
sed 's/^/result: /' /results
umount /root/proc /root/dev && umount /root && echo "end: clean"
poweroff -f
