#!/bin/sh
# sh tests/package/run.sh [STEP…]: what takes too long for tests/run.sh, or needs root. Steps:
#   reproducible  two builds of the Debian package in different folders are the same bytes
#   lintian       it has nothing to say; the package has what it should
#   installed     in a Debian 12 of debootstrap's: installed, served as the package's user, removed, purged; nothing is left
#   booted        the same under its systemd: started, reloaded, upgraded, hung, begun by its socket, purged
#   container     the image built, run as compose.yaml has it, asked by its health check, stopped during a stream
#   dist          what `meson dist` packs builds, passes its unit and loop tests, and makes a package
#   kubernetes    the manifests against the schemas of PyPI's kubernetes-validate, YAML by yamllint
#   operation     the figures of docs/operation.md
# installed, booted and container need root and the mirror that apt is configured for. 15 minutes on two cores.
set -eu
cd "$(dirname "$0")/../.."
. deploy/setup.sh

FOLDER=build/package-tests
# Standing where a build path can be seen, and of different lengths.
FIRST=$PWD/$FOLDER/one
SECOND=$PWD/$FOLDER/a/second/folder/that/is/longer
# The tests that say figures.
FIGURES="under_load_drop or hundred_streams or storms_of or running_and_waiting_jobs_are or jumps_of_the_wall or little_exposed"
# No mail is read anywhere for it.
SUPPRESSED=bogus-mail-host,bogus-mail-host-in-debian-changelog

. tests/package/debian.sh
. tests/package/installed.sh
. tests/package/container.sh

package_of()
{
	ls "$1"/shared-ollama_*.deb
}

step_reproducible()
{
	rm -rf "$FIRST" "$SECOND" "$FOLDER/deb-1" "$FOLDER/deb-2"
	WORK=$FIRST sh deploy/build-deb.sh "$FOLDER/deb-1"
	# another time, mask and language, which must not show
	(umask 077 && LC_ALL=C TZ=Asia/Tokyo WORK=$SECOND sh deploy/build-deb.sh "$FOLDER/deb-2")
	sha256sum "$(package_of "$FOLDER/deb-1")" "$(package_of "$FOLDER/deb-2")"
	cmp "$(package_of "$FOLDER/deb-1")" "$(package_of "$FOLDER/deb-2")"
	rm -rf "$FIRST" "$FOLDER/a"
}

# One that is older than any file of the tree is built anew.
need_package()
{
	found=$(package_of "$FOLDER/deb-1" 2>/dev/null) || found=
	if [ -n "$found" ]; then
		# shellcheck disable=SC2016 # the inner shell's
		newer=$(git ls-files -z | FOUND=$found xargs -0 sh -c 'find "$@" -newer "$FOUND"' sh)
		[ -n "$newer" ] || return 0
	fi
	rm -rf "$FOLDER/deb-1"
	sh deploy/build-deb.sh "$FOLDER/deb-1"
}

step_lintian()
{
	install_packages lintian
	need_package
	lintian --allow-root --fail-on error,warning --suppress-tags "$SUPPRESSED" "$FOLDER"/deb-1/*.changes
	dpkg-deb --contents "$(package_of "$FOLDER/deb-1")" | awk '{ print $6 }' >"$FOLDER/contents"
	for file in ./usr/bin/shared-ollama ./lib/systemd/system/shared-ollama.service ./lib/systemd/system/shared-ollama.socket \
		./usr/lib/systemd/user/shared-ollama.service ./etc/shared-ollama/shared-ollama.conf \
		./usr/share/doc/shared-ollama/sbom.spdx.json.gz ./usr/share/man/man1/shared-ollama.1.gz; do
		grep -qx "$file" "$FOLDER/contents" || die "the package has no $file"
	done
}

# The figures of docs/operation.md: the suites' own tests, which say what they measured.
step_operation()
{
	sh tests/run.sh venv build >&2
	need_package
	OLLAMA_SIM=$PWD/build/test/subprojects/ollama-sim/ollama-sim
	SHARED_OLLAMA=$PWD/build/test/src/shared-ollama
	export OLLAMA_SIM SHARED_OLLAMA
	# one call for each folder: their pytest.ini differ
	for tests in integration faults package; do
		build/venv/bin/python -m pytest -q -s --color=no -p no:cacheprovider -k "$FIGURES" "tests/$tests" \
			>"$FOLDER/operation.log" 2>&1 || { tail -n 40 "$FOLDER/operation.log" >&2 && die "tests/$tests failed"; }
		sed -n 's/.*\(figures: .*\)/\1/p' "$FOLDER/operation.log"
	done
	echo "figures: $(du -b "$(package_of "$FOLDER/deb-1")" | awk '{ print $1 }') bytes of package, $(
		dpkg-deb --field "$(package_of "$FOLDER/deb-1")" Installed-Size
	) KiB installed, program $(stat -c %s "$SHARED_OLLAMA") bytes with its symbols"
}

# What `meson dist` packs is whole: it builds and passes its unit tests, and is packed as a Debian package, without a git folder.
step_dist()
{
	# shellcheck disable=SC2086 # one word for each package
	install_packages $BUILD_PACKAGES libcmocka-dev git
	rm -rf "$FOLDER/dist"
	mkdir -p "$FOLDER/dist/tree"
	configure "$FOLDER/dist-build" -Dtests=disabled >"$FOLDER/dist.log" 2>&1 || die "meson setup: $FOLDER/dist.log"
	rm -rf "$FOLDER/dist-build/meson-dist"
	meson dist -C "$FOLDER/dist-build" --no-tests --allow-dirty --formats gztar >>"$FOLDER/dist.log" 2>&1 || die "meson dist: $FOLDER/dist.log"
	tar -C "$FOLDER/dist/tree" --strip-components=1 -xzf "$FOLDER"/dist-build/meson-dist/*.tar.gz
	(
		# nothing above it may help
		export GIT_CEILING_DIRECTORIES="$PWD/$FOLDER/dist"
		cd "$FOLDER/dist/tree"
		meson setup ../build -Dtests=enabled && ninja -C ../build -j 2 &&
			meson test -C ../build --no-rebuild --suite unit --suite loop && sh deploy/build-deb.sh ../deb
	) >>"$FOLDER/dist.log" 2>&1 || { tail -n 30 "$FOLDER/dist.log" >&2 && die "what meson dist packs is not whole"; }
	rm -rf "$FOLDER/dist" "$FOLDER/dist-build"
}

step_kubernetes()
{
	venv=$FOLDER/venv
	[ -x "$venv/bin/kubernetes-validate" ] || {
		/usr/bin/python3 -m venv "$venv"
		"$venv/bin/pip" install --disable-pip-version-check -q kubernetes-validate==1.37.0 yamllint==1.38.0
	}
	for version in 1.29 1.32 1.35; do
		"$venv/bin/kubernetes-validate" --strict -k "$version" deploy/kubernetes/shared-ollama.yaml
	done
	"$venv/bin/yamllint" --strict -d '{extends: relaxed, rules: {line-length: disable}}' deploy/kubernetes deploy/container/compose.yaml
}

tell()
{
	[ -z "$step" ] || echo "FAIL $step"
	[ -z "$server" ] || kill "$server" 2>/dev/null || :
	power_off
}

mkdir -p "$FOLDER"
step=
server=
trap tell EXIT
trap 'exit 1' INT TERM HUP
[ $# -gt 0 ] || set -- reproducible lintian installed booted container dist kubernetes operation
for step; do
	# not in an `||`: that would let its commands fail unseen
	"step_$step"
	echo "ok $step"
	step=
done
