#!/bin/sh
# sh deploy/sbom.sh PROGRAM: what PROGRAM is linked with, as an SPDX 2.3 document in JSON on standard output: each shared
# library that the loader finds, with Debian's package, its version and source. The same machine gives the same bytes.
set -eu

program=$1
name=$(basename "$program")
version=$(dirname "$0")/../meson.build
version=$(sed -n "s/^\tversion: '\(.*\)',/\1/p" "$version" | head -n 1)
# the moment of what was built, not of this call
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(stat -c %Y "$program")}" +%Y-%m-%dT%H:%M:%SZ)

# FILE of each library; the loader and the kernel's own page have no "=>" of theirs.
libraries()
{
	ldd "$program" | sed -n -e 's/.*=> \(\/[^ ]*\) .*/\1/p' -e 's/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' | sort -u
}

# dpkg knows a file by the name it was packed with: /lib/… and /usr/lib/… are one place on a merged system.
owner()
{
	real=$(readlink -f "$1")
	for path in "$1" "$real" "${real#/usr}" "/usr$1"; do
		found=$(dpkg-query -S "$path" 2>/dev/null | head -n 1) || continue
		[ -z "$found" ] || {
			echo "${found%%: /*}"
			return
		}
	done
}

packages=$(libraries | while read -r library; do
	package=$(owner "$library")
	[ -n "$package" ] || {
		echo "sbom.sh: no package has $library" >&2
		exit 1
	}
	printf '%s\n' "$package"
done | LC_ALL=C sort -u)
[ -n "$packages" ] || {
	echo "sbom.sh: $program is linked with nothing" >&2
	exit 1
}

{
	echo "$name $version $created"
	for package in $packages; do
		# shellcheck disable=SC2016 # dpkg's own variables
		dpkg-query -W -f '${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}\n' "$package"
	done
} | awk '
	function item(id, name, version, purl, source) {
		printf "%s    {\"SPDXID\": \"%s\", \"name\": \"%s\", \"versionInfo\": \"%s\", \"downloadLocation\": \"NOASSERTION\", \"filesAnalyzed\": false", \
			separator, id, name, version
		if (source != "")
			printf ", \"sourceInfo\": \"built from %s\"", source
		if (purl != "")
			printf ", \"externalRefs\": [{\"referenceCategory\": \"PACKAGE-MANAGER\", \"referenceType\": \"purl\", \"referenceLocator\": \"%s\"}]", purl
		printf "}"
		separator = ",\n"
	}
	function escaped(text) {
		gsub(/:/, "%3A", text)
		gsub(/\+/, "%2B", text)
		return text
	}
	function identifier(text) {
		gsub(/[^A-Za-z0-9.-]/, "-", text)
		return "SPDXRef-" text
	}
	NR == 1 {
		program = identifier($1)
		printf "{\n  \"spdxVersion\": \"SPDX-2.3\",\n  \"dataLicense\": \"CC0-1.0\",\n  \"SPDXID\": \"SPDXRef-DOCUMENT\",\n"
		printf "  \"name\": \"%s-%s\",\n  \"documentNamespace\": \"https://spdx.invalid/%s-%s-%s\",\n", $1, $2, $1, $2, $3
		printf "  \"creationInfo\": {\"created\": \"%s\", \"creators\": [\"Tool: deploy/sbom.sh\"]},\n  \"packages\": [\n", $3
		item(program, $1, $2, "", "")
		relations = "    {\"spdxElementId\": \"SPDXRef-DOCUMENT\", \"relationshipType\": \"DESCRIBES\", \"relatedSpdxElement\": \"" program "\"}"
		next
	}
	{
		id = identifier($1)
		item(id, $1, $2, "pkg:deb/debian/" $1 "@" escaped($2) "?arch=" $3, $4 " " $5)
		relations = relations ",\n    {\"spdxElementId\": \"" program "\", \"relationshipType\": \"DYNAMIC_LINK\", \"relatedSpdxElement\": \"" id "\"}"
	}
	END { printf "\n  ],\n  \"relationships\": [\n%s\n  ]\n}\n", relations }'
