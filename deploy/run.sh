#!/bin/sh
# sh deploy/run.sh [FLAGS of shared-ollama…]: installs what is missing, builds into build/ and serves, in front of the
# Ollama at 127.0.0.1:11434 or, where none answers, in front of the bundled simulated one. Runs in the project's folder:
# relative paths in the flags start there. Ctrl-C or SIGTERM ends it (the proxy drains first; twice ends it at once).
set -eu
cd "$(dirname "$0")/.."
. deploy/setup.sh

OLLAMA=http://127.0.0.1:11434
PROXY=build/src/shared-ollama
SIM=build/subprojects/ollama-sim/ollama-sim

build()
{
	# shellcheck disable=SC2086 # one word for each package
	install_packages $BUILD_PACKAGES
	mkdir -p build logs
	configure build --native-file meson/release.ini >build/setup.log 2>&1 ||
		{ cat build/setup.log >&2; die "meson setup failed"; }
	ninja -C build src/shared-ollama subprojects/ollama-sim/ollama-sim >build/compile.log 2>&1 ||
		{ cat build/compile.log >&2; die "the build failed"; }
}

# Whether these flags leave the upstream to us: not if they name one, nor for the calls that do not serve.
is_ours_to_choose()
{
	[ -z "${SHARED_OLLAMA_UPSTREAM:-}" ] || return 1
	for flag; do
		case $flag in
		--upstream | --upstream=* | -c | --config | --config=* | --help | -h | --version | --check-config | --print-config)
			return 1
			;;
		esac
	done
	case ${1:-} in
	report | top | health | doctor) return 1 ;;
	esac
}

# python3 is there with meson; a fresh Debian has no curl.
ollama_answers()
{
	python3 - "$1/api/version" <<-'END'
		import json, sys, urllib.request
		open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
		try:
		    sys.exit(0 if "version" in json.load(open_url(sys.argv[1], timeout=2)) else 1)
		except (OSError, ValueError, TypeError):
		    sys.exit(1)
	END
}

# Starts the simulated Ollama on a free port; sets sim_pid and sim_url. In a session of its own, so that Ctrl-C reaches
# it only through us, after the proxy has drained.
start_sim()
{
	: >build/ollama-sim.log
	setsid "$SIM" --listen 127.0.0.1:0 </dev/null >>build/ollama-sim.log 2>&1 &
	sim_pid=$!
	trap 'kill "$sim_pid" 2>/dev/null || :' EXIT
	trap 'exit 1' INT TERM HUP
	tries=0
	while ! grep -q '^listening on ' build/ollama-sim.log; do
		tries=$((tries + 1))
		if [ "$tries" -gt 100 ] || ! kill -0 "$sim_pid" 2>/dev/null; then
			cat build/ollama-sim.log >&2
			die "the simulated Ollama did not start"
		fi
		sleep 0.1
	done
	sim_url=http://$(sed -n 's/^listening on //p' build/ollama-sim.log | head -n 1)
}

# Serves until the proxy ends and hands on its exit code. Every signal to us becomes a SIGTERM for the proxy.
serve_with_sim()
{
	"$PROXY" --upstream "$sim_url" "$@" &
	proxy_pid=$!
	trap 'kill -TERM "$proxy_pid" 2>/dev/null || :' INT TERM HUP
	code=0
	while :; do
		wait "$proxy_pid" && code=0 || code=$?
		# a wait that a signal cut short: the proxy is draining
		kill -0 "$proxy_pid" 2>/dev/null || break
	done
	return "$code"
}

build
if ! is_ours_to_choose "$@"; then
	exec "$PROXY" "$@"
fi
if ollama_answers "$OLLAMA"; then
	exec "$PROXY" --upstream "$OLLAMA" "$@"
fi
start_sim
say "SIMULATED OLLAMA: no Ollama answers at $OLLAMA, so this serves invented answers, from $sim_url"
serve_with_sim "$@"
