# shellcheck shell=sh
# A Debian 12 of its own for run.sh, which sources this: made once by debootstrap from the mirror that apt is configured for
# (MIRROR=URL: another), entered by chroot, or booted by systemd-nspawn in a network of its own. FOLDER and die() are
# run.sh's. $TREE is where it stands.

TREE=$PWD/$FOLDER/debian
TREE_FILE=$FOLDER/bookworm.tar
# Older ones miss security updates, whose packages the mirror has no more.
TREE_DAYS=3
# A boot, a command of apt's, an upgrade: each takes seconds, on a busy machine some more.
PATIENCE_SECONDS=120

mirror()
{
	found=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Codename: bookworm' 'Component: main' | head -n 1)}
	[ -n "$found" ] || die "apt has no mirror of Debian 12: apt-get update, or MIRROR=URL"
	echo "$found"
}

# As minimal as debootstrap makes it.
need_tree()
{
	[ "$(id -u)" -eq 0 ] || die "$step: needs root"
	install_packages debootstrap procps
	[ -z "$(find "$TREE_FILE" -mtime "-$TREE_DAYS" 2>/dev/null)" ] || return 0
	rm -rf "$TREE" "$TREE_FILE"
	timeout 600 debootstrap --variant=minbase bookworm "$TREE" "$(mirror)" >"$FOLDER/debootstrap.log" ||
		{ tail -n 20 "$FOLDER/debootstrap.log" >&2 && die "debootstrap failed"; }
	tar -C "$TREE" --one-file-system -cf "$TREE_FILE.new" .
	mv "$TREE_FILE.new" "$TREE_FILE"
}

unpack_tree()
{
	need_tree
	rm -rf "$TREE"
	mkdir -p "$TREE"
	tar -C "$TREE" -xf "$TREE_FILE"
	cp -L /etc/resolv.conf "$TREE/etc/resolv.conf"
}

inside()
{
	chroot "$TREE" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}

apt_inside()
{
	timeout 300 chroot "$TREE" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C \
		apt-get -q -y --no-install-recommends "$@" >>"$FOLDER/apt.log" 2>&1 ||
		{ tail -n 30 "$FOLDER/apt.log" >&2 && die "apt-get $* failed"; }
}

# until WHAT COMMAND…: polled, PATIENCE_SECONDS long.
until_true()
{
	what=$1
	shift
	tries=0
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt $((PATIENCE_SECONDS * 10)) ] || die "not in $PATIENCE_SECONDS s: $what"
		sleep 0.1
	done
}

# What of ours is left in there; the packages' own lists are apt's and dpkg's.
leftovers()
{
	find "$TREE/etc" "$TREE/usr" "$TREE/lib/systemd" "$TREE/run" "$TREE/var" -name '*shared-ollama*' \
		-not -path '*/apt/*' -not -path '*/dpkg/*' -not -path '*/log/journal/*' | sed "s|^$TREE||"
}

# --- booted ---------------------------------------------------------------------------------------------------------------
nspawn=
leader=

# Its systemd is `leader`; it has a loopback interface and no other.
boot_tree()
{
	systemd-nspawn --quiet --directory="$TREE" --register=no --keep-unit --private-network --console=pipe --boot \
		</dev/null >"$FOLDER/boot.log" 2>&1 &
	nspawn=$!
	until_true "a booted Debian: $FOLDER/boot.log" find_leader
	until_true "systemd is ready" is_booted
}

find_leader()
{
	kill -0 "$nspawn" 2>/dev/null || die "systemd-nspawn ended: $(cat "$FOLDER/boot.log")"
	leader=$(pgrep -P "$nspawn")
}

booted()
{
	nsenter -t "$leader" -m -u -i -n -p -r -w \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}

is_booted()
{
	case $(booted systemctl is-system-running) in
	running | degraded) ;;
	*) return 1 ;;
	esac
}

# Also from a trap: whatever is left is ended.
power_off()
{
	[ -n "$nspawn" ] || return 0
	[ -z "$leader" ] || booted systemctl poweroff >/dev/null 2>&1 || :
	tries=0
	while kill -0 "$nspawn" 2>/dev/null && [ "$tries" -lt 300 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	[ -z "$leader" ] || kill -KILL "$leader" 2>/dev/null || :
	kill -KILL "$nspawn" 2>/dev/null || :
	nspawn=
	leader=
}
