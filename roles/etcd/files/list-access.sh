#!/bin/sh
# Prints etcd's users, roles and permissions as the etcdctl commands that make them, so that they can be compared with the
# declared ones. Usage: list-access.sh ETCDCTL [OPTION ...]
set -eu
# Before the first run there is nothing.
[ -x "$1" ] && systemctl is-active --quiet etcd || exit 0

users=$("$@" user list)
roles=$("$@" role list)
for user in $users; do
    echo "user add $user --no-password"
    granted=$("$@" user get "$user")
    for role in $(echo "$granted" | sed -n 's/^Roles://p'); do
        echo "user grant-role $user $role"
    done
done
for role in $roles; do
    [ "$role" != root ] || continue
    echo "role add $role"
    permissions=$("$@" role get "$role")
    # "KV Read:" and "KV Write:" head lines with a key, "[key, end)" or "[key, end) (prefix key)".
    echo "$permissions" | awk -v role="$role" '
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
status=$("$@" auth status)
echo "$status" | sed -n 's/^Authentication Status: true/auth enable/p'
