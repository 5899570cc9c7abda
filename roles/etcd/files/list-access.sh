#!/bin/sh
# Prints etcd's users, roles and permissions as the etcdctl commands that make them, so that they can be compared with the
# declared ones. Usage: list-access.sh ETCDCTL [OPTION …]
set -eu
[ -x "$1" ] || exit 0 # before the first run there is nothing

"$@" user list | while read -r user; do
    echo "user add $user --no-password"
    "$@" user get "$user" | sed -n 's/^Roles://p' | tr ' ' '\n' | sed -n "s/^./user grant-role $user &/p"
done
"$@" role list | grep -v '^root$' | while read -r role; do
    echo "role add $role"
    # "KV Read:" and "KV Write:" head lines with a key, "[key, end)" or "[key, end) (prefix key)".
    "$@" role get "$role" | awk -v role="$role" '
        /^KV /  { read = /Read/ }
        /^\t/   { sub(/^\t/, ""); if (read) reads[$0]; else writes[$0]; keys[$0] }
        END {
            for (key in keys) {
                kind = (key in reads ? "read" : "") (key in writes ? "write" : "")
                option = ""; range = key
                if (sub(/^.*\(prefix /, "", range)) { option = "--prefix=true "; sub(/\)$/, "", range) }
                else if (sub(/^\[/, "", range)) { sub(/, /, " ", range); sub(/\).*$/, "", range) }
                print "role grant-permission " role " " option kind " " range
            }
        }'
done
"$@" auth status | sed -n 's/^Authentication Status: true/auth enable/p'
