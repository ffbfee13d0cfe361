#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The init of a Linux guest whose disks are worked with from the shell on its serial port, by the
# numbers of the machine's disks.
. /setup.sh
mkdir /tmp

cat >/bin/disk <<'END'
#!/bin/sh
echo "/dev/$(ls "/sys/bus/scsi/devices/$1:0:0:0/block" 2>/dev/null)"
END

cat >/bin/wait_for_disk <<'END'
#!/bin/sh
tries=0
until [ -b "$(disk "$1")" ] || [ $tries = 60 ]; do
    sleep 1
    tries=$((tries + 1))
done
END

# fill DISK MIB LETTER: writes a MiB there, and does not ask for it to be stable
cat >/bin/fill <<'END'
#!/bin/sh
head -c 1048576 /dev/zero | tr '\0' "$3" >/tmp/fill
dd if=/tmp/fill of="$(disk "$1")" bs=64k seek=$((16 * $2)) conv=notrunc 2>/dev/null &&
    dd if="$(disk "$1")" bs=64k skip=$((16 * $2)) count=16 2>/dev/null | cmp - /tmp/fill &&
    echo "filled: disk$1 $2 $3"
END

# again DISK: lets go of it, and looks for it
cat >/bin/again <<'END'
#!/bin/sh
echo 1 >"/sys/bus/scsi/devices/$1:0:0:0/delete"
echo "- - -" >"/sys/class/scsi_host/host$1/scan"
wait_for_disk "$1"
END

cat >/bin/size <<'END'
#!/bin/sh
name=$(disk "$1")
echo "size: disk$1 $(cat "/sys/block/${name#/dev/}/size") $2"
END
chmod +x /bin/disk /bin/wait_for_disk /bin/fill /bin/again /bin/size

for number in 0 1 2 3; do
    wait_for_disk $number
done
echo "init: $(echo /dev/sd?)"
while :; do
    setsid -c sh </dev/ttyS0 >/dev/ttyS0 2>&1
done
