#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The init of Linux guests under test: a shell on the console, where "stress COUNT" runs stress.sh
# so many times at once.
/bin/busybox mkdir -p /bin /sbin /usr/bin /usr/sbin /proc /sys /dev /tmp
/bin/busybox --install -s 2>/dev/null
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev 2>/dev/null

cat >/bin/stress <<'END'
#!/bin/sh
i=0
while [ $i -lt "$1" ]; do
    sh /stress.sh >/tmp/stress-$i 2>/dev/null &
    i=$((i + 1))
done
wait
i=0
while [ $i -lt "$1" ]; do
    sed "s/^/stress $i: /" /tmp/stress-$i
    i=$((i + 1))
done
echo "stress done"
END
chmod +x /bin/stress

echo "init: $(grep -c '^processor' /proc/cpuinfo) processors, $(uname -m)"
exec sh
