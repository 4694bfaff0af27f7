"""What the program is linked with (deploy/sbom.sh), and that the packages' lists agree with the build's."""

import json
import re
import subprocess

from places import ROOT, one


def sbom(program, **env):
    done = subprocess.run(
        ["sh", ROOT / "deploy" / "sbom.sh", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"} | env,
    )
    return done.stdout


def test_every_library_is_named_with_its_version(installed):
    program = one(installed, "bin/shared-ollama")
    document = json.loads(sbom(program, SOURCE_DATE_EPOCH="1700000000"))
    assert document["spdxVersion"] == "SPDX-2.3" and document["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    packages = {package["name"]: package for package in document["packages"]}
    # those that the program names itself, beside what they bring along
    assert {"libc6", "libevent-core-2.1-7", "libevhtp0", "libssl3", "libyajl2", "libconfig9", "zlib1g"} <= set(packages)
    for name, package in packages.items():
        if name == "shared-ollama":
            continue
        version = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True, check=True
        ).stdout
        assert version.startswith(package["versionInfo"]) and package["versionInfo"]
    ids = {package["SPDXID"] for package in document["packages"]}
    assert len(ids) == len(document["packages"]), "each once"
    linked = {row["relatedSpdxElement"] for row in document["relationships"] if row["relationshipType"] == "DYNAMIC_LINK"}
    assert linked == ids - {"SPDXRef-shared-ollama"}


def test_the_same_program_gives_the_same_document(installed):
    program = one(installed, "bin/shared-ollama")
    assert sbom(program) == sbom(program, TZ="Asia/Tokyo")


def test_packages_and_container_have_what_the_build_needs():
    setup = (ROOT / "deploy" / "setup.sh").read_text()
    needed = {word for word in re.search(r'^BUILD_PACKAGES="(.*)"$', setup, re.M).group(1).split() if word.startswith("lib") and word.endswith("-dev")}
    needed.add("zlib1g-dev")
    control = (ROOT / "deploy" / "debian" / "control").read_text()
    container = (ROOT / "deploy" / "container" / "Containerfile").read_text()
    assert len(needed) > 5
    # libc6-dev is in every Debian build
    assert [name for name in sorted(needed - {"libc6-dev"}) if not re.search(rf"\b{name}\b", control)] == []
    assert [name for name in sorted(needed) if not re.search(rf"\b{name}\b", container)] == []
