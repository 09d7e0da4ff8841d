#!/bin/bash
# Becomes process 1 of a Debian: init.sh ROOT, in namespaces of its own (boot_root in root.sh). What systemd
# expects of who starts it is in https://systemd.io/CONTAINER_INTERFACE.
set -e
mount --make-rprivate /
mount --bind "$1" "$1" # without what this machine has mounted in it
cd "$1"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys # read-only: so it looks for no devices
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
for folder in run dev tmp; do
    mount -t tmpfs -o mode=755,nosuid tmpfs $folder
done
chmod 1777 tmp
for device in null zero full random urandom tty; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
hostname larder-test
pivot_root . mnt
exec env -i container=larder PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    chroot . /bin/sh -c 'umount --lazy /mnt && exec /lib/systemd/systemd'
