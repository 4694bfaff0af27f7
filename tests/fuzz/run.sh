#!/bin/sh
# tests/fuzz/run.sh [SECONDS] [TARGET…]: each fuzz target (all, unless some are named) for so many seconds (60) with libFuzzer,
# ASan and UBSan, built into FUZZ_BUILD (build/fuzz). New inputs are kept there, a crash as FUZZ_BUILD/found/TARGET-crash-…: it
# belongs into corpus/TARGET/ with the fix. Needs clang and libclang-rt-14-dev of Debian 12.
set -eu
cd "$(dirname "$0")/../.."
build=${FUZZ_BUILD:-build/fuzz}
seconds=60
case ${1:-} in
[0-9]*)
	seconds=$1
	shift
	;;
esac
[ -d "$build" ] || meson setup "$build" --native-file meson/fuzz.ini
ninja -C "$build"
[ $# -gt 0 ] || set -- $(cd tests/fuzz/corpus && ls)
mkdir -p "$build/found"
status=0
for target; do
	dictionary=tests/fuzz/json.dict
	case $target in
	announced | chunked | head | multipart | response_head) dictionary=tests/fuzz/http.dict ;;
	esac
	mkdir -p "$build/inputs/$target"
	LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0 "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" \
		-dict="$dictionary" -artifact_prefix="$build/found/$target-" "$build/inputs/$target" "tests/fuzz/corpus/$target" \
		>"$build/found/$target.log" 2>&1 || status=1
	printf '%s: %s\n' "$target" "$(tail -n 1 "$build/found/$target.log")"
done
exit $status
