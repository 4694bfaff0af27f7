"""Who may include whom: the direction between the folders of src/, the home of each library, no bare names."""

import pathlib
import re

from findings import Case, Finding, main, own_files, read_lines

LEAVES = {"base", "json", "http"}
CARRIERS = LEAVES | {"config", "io", "core"}

# What a folder may include besides its own files. A leaf stands on base alone.
ALLOWED = {
    "base": set(),
    "json": {"base"},
    "http": {"base"},
    "config": LEAVES,
    "io": LEAVES,
    "core": LEAVES | {"config"},
    "observe": CARRIERS,
    "front": CARRIERS,
    "back": CARRIERS,
    "relay": CARRIERS | {"front", "back"},
    "admin": LEAVES | {"config", "core", "observe"},
    # Tools that read the log and the endpoints; only main.c may include them.
    "report": CARRIERS,
    # The small client that those share which ask a running service.
    "ask": LEAVES | {"config"},
    "top": CARRIERS | {"ask"},
    "doctor": CARRIERS | {"ask"},
    "health": CARRIERS | {"ask"},
}
# Single headers beyond the folders.
# front/client.h: who asked, the body of a pause, the stream of events.
ALLOWED_HEADERS = {"admin": {"front/reply.h", "front/access.h", "front/client.h"}}

# Each library has one home: what an include of it looks like, and the modules (or folders) that may.
HOMES = [
    ("libevhtp", r"evhtp(/.*|\.h)", {"front/listener", "http/split"}),
    ("evhttp", r"event2/(http|http_struct|http_compat|keyvalq_struct)\.h|evhttp\.h", {"back/pool", "back/exchange"}),
    ("OpenSSL", r"openssl/.*", {"io/tls", "io/secret"}),
    ("libsystemd", r"systemd/.*", {"io/systemd"}),
    ("yajl", r"yajl/.*", {"json/"}),
    ("libconfig", r"libconfig\.h(\+\+)?", {"config/"}),
    ("zlib", r"zlib\.h", {"report/input"}),
    ("ncurses", r"(ncursesw?/)?n?curses\.h", {"top/terminal"}),
]
# core decides and does no I/O: not even libevent's buffers.
CORE_FORBIDDEN = re.compile(r"event2/.*|event\.h|sys/(socket|epoll|un|uio|stat|file)\.h|netinet/.*|netdb\.h|poll\.h|fcntl\.h|unistd\.h|signal\.h")

# libevhtp's folder of headers has files of these names, and its .pc puts it on the path.
BARE_FORBIDDEN = {"config.h", "log.h", "parser.h", "thread.h"}
GENERATED = "build_config.h"

# Exceptions with their reason. One that is used no more is a finding too.
EXCEPTIONS = {
    ("src/core/identity.c", "event2/util.h"): "random bytes for ids: no loop, no socket",
    ("src/back/answer.c", "event2/http.h"): "the part of exchange that compares what evhttp parsed with what its witness did",
    ("src/back/outgoing.h", "event2/http.h"): "the part of exchange that makes a request for evhttp",
    ("src/back/answer.c", "event2/http_struct.h"): "as above: the version's fields have no getter",
    ("src/back/answer.c", "event2/keyvalq_struct.h"): "as above: fields in their order",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def split(path):
    """src/core/job.c -> ("core", "core/job"); src/main.c -> ("", "main")."""
    inside = pathlib.PurePosixPath(path).relative_to("src")
    folder = inside.parts[0] if len(inside.parts) > 1 else ""
    return folder, inside.with_suffix("").as_posix()


def is_home(module, homes):
    return any(module.startswith(home) if home.endswith("/") else module == home for home in homes)


def check_library(path, line, name):
    folder, module = split(path)
    for library, pattern, homes in HOMES:
        if re.fullmatch(pattern, name) and not is_home(module, homes):
            yield Finding(path, line, f"<{name}>: {library} may be seen only in {', '.join(sorted(homes))}")
    if folder == "core" and CORE_FORBIDDEN.fullmatch(name):
        yield Finding(path, line, f"<{name}>: core does no I/O and sees no library")


def check_own(root, path, line, name):
    folder, _ = split(path)
    if name == GENERATED:
        return
    if ".." in name.split("/") or not (pathlib.Path(root) / "src" / name).is_file():
        yield Finding(path, line, f'"{name}": no such file below src/')
        return
    target = name.split("/")[0] if "/" in name else ""
    if not target:
        if folder:
            yield Finding(path, line, f'"{name}": only proxy.c, main.c and their neighbours may include what stands beside them')
    elif folder and target != folder and target not in ALLOWED[folder] and name not in ALLOWED_HEADERS.get(folder, ()):
        yield Finding(path, line, f'"{name}": {folder}/ may not include {target}/')


def check_own_first(root, path, includes):
    """A .c file's own header comes first, which proves it complete."""
    own = pathlib.PurePosixPath(path).relative_to("src").with_suffix(".h").as_posix()
    if path.endswith(".c") and (pathlib.Path(root) / "src" / own).is_file():
        if not includes or includes[0][1:] != ('"', own):
            yield Finding(path, includes[0][0] if includes else 0, f'its own header "{own}" must come first')


def check_file(root, path, used):
    folder, _ = split(path)
    if folder and folder not in ALLOWED:
        yield Finding(path, 0, f"{folder}/ is not in the map of folders (tests/lint/includes.py)")
        return
    includes = []
    for number, text in enumerate(read_lines(root, path), 1):
        match = INCLUDE.match(text)
        if match:
            includes.append((number, *match.groups()))
    for line, kind, name in includes:
        if (path, name) in EXCEPTIONS:
            used.add((path, name))
            continue
        if name in BARE_FORBIDDEN:
            yield Finding(path, line, f"{name} without its folder may be libevhtp's file of that name")
        elif kind == "<":
            yield from check_library(path, line, name)
        else:
            yield from check_own(root, path, line, name)
    yield from check_own_first(root, path, includes)


def check(root):
    used = set()
    for path in own_files(root, ["src"], {".c", ".h"}):
        yield from check_file(root, path, used)
    for path, name in EXCEPTIONS:
        if (path, name) not in used and (pathlib.Path(root) / path).is_file():
            yield Finding(path, 0, f"the exception for {name} in tests/lint/includes.py is no longer needed")
    for path in own_files(root, ["subprojects"], {".c", ".h"}):
        for number, text in enumerate(read_lines(root, path), 1):
            match = INCLUDE.match(text)
            # the folder of the including file comes first for "", so a file that stands there is safe
            if match and match.group(2) in BARE_FORBIDDEN and not (
                match.group(1) == '"' and (pathlib.Path(root) / path).with_name(match.group(2)).is_file()
            ):
                yield Finding(path, number, f"{match.group(2)} without its folder may be libevhtp's file of that name")


def one(path, *includes, **others):
    """A tree of one file with these includes, and empty files for the headers that it names."""
    files = {path: "".join(f"#include {include}\n" for include in includes)}
    for include in includes:
        if include.startswith('"') and "build_config" not in include:
            files.setdefault("src/" + include.strip('"'), "")
    files.update(others.get("more", {}))
    return files


CASES = [
    Case("a clean file", one("src/relay/relay.c", '"relay/relay.h"', "<stdio.h>", '"back/pool.h"', '"front/reply.h"', '"json/peek.h"')),
    Case("root sees all", one("src/proxy.c", '"proxy.h"', '"admin/admin.h"', '"back/pool.h"', '"build_config.h"')),
    Case("homes", one("src/json/peek.c", "<yajl/yajl_parse.h>") | one("src/config/file.c", "<libconfig.h>") | one("src/io/tls.c", "<openssl/ssl.h>")
         | one("src/back/pool.c", "<event2/http.h>") | one("src/front/listener.c", "<evhtp/evhtp.h>") | one("src/http/split.c", "<evhtp/parser.h>")),
    Case("base looks up", one("src/base/log.c", '"base/log.h"', '"json/writer.h"'), [("src/base/log.c", 2)]),
    Case("a leaf beside a leaf", one("src/json/peek.c", '"http/head.h"'), [("src/json/peek.c", 1)]),
    Case("core looks up", one("src/core/job.c", '"io/spool.h"'), [("src/core/job.c", 1)]),
    Case("core does I/O", one("src/core/job.c", "<event2/buffer.h>", "<unistd.h>"), [("src/core/job.c", 1), ("src/core/job.c", 2)]),
    Case("front sees back", one("src/front/reply.c", "<stdio.h>", '"back/pool.h"'), [("src/front/reply.c", 2)]),
    Case("back sees observe", one("src/back/pool.h", '"observe/stats.h"'), [("src/back/pool.h", 1)]),
    Case("relay sees observe", one("src/relay/pass.c", '"observe/stats.h"'), [("src/relay/pass.c", 1)]),
    Case("admin sees a few headers of front and no others", one("src/admin/a.c", '"front/reply.h"', '"front/clients.h"'), [("src/admin/a.c", 2)]),
    Case("a folder sees the root", one("src/relay/relay.c", '"proxy.h"'), [("src/relay/relay.c", 1)]),
    Case("a tool in the serving path", one("src/admin/a.c", '"report/report.h"'), [("src/admin/a.c", 1)]),
    Case("an unknown folder", {"src/misc/a.c": ""}, [("src/misc/a.c", 0)]),
    Case("libevhtp away from home", one("src/front/client.c", "<evhtp/evhtp.h>"), [("src/front/client.c", 1)]),
    Case("evhttp away from home", one("src/relay/relay.c", "<event2/http.h>"), [("src/relay/relay.c", 1)]),
    Case("OpenSSL away from home", one("src/front/listener.c", "<openssl/ssl.h>"), [("src/front/listener.c", 1)]),
    Case("yajl away from home", one("src/observe/stats.c", "<yajl/yajl_gen.h>"), [("src/observe/stats.c", 1)]),
    Case("zlib away from home", one("src/relay/pass.c", "<zlib.h>"), [("src/relay/pass.c", 1)]),
    Case("ncurses away from home", one("src/doctor/a.c", "<ncurses.h>"), [("src/doctor/a.c", 1)]),
    Case("the tools' client in the serving path", one("src/relay/a.c", '"ask/ask.h"'), [("src/relay/a.c", 1)]),
    Case("libconfig away from home", one("src/main.c", "<libconfig.h>"), [("src/main.c", 1)]),
    Case("bare names", one("src/main.c", "<log.h>", '"thread.h"') | one("subprojects/ollama-sim/main.c", '"config.h"'),
         [("src/main.c", 1), ("src/main.c", 2), ("subprojects/ollama-sim/main.c", 1)]),
    Case("a neighbour of such a name", {"subprojects/ollama-sim/main.c": '#include "config.h"\n', "subprojects/ollama-sim/config.h": ""}),
    Case("not from src/", one("src/core/job.c", '"job.h"', more={"src/job.h": "", "src/core/a.c": '#include "../base/log.h"\n'}),
         [("src/core/job.c", 1), ("src/core/a.c", 1)]),
    Case("own header late", one("src/core/job.c", "<stdio.h>", '"core/job.h"'), [("src/core/job.c", 1)]),
    Case("an exception without its use", {"src/back/answer.c": "#include <event2/http.h>\n#include <event2/http_struct.h>\n"}, [("src/back/answer.c", 0)]),
]

if __name__ == "__main__":
    main(check, CASES, __doc__)
