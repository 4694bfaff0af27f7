# shellcheck shell=sh
# The steps `installed` and `booted` of run.sh, which sources this after debian.sh.

# Serves as the package's user, asks, ends it.
serve_inside()
{
	# each of them becomes the next: $! is the service
	chroot "$TREE" setpriv --reuid=shared-ollama --regid=shared-ollama --clear-groups shared-ollama \
		-c /etc/shared-ollama/shared-ollama.conf --listen 127.0.0.1:0 --upstream http://127.0.0.1:1 2>"$FOLDER/served" &
	server=$!
	until_true "the service listens: $FOLDER/served" grep -q '^listening on ' "$FOLDER/served"
	address=$(sed -n 's/^listening on //p' "$FOLDER/served")
	inside shared-ollama health "http://$address" || die "it is not healthy"
	[ -f "$TREE/var/log/shared-ollama/requests.jsonl" ] || die "it does not log"
	kill -TERM "$server"
	wait "$server" || die "it ended with $?"
	server=
}

# Without systemd: as in a container or a chroot.
step_installed()
{
	need_package
	install_packages systemd
	: >"$FOLDER/apt.log"
	unpack_tree
	# services are not started in there: there is no systemd
	printf '#!/bin/sh\nexit 101\n' >"$TREE/usr/sbin/policy-rc.d"
	chmod 755 "$TREE/usr/sbin/policy-rc.d"
	cp "$(package_of "$FOLDER/deb-1")" "$TREE/package.deb"
	apt_inside update
	apt_inside install ./package.deb
	inside getent passwd shared-ollama || die "there is no user"
	# the package's own call wants /proc, which is not mounted in there
	systemd-tmpfiles --root="$TREE" --create shared-ollama.conf
	serve_inside
	apt_inside remove shared-ollama
	[ -f "$TREE/etc/shared-ollama/shared-ollama.conf" ] || die "remove took the configuration"
	[ -f "$TREE/var/log/shared-ollama/requests.jsonl" ] || die "remove took the log"
	# a start without systemd made it; there it is a tmpfs that a reboot empties
	rmdir "$TREE/run/shared-ollama"
	apt_inside purge shared-ollama
	[ -z "$(leftovers)" ] || die "left after the purge: $(leftovers)"
	rm -rf "$TREE"
}

is_healthy()
{
	booted shared-ollama health http://127.0.0.1:8000
}

main_pid()
{
	booted systemctl show --property=MainPID --value shared-ollama
}

is_served_by_another()
{
	[ "$(main_pid)" != "$1" ] && [ "$(main_pid)" != 0 ] && booted systemctl is-active shared-ollama && is_healthy
}

# said WORDS: stands in its diagnostics
said()
{
	booted journalctl --unit shared-ollama --output cat --no-pager | grep -q -e "$1"
}

milliseconds()
{
	echo $(($(date +%s%N) / 1000000))
}

check_reload()
{
	echo 'max_queue_size = 77;' >>"$TREE/etc/shared-ollama/shared-ollama.conf"
	booted systemctl reload shared-ollama
	until_true "a reload" said 'the configuration is reloaded.*max_queue_size'
	echo 'max_queue = 7;' >>"$TREE/etc/shared-ollama/shared-ollama.conf"
	booted systemctl reload shared-ollama
	until_true "a refused reload" said 'stays the old one.*did you mean max_queue_size'
	sed -i '$d' "$TREE/etc/shared-ollama/shared-ollama.conf"
	is_healthy || die "it is not healthy after a wrong configuration"
}

check_upgrade()
{
	before=$(main_pid)
	begun=$(milliseconds)
	booted systemctl kill --signal=SIGUSR2 --kill-whom=main shared-ollama
	until_true "systemd follows the new process" is_served_by_another "$before"
	echo "figures: under systemd, from SIGUSR2 until the new process is the main one and healthy: $(($(milliseconds) - begun)) ms"
}

# One that hangs is ended by the watchdog and started anew.
check_watchdog()
{
	mkdir -p "$TREE/etc/systemd/system/shared-ollama.service.d"
	printf '[Service]\nWatchdogSec=2\n' >"$TREE/etc/systemd/system/shared-ollama.service.d/quick.conf"
	booted systemctl daemon-reload
	booted systemctl restart shared-ollama
	before=$(main_pid)
	kill -STOP "$(pgrep -x shared-ollama --nslist pid --ns "$leader")"
	until_true "the watchdog starts it anew" is_served_by_another "$before"
	said 'atchdog timeout' || die "it was not the watchdog"
	rm -r "$TREE/etc/systemd/system/shared-ollama.service.d"
	booted systemctl daemon-reload
}

# The first connection starts it.
check_socket()
{
	booted systemctl stop shared-ollama
	booted systemctl enable --quiet --now shared-ollama.socket
	is_healthy || die "the socket does not start it"
	[ "$(main_pid)" != 0 ] || die "somebody else answered"
}

# The package under its own systemd, with the unit's hardening in force.
step_booted()
{
	need_package
	install_packages systemd-container
	: >"$FOLDER/apt.log"
	unpack_tree
	cp "$(package_of "$FOLDER/deb-1")" "$TREE/package.deb"
	apt_inside update
	apt_inside install systemd-sysv
	# what it needs is there before the network is gone, and is not counted
	apt_inside install --download-only ./package.deb
	boot_tree
	begun=$(milliseconds)
	booted apt-get -q -y --no-install-recommends install ./package.deb >>"$FOLDER/apt.log" 2>&1 || die "no install: $FOLDER/apt.log"
	until_true "the installed service is healthy" is_healthy
	echo "figures: from apt install until the service is healthy: $(($(milliseconds) - begun)) ms"
	[ "$(booted ps -o user= -p "$(main_pid)" 2>/dev/null || booted stat -c %U "/proc/$(main_pid)")" = shared-ollama ] || die "not its own user"
	check_reload
	check_upgrade
	check_watchdog
	check_socket
	booted apt-get -q -y purge shared-ollama >>"$FOLDER/apt.log" 2>&1 || die "no purge: $FOLDER/apt.log"
	! is_healthy || die "it still serves"
	[ "$(booted systemctl list-units --all --no-legend 'shared-ollama*' | wc -l)" -eq 0 ] || die "systemd still knows it"
	power_off
	[ -z "$(leftovers)" ] || die "left after the purge: $(leftovers)"
	rm -rf "$TREE"
}
