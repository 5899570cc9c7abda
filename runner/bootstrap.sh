#!/usr/bin/env bash
# What the runner itself needs: system packages, Docker running, the virtual environment. Only what is missing is
# installed, so that a second call takes a fraction of a second. Debian 12 and its like; no systemd is needed.
#
#   runner/bootstrap.sh [test] [-- COMMAND ARGUMENT...]
#
# With `test`, also what `make test` needs. COMMAND is run when all is there, as a member of the group docker
# even when this session began before the user became one.
set -euo pipefail

# What a person has exported for other work; CDPATH would lead elsewhere.
export LC_ALL=C.UTF-8 PIP_USER=0
unset CDPATH APT_CONFIG "${!PYTHON@}"
for name in "${!DOCKER_@}" "${!PIP_@}"; do
    case $name in
        DOCKER_HOST | DOCKER_CONTEXT | DOCKER_CONFIG | DOCKER_TLS_VERIFY | DOCKER_CERT_PATH) ;;
        PIP_USER | PIP_*URL | PIP_FIND_LINKS | PIP_TRUSTED_HOST | PIP_PROXY | PIP_*CERT) ;;
        PIP_DEFAULT_TIMEOUT | PIP_CACHE_DIR | PIP_CONFIG_FILE) ;;
        *) unset "$name" ;;
    esac
done
umask 022
cd "$(dirname "$0")/.."

# A person's PATH has no sbin, where dockerd and iptables are.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export DEBIAN_FRONTEND=noninteractive

# Docker's own default, 172.17.0.0/16, would contain the hosts' network.
readonly DOCKER_BRIDGE=172.31.255.1/24
readonly DOCKER_LOG=/var/log/docker.log
readonly DOCKER_PID=/var/run/docker.pid
readonly DOCKER_START_SECONDS=30
readonly SERVICE_POLICY=/usr/sbin/policy-rc.d
readonly STAMP=.venv/installed

say() { printf 'bootstrap: %s\n' "$*"; }

fail() {
    printf 'bootstrap: %s\n' "$@" >&2
    exit 4 # the runner's exit code for a machine that lacks something
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo --preserve-env=DEBIAN_FRONTEND "$@"
    else
        fail "this needs root, and there is no sudo: $*"
    fi
}

# System packages -----------------------------------------------------------------------------------------------

missing=()

# needs PACKAGE TEST...: the package is missing when the test fails.
needs() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

# A Python that is new enough and can make virtual environments; the first on the PATH may be somebody's own.
suitable_python() {
    local python
    for python in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

# The documents say `python -m runner`, which continues in .venv by itself, so the command has to be there without it.
python_outside_environment() { PATH=${PATH//"$PWD/.venv/bin:"/} command -v python; }

find_missing_packages() {
    needs docker.io command -v dockerd
    needs iptables command -v iptables
    needs iproute2 command -v ip
    needs openssh-client command -v ssh-keygen
    needs vagrant command -v vagrant
    # The images of hosts and pods
    needs mmdebstrap command -v mmdebstrap
    needs debian-archive-keyring test -e /usr/share/keyrings/debian-archive-keyring.gpg
    [ "$(id -u)" -eq 0 ] || needs uidmap command -v newuidmap
    # The binaries that are built with C
    needs gcc command -v gcc
    needs libc6-dev test -e /usr/include/stdio.h
    needs pkg-config command -v pkg-config
    needs libseccomp-dev pkg-config --exists libseccomp
    [ -x .venv/bin/python ] || needs python3-venv suitable_python
    ! command -v apt-get >/dev/null || needs python-is-python3 python_outside_environment
    # Where the kernel has AppArmor, Docker starts no container without its tools.
    if grep -qs Y /sys/module/apparmor/parameters/enabled; then
        needs apparmor command -v apparmor_parser
    fi
    [ "$purpose" != test ] || needs chromium command -v chromium
}

# Without systemd Debian's init script of Docker fails, and the installation with it; Docker is started later.
keep_services_off() {
    [ ! -d /run/systemd/system ] && [ ! -e "$SERVICE_POLICY" ] || return 0
    trap 'as_root rm -f "$SERVICE_POLICY"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$SERVICE_POLICY" >/dev/null
    as_root chmod +x "$SERVICE_POLICY"
}

install_packages() {
    command -v apt-get >/dev/null || fail "these Debian packages, or what they are called here, are missing: ${missing[*]}"
    local started=$SECONDS log
    log=$(mktemp)
    say "installing by apt (a few minutes): ${missing[*]}"
    # In a shell of its own, so that its trap ends with it
    if ! (
        keep_services_off
        as_root apt-get -q update &&
            as_root apt-get -q -y --no-install-recommends install "${missing[@]}" &&
            # Debian 13 has the client in a package of its own.
            { command -v docker || as_root apt-get -q -y --no-install-recommends install docker-cli; }
    ) >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "apt-get failed; its whole output is in $log"
    fi
    rm -f "$log"
    say "packages installed in $((SECONDS - started)) s"
}

# Docker --------------------------------------------------------------------------------------------------------

docker_answers() { docker version >/dev/null 2>&1; }

# Before Docker's first start nobody depends on its bridge; later it is the doctor's to say what to do.
choose_docker_bridge() {
    [ ! -e /etc/docker/daemon.json ] || return 0
    as_root mkdir -p /etc/docker
    printf '{\n  "bip": "%s"\n}\n' "$DOCKER_BRIDGE" | as_root tee /etc/docker/daemon.json >/dev/null
    say "wrote /etc/docker/daemon.json: Docker's bridge is $DOCKER_BRIDGE, apart from the hosts' network"
}

# A pid file outlives a machine that was switched off; its number may be somebody else's by now.
forget_stale_pids() {
    local file
    for file in "$DOCKER_PID" /var/run/docker/containerd/containerd.pid; do
        # A process that died but was not waited for has a number still, and no program.
        case $(as_root readlink "/proc/$(as_root cat "$file" 2>/dev/null)/exe") in
            */dockerd | */containerd) ;;
            *) as_root rm -f "$file" ;;
        esac
    done
}

start_docker() {
    if [ -d /run/systemd/system ]; then
        say "starting Docker by systemd"
        as_root systemctl start docker
    else
        say "starting dockerd (no systemd here); its log is $DOCKER_LOG, its pid is in $DOCKER_PID"
        forget_stale_pids
        # shellcheck disable=SC2016 # the inner shell is to expand them
        as_root setsid --fork sh -c 'exec dockerd --pidfile "$1" </dev/null >>"$2" 2>&1' dockerd "$DOCKER_PID" "$DOCKER_LOG"
    fi
    local deadline=$((SECONDS + DOCKER_START_SECONDS))
    until as_root docker version >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "Docker does not answer after $DOCKER_START_SECONDS s: see $DOCKER_LOG or journalctl -u docker"
        sleep 0.2
    done
}

ensure_docker() {
    docker_answers && return
    [ -z "${DOCKER_HOST:-}${DOCKER_CONTEXT:-}" ] ||
        fail "no Docker answers at DOCKER_HOST=${DOCKER_HOST:-} DOCKER_CONTEXT=${DOCKER_CONTEXT:-}: start it, or unset these variables"
    if ! as_root docker version >/dev/null 2>&1; then
        choose_docker_bridge
        start_docker
    fi
    docker_answers && return
    local user
    user=$(id -un)
    if ! id -nG "$user" | grep -qw docker; then
        as_root usermod --append --groups docker "$user"
        say "added $user to the group docker, which your next login knows; until then \`sg docker\` stands in"
    fi
}

# Virtual environment -------------------------------------------------------------------------------------------

ensure_environment() {
    case $PWD in
        *:*) fail "no virtual environment can be in a directory with a colon in its name: move this checkout from $PWD" ;;
    esac
    local lock=requirements.lock sum started=$SECONDS
    [ "$purpose" != test ] || lock=requirements-test.lock
    sum=$(sha256sum "$lock")
    if .venv/bin/python -c '' 2>/dev/null && grep -qxsF "$sum" "$STAMP"; then
        return
    fi
    say "installing $(grep -c '^[a-z].*==' "$lock") Python packages into .venv (about half a minute)"
    if ! .venv/bin/python -c '' 2>/dev/null; then
        local python
        python=$(suitable_python) || fail "Python 3.11 or newer, with its module venv, is needed"
        "$python" -m venv --clear .venv
    fi
    rm -f "$STAMP"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock"
    # requirements-test.lock holds all of requirements.lock
    sha256sum requirements.lock >"$STAMP"
    [ "$purpose" != test ] || echo "$sum" >>"$STAMP"
    say "virtual environment ready in $((SECONDS - started)) s"
}

purpose=run
if [ "${1:-}" = test ]; then
    purpose="test"
    shift
fi
[ "${1:---}" = -- ] || fail "unknown argument: $1"

find_missing_packages
if [ ${#missing[@]} -gt 0 ]; then
    command -v dockerd >/dev/null || choose_docker_bridge
    install_packages
fi
ensure_docker
ensure_environment

if [ $# -gt 1 ]; then
    shift
    # testinfra and ansible-runner call Ansible's programs by name.
    export PATH="$PWD/.venv/bin:$PATH"
    docker_answers || exec sg docker -c "$(printf '%q ' "$@")"
    exec "$@"
fi
