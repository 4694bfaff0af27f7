#!/bin/sh
# tests/soak/run.sh soak [--requests N] | chaos [--seconds N] | compare [--rounds N]: the long runs (README.md in this
# folder), against the programs of SOAK_BUILD (build/test). PYTHON: one with nothing special, 3.11 or newer.
set -eu
cd "$(dirname "$0")/../.."
build=${SOAK_BUILD:-build/test}
case $build in
/*) ;;
*) build=$PWD/$build ;;
esac
export OLLAMA_SIM="${OLLAMA_SIM:-$build/subprojects/ollama-sim/ollama-sim}"
export SHARED_OLLAMA="${SHARED_OLLAMA:-$build/src/shared-ollama}"
for program in "$OLLAMA_SIM" "$SHARED_OLLAMA"; do
	[ -x "$program" ] || {
		echo "$program is not there: sh tests/run.sh build, or set SOAK_BUILD" >&2
		exit 2
	}
done
case ${1:-} in
soak | chaos) exec "${PYTHON:-python3}" tests/soak/soak.py "$@" ;;
compare)
	shift
	exec "${PYTHON:-python3}" tests/soak/compare.py "$@"
	;;
esac
sed -n '2,3s/^# //p' "$0" >&2
exit 2
