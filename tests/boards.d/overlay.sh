#!/usr/bin/env bash
# Runs a script in a copy of this machine's root file system, an overlay that goes with it. For a mount namespace of its own.
#
# Usage: overlay.sh chroot|systemd SHARE SCRIPT
#
# SHARE, a folder, is /mnt there; SCRIPT is a file in it. `chroot` runs the script, with all that the copy differs in under
# /tmp/changes. `systemd` starts systemd, which runs the script as a service of its own and ends with it; that wants namespaces for processes,
# cgroups and the network, too.

set -euo pipefail
mode=$1 share=$(realpath "$2") script=$3
path=/usr/sbin:/usr/bin:/sbin:/bin
work=$(mktemp -d)
mount -t tmpfs tmpfs "$work"
cd "$work"
mkdir changes work root
mount -t overlay overlay -o lowerdir=/,upperdir=changes,workdir=work root
mount -t tmpfs tmpfs root/run
mount -t tmpfs tmpfs root/tmp
mount --bind "$share" root/mnt

if [ "$mode" = chroot ]; then
    mount --bind /proc root/proc
    mount --bind /dev root/dev
    mkdir root/tmp/changes
    mount --bind changes root/tmp/changes
    chroot root env -i PATH=$path LC_ALL=C.UTF-8 bash "/mnt/$script"
    exit
fi

mount -t proc proc root/proc
mount --bind -o ro root/proc/sys root/proc/sys
mount -t sysfs -o ro sysfs root/sys
# As this machine has them: one hierarchy, or the old ones, of which systemd wants its own.
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then
    mount -t cgroup2 cgroup root/sys/fs/cgroup
else
    mount -t tmpfs -o mode=755 cgroup root/sys/fs/cgroup
    mkdir root/sys/fs/cgroup/systemd root/sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup root/sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup root/sys/fs/cgroup/unified
fi
mount -t tmpfs -o mode=755 dev root/dev
mkdir root/dev/pts root/dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts root/dev/pts
ln -s pts/ptmx root/dev/ptmx
node() { mknod -m 666 "root/dev/$1" c "$2" "$3"; }
node null 1 3; node zero 1 5; node full 1 7; node random 1 8; node urandom 1 9; node tty 5 0
ip link set lo up
# Nothing of the machine below is to be touched, and nothing of it started but what every service wants.
: >root/etc/fstab
# Build machines have one, so that packages start nothing; here they shall.
rm -f root/usr/sbin/policy-rc.d
for unit in systemd-udevd systemd-udev-trigger systemd-modules-load systemd-sysctl systemd-random-seed systemd-binfmt systemd-remount-fs; do
    ln -sf /dev/null "root/etc/systemd/system/$unit.service"
done
cat >root/etc/systemd/system/postern-test.service <<END
[Service]
ExecStart=/bin/bash /mnt/$script
ExecStopPost=/bin/systemctl poweroff --force --force
END
cd root
mkdir .below
pivot_root . .below
umount -l .below
rmdir .below
exec env -i PATH=$path container=other /lib/systemd/systemd --system --unit=postern-test.service --show-status=0 --log-target=journal-or-kmsg
