# mmdebstrap's extract hook: packages are unpacked in $1 but none is configured, which is all that Python needs.
set -eu
root=$1

# Out goes what manages packages, and what only a person at a terminal or a developer of Python reads.
rm -rf "$root"/usr/share/doc "$root"/usr/share/info "$root"/usr/share/locale "$root"/usr/share/man \
    "$root"/usr/share/lintian "$root"/usr/share/perl5 "$root"/usr/share/debconf "$root"/usr/share/dpkg \
    "$root"/usr/share/initramfs-tools "$root"/usr/share/bug "$root"/etc/cron.daily "$root"/etc/logrotate.d \
    "$root"/etc/dpkg "$root"/var/lib/dpkg/info "$root"/usr/lib/x86_64-linux-gnu/gconv
rm -f "$root"/usr/bin/debconf* "$root"/usr/bin/dpkg* "$root"/usr/bin/update-alternatives "$root"/usr/bin/tar \
    "$root"/usr/bin/mawk "$root"/usr/bin/py3* "$root"/usr/sbin/*
for module in idlelib lib2to3 pydoc_data tkinter turtledemo; do
    rm -rf "${root:?}/usr/lib/python3.11/$module"
done

# What mmdebstrap took from this machine.
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
: > "$root/etc/apt/sources.list"

# What base-passwd would do when it is configured.
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
echo 'inaetics:x:10001:10001::/opt/inaetics:/bin/sh' >> "$root/etc/passwd"
echo 'inaetics:x:10001:' >> "$root/etc/group"
mkdir -p "$root/opt/inaetics"

# A shell and the usual commands: liveness probes call them, and a person in `kubectl exec`.
chroot "$root" /bin/busybox --install -s /bin

# Containers have a read-only root, so whatever is not compiled here is compiled at every start.
chroot "$root" /usr/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.11
