#!/bin/sh
# sh tests/run.sh [STEP…]: installs what is missing, builds and runs every test; with names, only these steps (and the
# builds they need). Each step has a time budget and a log, build/test-logs/STEP.log. The last line is
# "N passed, N failed"; the exit code is 1 if anything failed.
set -u
cd "$(dirname "$0")/.." || exit 1
SELF=tests/run.sh
. deploy/setup.sh

# --- what can be set ---------------------------------------------------------------------------------------------------
# These must exist; another suite that is missing is only mentioned.
REQUIRED_SUITES="lint unit loop fuzz sim integration conformance faults package"
# 1: figures below the thresholds fail the step `coverage`.
COVERAGE_ENFORCE=${COVERAGE_ENFORCE:-1}
CORE_BRANCHES_PERCENT=95
SRC_LINES_PERCENT=85
# two cores
JOBS=2
# cases of `integration` at once
WORKERS=${WORKERS:-4}
# all steps together; what is not done by then has failed
TOTAL_SECONDS=1740
# lines of a failing step's log that are shown
TAIL_LINES=60

# STEP BUDGET_SECONDS, in the order in which they run
STEPS="
packages 600
venv 300
build 300
lint 120
format 60
tidy 600
unit 120
loop 120
fuzz 120
sim 180
integration 300
conformance 180
faults 240
package 90
asan-build 300
asan-unit 180
asan-loop 180
asan-fuzz 180
asan-sim 300
asan-integration 450
asan-conformance 240
asan-faults 300
valgrind-unit 450
valgrind-loop 300
coverage-build 300
coverage 450
bench 120
counts 90
"
TEST_PACKAGES="libcmocka-dev openssl valgrind strace clang-tidy-14 clang-format-14 gcovr python3-venv jq curl nginx-light haproxy chromium systemd groff-base"

LOGS=build/test-logs
VENV=build/venv
SIM_PROGRAM=subprojects/ollama-sim/ollama-sim
PROXY_PROGRAM=src/shared-ollama

# The same for every run: no locale, a fixed pattern for fresh memory, sanitizers that stop at the first finding.
export LC_ALL=C.UTF-8
export PYTHONDONTWRITEBYTECODE=1
export MALLOC_PERTURB_=165
export ASAN_OPTIONS=detect_leaks=1:halt_on_error=1:detect_stack_use_after_return=1
export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# --- the steps: do_STEP runs in a shell of its own, below a time limit, with its output in the log -----------------------
# Debian's Prometheus, unpacked and not installed: the package would bring a service and a web page's libraries, and its two
# programs need none of them. Without it its tests are skipped.
fetch_prometheus()
{
	[ ! -x build/prometheus/usr/bin/promtool ] || return 0
	rm -rf build/prometheus build/prometheus.deb.d
	mkdir -p build/prometheus.deb.d
	(cd build/prometheus.deb.d && { apt-get download -q prometheus || { as_root apt-get update -q && apt-get download -q prometheus; }; }) >&2 &&
		dpkg-deb -x build/prometheus.deb.d/*.deb build/prometheus || say "no prometheus to be had: its tests will be skipped"
	rm -rf build/prometheus.deb.d
}

do_packages()
{
	# shellcheck disable=SC2086 # one word for each package
	install_packages $BUILD_PACKAGES $TEST_PACKAGES
	fetch_prometheus
}

do_venv()
{
	if ! cmp -s tests/requirements.txt "$VENV/requirements.txt"; then
		rm -rf "$VENV"
		/usr/bin/python3 -m venv "$VENV" || return 1
		"$VENV/bin/pip" install --disable-pip-version-check -q -r tests/requirements.txt || return 1
		cp tests/requirements.txt "$VENV/requirements.txt"
	fi
	"$VENV/bin/pip" freeze
}

build_tree()
{
	configure "$@" && ninja -C "$1" -j "$JOBS"
}

do_build()
{
	build_tree build/test -Dtests=enabled
}

do_asan_build()
{
	build_tree build/asan --native-file meson/asan.ini
}

do_coverage_build()
{
	build_tree build/coverage --native-file meson/coverage.ini
}

# meson_suite FOLDER SUITE ARGUMENTS…
meson_suite()
{
	folder=$1
	suite=$2
	shift 2
	meson test -C "$folder" --no-rebuild --num-processes "$JOBS" --print-errorlogs --suite "$suite" "$@"
}

# pytest_suite FOLDER SUITE ARGUMENTS…: against the programs of that build.
#
# The cases of `integration` wait most of the time: several run at once, and then those that measure, alone.
pytest_suite()
{
	folder=$PWD/$1
	suite=$2
	shift 2
	if [ "$suite" = integration ]; then
		together=0
		run_pytest "$folder" "$suite" -m "not alone" -n "$WORKERS" --dist worksteal "$@" || together=1
		run_pytest "$folder" "$suite" -m alone "$@" && return "$together"
		return 1
	fi
	run_pytest "$folder" "$suite" "$@"
}

run_pytest()
{
	programs=$1
	suite=$2
	shift 2
	OLLAMA_SIM="$programs/$SIM_PROGRAM" SHARED_OLLAMA="$programs/$PROXY_PROGRAM" \
		"$VENV/bin/python" -m pytest -q -ra --color=no -p no:cacheprovider "tests/$suite" "$@"
}

# A suite is pytest's where its folder in tests/ has test_*.py, else meson's.
is_pytest_suite()
{
	for file in "tests/$1"/test_*.py; do
		[ ! -f "$file" ] || return 0
	done
	return 1
}

run_suite()
{
	if is_pytest_suite "$2"; then
		pytest_suite "$1" "$2"
	else
		meson_suite "$1" "$2"
	fi
}

do_lint()
{
	meson_suite build/test lint
}

own_c_files()
{
	for folder in src subprojects/ollama-sim tests bench; do
		[ ! -d "$folder" ] || find "$folder" -name '*.[ch]' -type f
	done | sort
}

do_format()
{
	own_c_files >build/format-files
	xargs clang-format-14 --dry-run -Werror <build/format-files || return 1
	echo "$(wc -l <build/format-files) files"
}

do_tidy()
{
	run-clang-tidy-14 -p build/test -j "$JOBS" -quiet -extra-arg=-Wno-unknown-warning-option \
		"^$PWD/(src|subprojects/ollama-sim)/.*\.c$" >build/tidy.out 2>&1
	code=$?
	# what is left is findings: no colours, no command lines
	sed "s/$(printf '\033')\[[0-9;]*m//g" build/tidy.out | grep -v -e '^clang-tidy-14 --use-color' -e 'warnings\{0,1\} generated'
	return "$code"
}

do_valgrind()
{
	# valgrind has an allocator of its own, which MALLOC_PERTURB_ does not reach
	meson_suite build/test "$1" --timeout-multiplier 10 --wrapper \
		'valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible'
}

# branches or lines of the given files, in percent
coverage_figure()
{
	jq -r ".$1_percent // 0" "$2"
}

# gcovr_summary FILTER NAME: prints the table and leaves the totals in build/coverage-NAME.json. The branch of an
# assertion that a bug would take is not counted.
gcovr_summary()
{
	gcovr --root . --filter "$1" --exclude-branches-by-pattern '.*\bassert\(.*' --json-summary "build/coverage-$2.json" \
		--print-summary build/coverage
}

do_coverage()
{
	find build/coverage -name '*.gcda' -delete
	code=0
	for suite in unit loop fuzz sim integration conformance; do
		! suite_exists "$suite" || run_suite build/coverage "$suite" || code=1
	done
	gcovr_summary src/ src || return 1
	gcovr_summary src/core/ core >/dev/null || return 1
	branches=$(coverage_figure branch build/coverage-core.json)
	lines=$(coverage_figure line build/coverage-src.json)
	echo "coverage: core branches $branches % (at least $CORE_BRANCHES_PERCENT), src lines $lines % (at least $SRC_LINES_PERCENT)"
	[ "$COVERAGE_ENFORCE" != 1 ] ||
		awk "BEGIN { exit !($branches >= $CORE_BRANCHES_PERCENT && $lines >= $SRC_LINES_PERCENT) }" || code=1
	return "$code"
}

# On the tree of deploy/run.sh: what is measured is what is run.
do_bench()
{
	BENCH_BUILD=$PWD/build sh bench/run.sh --smoke --out "$PWD/build/bench-smoke"
}

# What a job, a pass and a line cost, held against bench/counts.json: on the same tree.
do_counts()
{
	python3 bench/counts.py --build "$PWD/build" --check --out "$PWD/build/counts"
}

# do_step NAME: the names that follow a pattern, and those with a function of their own
do_step()
{
	case $1 in
	valgrind-*) do_valgrind "${1#valgrind-}" ;;
	asan-build) do_asan_build ;;
	coverage-build) do_coverage_build ;;
	asan-sim | asan-integration | asan-conformance | asan-faults)
		# Freed memory is kept for a while to see its use; 256 MB of that would drown the tests of bounded memory.
		ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=4
		run_suite build/asan "${1#asan-}"
		;;
	asan-*) run_suite build/asan "${1#asan-}" ;;
	unit | loop | fuzz | sim | integration | conformance | faults | package) run_suite build/test "$1" ;;
	*) "do_$1" ;;
	esac
}

# --- which suites there are ----------------------------------------------------------------------------------------------
suite_exists()
{
	is_pytest_suite "$1" || grep -qx "$1" build/test/suites 2>/dev/null
}

list_suites()
{
	meson introspect --tests build/test | jq -r '.[].suite[]' | sed 's/.*://' | grep -vx -e integration -e sim -e conformance | sort -u >build/test/suites
}

# --- one step ------------------------------------------------------------------------------------------------------------
passed=0
failed=0
broken=
child=

# counts LOG CODE: "PASSED FAILED" of what ran, as meson or pytest sum it up; any other step counts as one.
counts()
{
	awk -v code="$2" '
		/^Ok: +[0-9]+/ || /^Expected Fail: +[0-9]+/ { good += $NF; seen = 1 }
		/^(Fail|Unexpected Pass|Timeout): +[0-9]+/ { bad += $NF; seen = 1 }
		/^(=+ )?([0-9]+ [a-z]+, )*[0-9]+ [a-z]+ in [0-9.]+s/ {
			for (i = 1; i < NF; i++) {
				if ($(i + 1) ~ /^passed/) good += $i
				else if ($(i + 1) ~ /^(failed|errors?)/) bad += $i
			}
			seen = 1
		}
		END {
			if (!seen && code == 0) good = 1
			if (code != 0 && bad == 0) bad = 1
			print good + 0, bad + 0
		}' "$1"
}

is_suite_step()
{
	case $1 in
	lint | unit | loop | fuzz | sim | integration | conformance | faults | package | asan-unit | asan-loop | asan-fuzz | asan-sim | \
		asan-integration | asan-conformance | asan-faults | valgrind-unit | valgrind-loop)
		return 0
		;;
	esac
	return 1
}

# The build that a step runs on.
build_of()
{
	case $1 in
	asan-build | coverage-build | build) ;;
	asan-*) echo asan-build ;;
	coverage) echo coverage-build ;;
	esac
}

# Missing: a failure for a required one, a word for the others. Returns 1 if there is nothing to run.
has_something_to_run()
{
	needed=$(build_of "$1")
	case " $broken " in
	*" ${needed:-nothing} "*)
		echo "skip  $1: $needed failed"
		return 1
		;;
	esac
	if [ "$1" = bench ] && [ ! -f bench/run.sh ]; then
		echo "skip  $1: there is no bench/run.sh"
		return 1
	fi
	is_suite_step "$1" || return 0
	suite=${1#asan-}
	suite=${suite#valgrind-}
	! suite_exists "$suite" || return 0
	case " $REQUIRED_SUITES " in
	*" $suite "*)
		echo "FAIL  $1: the suite $suite is required and not there"
		failed=$((failed + 1))
		;;
	*) echo "skip  $1: there is no suite $suite" ;;
	esac
	return 1
}

# run_step NAME BUDGET
run_step()
{
	has_something_to_run "$1" || return 0
	log=$LOGS/$1.log
	started=$(date +%s)
	# in the background, so that a signal to us is heard at once and handed on
	timeout --kill-after=10 "$2" sh "$SELF" --step "$1" >"$log" 2>&1 </dev/null &
	child=$!
	wait "$child"
	code=$?
	child=
	seconds=$(($(date +%s) - started))
	# shellcheck disable=SC2046 # two words
	set -- "$1" "$2" $(counts "$log" "$code")
	if [ "$code" -eq 0 ] && [ "$3" -eq 0 ]; then
		echo "$1: ran no test" >>"$log"
		set -- "$1" "$2" 0 1
		code=1
	fi
	passed=$((passed + $3))
	failed=$((failed + $4))
	if [ "$code" -eq 0 ] && [ "$4" -eq 0 ]; then
		printf 'ok    %-16s %4d s  %d passed\n' "$1" "$seconds" "$3"
		return 0
	fi
	[ "$code" -ne 124 ] || echo "$1: over its budget of $2 s" >>"$log"
	printf 'FAIL  %-16s %4d s  %d passed, %d failed (exit code %d, %s)\n' "$1" "$seconds" "$3" "$4" "$code" "$log"
	tail -n "$TAIL_LINES" "$log" | sed 's/^/    | /'
	return 1
}

# Steps that the named ones cannot do without.
with_builds()
{
	echo "packages"
	for name; do
		case $name in
		packages | format) ;;
		venv | build | asan-build | coverage-build) echo "$name" ;;
		lint | tidy | unit | loop | fuzz | valgrind-unit | valgrind-loop) echo "build $name" ;;
		sim | integration | conformance | faults | package) echo "venv build $name" ;;
		bench | counts) echo "build $name" ;;
		asan-unit | asan-loop | asan-fuzz) echo "build asan-build $name" ;;
		asan-sim | asan-integration | asan-conformance | asan-faults) echo "venv build asan-build $name" ;;
		coverage) echo "venv build coverage-build $name" ;;
		esac
		[ "$name" != format ] || echo format
	done
}

stop()
{
	trap - INT TERM HUP
	[ -z "$child" ] || kill -TERM "$child" 2>/dev/null
	echo "stopped"
	exit 1
}

show_coverage()
{
	[ ! -f "$LOGS/coverage.log" ] || sed -n 's/^coverage: /coverage: /p' "$LOGS/coverage.log"
}

main()
{
	names=$(echo "$STEPS" | awk 'NF { print $1 }')
	for name; do
		echo "$names" | grep -qx -e "$name" || die "no step $name; there are: $(echo "$STEPS" | awk '{ printf "%s ", $1 }')"
	done
	wanted=$names
	[ $# -eq 0 ] || wanted=$(with_builds "$@" | tr ' ' '\n')
	mkdir -p "$LOGS"
	rm -f "$LOGS"/*.log
	trap stop INT TERM HUP
	# the steps run where no password can be asked for
	# shellcheck disable=SC2086 # one word for each package
	[ "$(id -u)" -eq 0 ] || [ -z "$(missing_packages $BUILD_PACKAGES $TEST_PACKAGES)" ] || sudo -v
	begun=$(date +%s)
	for name in $names; do
		echo "$wanted" | grep -qx -e "$name" || continue
		budget=$(echo "$STEPS" | awk -v name="$name" '$1 == name { print $2 }')
		left=$((begun + TOTAL_SECONDS - $(date +%s)))
		if [ "$left" -le 0 ]; then
			echo "FAIL  $name: all steps together took over $TOTAL_SECONDS s"
			failed=$((failed + 1))
			continue
		fi
		[ "$budget" -le "$left" ] || budget=$left
		if ! run_step "$name" "$budget"; then
			broken="$broken $name"
			case $name in
			packages | build) break ;;
			esac
		fi
		[ "$name" != build ] || list_suites
	done
	show_coverage
	echo "total $(($(date +%s) - begun)) s"
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
}

if [ "${1:-}" = --step ]; then
	do_step "$2"
else
	main "$@"
fi
