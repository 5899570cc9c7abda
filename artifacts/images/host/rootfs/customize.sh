#!/bin/sh
# mmdebstrap's customize hook: turns the plain Debian tree $1 into a cluster host.
set -eu
root=$1

in_root() { chroot "$root" "$@"; }

# The seed's user, with the uid that its hosts had.
in_root useradd --uid 1000 --create-home --shell /bin/bash --groups adm,sudo,systemd-journal core
chmod 0440 "$root/etc/sudoers.d/core"
in_root visudo --check --quiet

# Nothing in the image may be the same secret or identity on every host.
rm -f "$root"/etc/ssh/ssh_host_*
: > "$root/etc/machine-id"
mkdir -p "$root/etc/ssh/authorized_keys.d" "$root/var/log/journal" "$root/opt/cluster"

# Docker names the host and its resolver; a Debian mirror is out of reach once the cluster is offline.
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"

# No hardware, no console, no graphical or remembered sessions, no package lists to renew.
in_root systemctl mask --quiet \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    console-getty.service getty.target getty-static.service \
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount \
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    systemd-modules-load.service systemd-udevd.service systemd-udevd-control.socket \
    systemd-udevd-kernel.socket systemd-udev-trigger.service \
    systemd-logind.service systemd-random-seed.service systemd-remount-fs.service \
    systemd-hwdb-update.service systemd-journal-catalog-update.service ldconfig.service \
    systemd-firstboot.service systemd-machine-id-commit.service \
    systemd-ask-password-console.path systemd-ask-password-wall.path
in_root systemctl set-default --quiet multi-user.target
