# shellcheck shell=sh
# The step `container` of run.sh, which sources this after debian.sh: the image as deploy/container/Containerfile says, by
# buildah, on a debootstrap that is called debian:12-slim here (no registry is asked); a container of it by podman, as tight as
# compose.yaml's; compose.yaml against the schema that docker-compose checks with. Images and containers stand in a temporary
# folder and go with it. Mounts are in a name space of their own.

compose_schema()
{
	venv=$FOLDER/compose-venv
	[ -f "$venv/done" ] || {
		rm -rf "$venv"
		/usr/bin/python3 -m venv "$venv"
		"$venv/bin/pip" install --disable-pip-version-check -q PyYAML==6.0.3 jsonschema==4.26.0
		# only its schema: what it imports is not to be had any more
		"$venv/bin/pip" install --disable-pip-version-check -q --no-deps docker-compose==1.29.2
		touch "$venv/done"
	}
	"$venv/bin/python" - deploy/container/compose.yaml "$venv"/lib/python3*/site-packages/compose/config/compose_spec.json <<-'END'
		import json, sys
		import jsonschema, yaml
		composed = yaml.safe_load(open(sys.argv[1]))
		# younger than this schema
		assert composed.pop("name") == "shared-ollama"
		wrong = [error.message for error in jsonschema.Draft201909Validator(json.load(open(sys.argv[2]))).iter_errors(composed)]
		assert not wrong, wrong
		declared = set(composed["volumes"])
		used = {volume.split(":")[0] for service in composed["services"].values() for volume in service.get("volumes", [])}
		assert declared == used, (declared, used)
	END
}

# A simulated Ollama for it to stand before.
build_sim()
{
	# shellcheck disable=SC2086 # one word for each package
	install_packages $BUILD_PACKAGES
	configure "$FOLDER/sim" --native-file meson/release.ini -Dtests=disabled >"$FOLDER/sim.log" 2>&1 || die "meson setup: $FOLDER/sim.log"
	ninja -C "$FOLDER/sim" subprojects/ollama-sim/ollama-sim >>"$FOLDER/sim.log" 2>&1 || die "ninja: $FOLDER/sim.log"
}

step_container()
{
	install_packages buildah podman crun
	compose_schema
	build_sim
	need_tree
	timeout 900 unshare --mount sh tests/package/contained.sh "$TREE_FILE" "$FOLDER/sim/subprojects/ollama-sim/ollama-sim"
}
