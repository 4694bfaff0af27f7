#!/bin/sh
# unshare --mount sh tests/package/contained.sh BASE SIM: the step `container`, in a name space of its own for what is mounted.
# BASE is the tar file that stands in for debian:12-slim, SIM the simulated Ollama.
set -eu
# shellcheck source=deploy/setup.sh
. deploy/setup.sh

BASE=$1
SIM=$2
STORE=$(mktemp -d)
IMAGE=localhost/shared-ollama:test
# ollama-sim says how long answers take: this one takes seconds, so that the drain has something to wait for
CONFIG='{"models": [{"name": "m", "tokens": 60, "tokens_per_s": 20}]}'
# What the kernel lets this process raise no further; podman's own default may be more.
DESCRIPTORS=$(prlimit --nofile --output HARD --noheadings)
PROCESSES=4096
sim=

pods()
{
	# without systemd it complains that nobody calls the health check
	podman --log-level fatal --root "$STORE/images" --runroot "$STORE/run" --cgroup-manager cgroupfs "$@"
}

tidy()
{
	[ -z "$sim" ] || kill "$sim" 2>/dev/null || :
	pods rm --all --force --time 1 >/dev/null 2>&1 || :
	pods rmi --all --force >/dev/null 2>&1 || :
	umount -R "$STORE/images/overlay" 2>/dev/null || :
	rm -rf "$STORE"
}

trap tidy EXIT
trap 'exit 1' INT TERM HUP
mount --make-rprivate /
# With both kinds of control groups mounted, crun starts nothing: it sees the first kind only.
[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified

pods import --quiet "$BASE" docker.io/library/debian:12-slim >/dev/null
# the format that has a HEALTHCHECK
buildah --root "$STORE/images" --runroot "$STORE/run" build --format docker --isolation chroot --network host --pull-never \
	--file deploy/container/Containerfile --tag "$IMAGE" . >"$STORE/build.log" 2>&1 ||
	{ tail -n 40 "$STORE/build.log" >&2 && die "no image"; }
echo "figures: the image is the base and $(($(pods image inspect --format '{{.Size}}' "$IMAGE") / 1000000 - \
	$(pods image inspect --format '{{.Size}}' docker.io/library/debian:12-slim) / 1000000)) MB"

echo "$CONFIG" >"$STORE/sim.json"
"$SIM" --listen 127.0.0.1:0 --config "$STORE/sim.json" 2>"$STORE/sim.log" &
sim=$!
tries=0
while ! grep -q '^listening on ' "$STORE/sim.log"; do
	tries=$((tries + 1))
	[ "$tries" -lt 300 ] || die "no simulated Ollama: $(cat "$STORE/sim.log")"
	sleep 0.1
done

# As compose.yaml has it.
start()
{
	pods run --detach --pull never --read-only --cap-drop all --security-opt no-new-privileges \
		--tmpfs /var/lib/shared-ollama:mode=1777 --volume log:/var/log/shared-ollama \
		--ulimit "nofile=$DESCRIPTORS:$DESCRIPTORS" --ulimit "nproc=$PROCESSES:$PROCESSES" --cgroups disabled "$@" >/dev/null
}

# As the image is, nothing set: its own health check, in a network of its own.
start --name plain --network none "$IMAGE"
tries=0
while ! pods healthcheck run plain >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ "$tries" -lt 100 ] || die "its own health check fails: $(pods healthcheck run plain 2>&1)"
	sleep 0.1
done

start --name box --network host \
	--env SHARED_OLLAMA_LISTEN=127.0.0.1:0 --env "SHARED_OLLAMA_UPSTREAM=http://$(sed -n 's/^listening on //p' "$STORE/sim.log")" "$IMAGE"
tries=0
while ! pods logs box 2>&1 | grep -q '^listening on '; do
	tries=$((tries + 1))
	[ "$tries" -lt 100 ] || die "it does not listen: $(pods logs box 2>&1)"
	sleep 0.1
done
url=http://$(pods logs box 2>&1 | sed -n 's/^listening on //p')
pods exec box shared-ollama health "$url" || die "it is not healthy"
[ "$(pods exec box id -u)" = 8000 ] || die "it is not its own user"

# A stop while a stream runs: it is read to its end, then the container ends with 0.
python3 - "$url/api/chat" "$STORE/begun" >"$STORE/stream" <<-'END' &
	import json, pathlib, sys, urllib.request
	body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
	opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
	last = None
	for line in opener.open(urllib.request.Request(sys.argv[1], body), timeout=60):
	    pathlib.Path(sys.argv[2]).touch()
	    last = json.loads(line)
	assert last["done"] is True, last
END
stream=$!
tries=0
while [ ! -f "$STORE/begun" ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 300 ] && kill -0 "$stream" 2>/dev/null || die "no stream"
	sleep 0.1
done
begun=$(date +%s%N)
pods stop --time 70 box >/dev/null
echo "figures: the container ended $((($(date +%s%N) - begun) / 1000000)) ms after SIGTERM, with its stream"
wait "$stream" || die "its stream was cut"
[ "$(pods inspect --format '{{.State.ExitCode}}' box)" = 0 ] || die "it ended with $(pods inspect --format '{{.State.ExitCode}}' box)"
pods logs box 2>&1 | grep -q 'draining.*in_progress=1' || die "it had nothing to drain: $(pods logs box 2>&1)"
