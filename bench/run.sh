#!/bin/sh
# Builds what is measured and measures it: bench/run.sh [--smoke] [--rounds N] [--out DIR] [--only SCENARIOS] [--help].
# README.md says what each figure means. BENCH_BUILD names the build directory (default: build-bench).
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
build=${BENCH_BUILD:-$root/build-bench}
if [ ! -f "$build/build.ninja" ]; then
	if [ -f "$root/meson/release.ini" ]; then
		meson setup "$build" "$root" --native-file "$root/meson/release.ini"
	else
		meson setup "$build" "$root" -Dbuildtype=release
	fi
fi
ninja -C "$build" src/shared-ollama bench/bench-load bench/bench-upstream bench/bench-relay bench/bench-peek \
	subprojects/ollama-sim/ollama-sim
# nothing of it is kept beside the sources
export PYTHONDONTWRITEBYTECODE=1
exec python3 "$root/bench/run.py" --build "$build" "$@"
