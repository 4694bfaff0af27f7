#!/bin/sh
# update.sh GENERATE DOCS: makes the references in docs/ anew. Run by ninja -C build update-references.
set -eu
for name in reference-configuration.md reference-errors.md; do
	"$1" "$name" >"$2/$name.new"
	mv "$2/$name.new" "$2/$name"
done
