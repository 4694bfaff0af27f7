# shellcheck shell=sh
# What deploy/run.sh and tests/run.sh share: Debian's packages, the build folders. Sourced, in the project's
# folder; says what it does on stderr.

# shellcheck disable=SC2034 # used where this is sourced
BUILD_PACKAGES="gcc libc6-dev meson ninja-build pkg-config python3 libevent-dev libevhtp-dev libssl-dev libyajl-dev libconfig-dev libsystemd-dev zlib1g-dev libncurses-dev"

say()
{
	echo "$0: $*" >&2
}

die()
{
	say "$*"
	exit 1
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "not root and no sudo: cannot run: $*"
	fi
}

missing_packages()
{
	for package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || printf ' %s' "$package"
	done
}

# install_packages NAME…: asks apt only for what dpkg does not know as installed.
install_packages()
{
	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	say "installing:$missing"
	as_root apt-get update -q >&2 || say "apt-get update failed; trying with the lists that are there"
	# nginx and HAProxy are compared with, not served by: their packages must not start services (policy-rc.d is Debian's way to say so)
	quiet=
	code=0
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		quiet=yes
		printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
		as_root chmod 755 /usr/sbin/policy-rc.d
	fi
	# shellcheck disable=SC2086 # one word for each package
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >&2 || code=$?
	[ -z "$quiet" ] || as_root rm -f /usr/sbin/policy-rc.d
	[ "$code" -eq 0 ] || die "apt-get could not install:$missing"
}

# configure FOLDER ARGUMENTS…: once; later runs keep the folder and let ninja see what changed.
configure()
{
	folder=$1
	shift
	[ ! -f "$folder/build.ninja" ] || return 0
	meson setup "$folder" "$@"
}
