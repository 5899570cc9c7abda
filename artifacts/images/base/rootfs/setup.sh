# mmdebstrap's setup hook: one /usr, as in an installed Debian.
set -eu
for directory in bin sbin lib lib64; do
    mkdir -p "$1/usr/$directory"
    ln -s "usr/$directory" "$1/$directory"
done
