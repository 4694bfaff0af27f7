#!/bin/sh
# sh deploy/build-deb.sh [FOLDER]: builds the Debian package of the tree as it is (tracked files, changes included) by
# Debian's own tools and puts it into FOLDER (build/deb). The same tree gives the same bytes, wherever it stands.
# WORK=FOLDER builds there instead of in a temporary folder.
set -eu
cd "$(dirname "$0")/.."
. deploy/setup.sh

out=${1:-build/deb}
# shellcheck disable=SC2086 # one word for each package
install_packages $BUILD_PACKAGES debhelper dpkg-dev fakeroot git
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
[ -n "${WORK:-}" ] || trap 'rm -rf "$work"' EXIT

tree=$work/shared-ollama
mkdir "$tree"
if git rev-parse --git-dir >/dev/null 2>&1; then
	# what is not committed yet too, but nothing that is ignored
	git ls-files -z --cached --others --exclude-standard | grep -zv '^tests/fuzz/corpus/' |
		xargs -0 sh -c 'for file; do [ ! -f "$file" ] || printf "%s\0" "$file"; done' sh | tar -c --null -T - | tar -x -C "$tree"
else
	tar -c --exclude ./build . | tar -x -C "$tree"
fi
cp -r "$tree/deploy/debian" "$tree/debian"
# Times, and modes that a person's umask made, are no part of the tree.
chmod -R u=rwX,go=rX "$tree"
(cd "$tree" && LC_ALL=C.UTF-8 TZ=UTC dpkg-buildpackage -b -us -uc -d >"$work/build.log" 2>&1) ||
	{
		tail -n 60 "$work/build.log" >&2
		die "the package could not be built"
	}
cp "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$out/"
ls "$out"/*.deb
