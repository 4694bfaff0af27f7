#!/bin/sh
# sh tests/package/run.sh [STEP…]: what takes too long for tests/run.sh, or needs root. Steps: reproducible (two builds of the
# Debian package in different folders are the same bytes), lintian, installed (in a Debian 12 made by debootstrap, as root:
# installed, served as the package's user, removed, purged), kubernetes (the manifests against the schemas of PyPI's
# kubernetes-validate, YAML by yamllint). 10 minutes on two cores; the network for debootstrap and PyPI.
set -eu
cd "$(dirname "$0")/../.."
. deploy/setup.sh

FOLDER=build/package-tests
MIRROR=${MIRROR:-http://deb.debian.org/debian}
# Standing where a build path can be seen, and of different lengths.
FIRST=$PWD/$FOLDER/one
SECOND=$PWD/$FOLDER/a/second/folder/that/is/longer
# No mail is read anywhere for it.
SUPPRESSED=bogus-mail-host,bogus-mail-host-in-debian-changelog

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

need_package()
{
	[ -d "$FOLDER/deb-1" ] || sh deploy/build-deb.sh "$FOLDER/deb-1"
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

inside()
{
	chroot "$FOLDER/debian" env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}

# Serves as the package's user, asks, ends it.
serve_inside()
{
	inside runuser -u shared-ollama -- shared-ollama -c /etc/shared-ollama/shared-ollama.conf --listen 127.0.0.1:0 \
		--upstream http://127.0.0.1:1 2>"$FOLDER/served" &
	server=$!
	tries=0
	while ! address=$(grep -m 1 '^listening on ' "$FOLDER/served"); do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] && kill -0 "$server" 2>/dev/null || die "it does not serve: $(cat "$FOLDER/served")"
		sleep 0.1
	done
	inside shared-ollama health "http://${address#listening on }" || die "it is not healthy"
	[ -f "$FOLDER/debian/var/log/shared-ollama/requests.jsonl" ] || die "it does not log"
	kill -TERM "$(pgrep -P "$server" -x shared-ollama || echo "$server")"
	wait "$server" || die "it ended with $?"
}

step_installed()
{
	[ "$(id -u)" -eq 0 ] || die "installed: needs root"
	install_packages debootstrap procps systemd
	need_package
	rm -rf "$FOLDER/debian"
	debootstrap --variant=minbase bookworm "$FOLDER/debian" "$MIRROR" >"$FOLDER/debootstrap.log"
	# services are not started in there: there is no systemd
	printf '#!/bin/sh\nexit 101\n' >"$FOLDER/debian/usr/sbin/policy-rc.d"
	chmod 755 "$FOLDER/debian/usr/sbin/policy-rc.d"
	cp "$(package_of "$FOLDER/deb-1")" "$FOLDER/debian/package.deb"
	inside apt-get install -q -y --no-install-recommends ./package.deb
	inside getent passwd shared-ollama || die "there is no user"
	# the package's own call wants /proc, which is not mounted in there
	systemd-tmpfiles --root="$PWD/$FOLDER/debian" --create shared-ollama.conf
	serve_inside
	inside apt-get remove -q -y shared-ollama
	[ -f "$FOLDER/debian/etc/shared-ollama/shared-ollama.conf" ] || die "remove took the configuration"
	[ -f "$FOLDER/debian/var/log/shared-ollama/requests.jsonl" ] || die "remove took the log"
	inside apt-get purge -q -y shared-ollama
	left=$(find "$FOLDER/debian/etc" "$FOLDER/debian/usr" "$FOLDER/debian/var/lib" "$FOLDER/debian/var/log" "$FOLDER/debian/lib/systemd/" \
		-name '*shared-ollama*' -not -path '*/apt/*' -not -path '*/dpkg/*')
	[ -z "$left" ] || die "left after the purge: $left"
	rm -rf "$FOLDER/debian"
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
}

mkdir -p "$FOLDER"
step=
trap tell EXIT
[ $# -gt 0 ] || set -- reproducible lintian installed kubernetes
for step; do
	# not in an `||`: that would let its commands fail unseen
	"step_$step"
	echo "ok $step"
	step=
done
