"""Makes the live page one C file: make_page.py OUT.c page.html part.css part.js …

Each part takes the place of @its name@ in the page. Blanks at the beginning of lines are left out. The Content-Security-Policy names
the hashes of what stands in <style> and <script>, so that nothing else runs. The same input gives the same output.
"""

import base64
import hashlib
import pathlib
import re
import sys

BYTES_A_LINE = 24
# A byte as a number keeps every compiler quiet, however long the page is.
SOURCE = """/* Made by src/admin/make_page.py. */
#include "admin/dashboard_page.h"

const char dashboard_policy[] =
{policy};

const size_t dashboard_page_bytes = {length};

const unsigned char dashboard_page[] = {{
{bytes}
}};
"""


def joined(page, parts):
    text = page.read_text(encoding="utf-8")
    for part in parts:
        mark = f"@{part.name}@"
        if text.count(mark) != 1:
            sys.exit(f"{page}: {mark} stands there {text.count(mark)} times")
        text = text.replace(mark, "\n" + part.read_text(encoding="utf-8"))
    return re.sub(r"^[ \t]+", "", text, flags=re.M)


def hashes(text, element):
    """As a policy names them, of everything that stands in elements of this name."""
    found = re.findall(f"<{element}>(.*?)</{element}>", text, flags=re.S)
    return " ".join("'sha256-" + base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode() + "'" for inner in found)


def policy(text):
    return [
        "default-src 'none'",
        f"script-src {hashes(text, 'script')}",
        f"style-src {hashes(text, 'style')}",
        "img-src data:",  # the icon
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]


def main():
    out, page, *parts = map(pathlib.Path, sys.argv[1:])
    text = joined(page, parts)
    data = text.encode()
    rows = [data[at : at + BYTES_A_LINE] for at in range(0, len(data), BYTES_A_LINE)]
    out.write_text(
        SOURCE.format(
            policy="\n".join(f'\t"{rule}; "' for rule in policy(text)),
            length=len(data),
            bytes="\n".join("\t" + ", ".join(map(str, row)) + "," for row in rows),
        ),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
