#!/usr/bin/env python3
"""Checks the one-way rule of the rooms: a file includes public headers, its own folder, and folders of the layers below.

    base < sched < limit < net < {flow, llm, mock} < bulk < cli

flow, llm and mock never see each other. Only src/net includes curl, only src/mock the web server's library, and no public
header includes anything but the C library and its neighbours. Prints each breach and exits 1 when there is one.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYER = {"base": 0, "sched": 1, "limit": 2, "net": 3, "flow": 4, "llm": 4, "mock": 4, "bulk": 5, "cli": 6}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
OWNER = {"curl/": ("net",), "microhttpd": ("mock",), "zlib.h": ("mock", "bulk"), "ck_": ("net",)}
PUBLIC_ALLOWED = {"stdbool.h", "stddef.h", "stdint.h", "stdarg.h"}


def room_of(path, name):
    """The room that an include in `path` leads to, or None outside src/."""
    target = (path.parent / name).resolve()
    try:
        return target.relative_to(ROOT / "src").parts[0]
    except ValueError:
        return None


def breaches_of(path):
    own = path.relative_to(ROOT / "src").parts[0]
    for kind, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if kind == "<":
            for prefix, owners in OWNER.items():
                if name.startswith(prefix) and own not in owners:
                    yield f"{name} belongs to src/{' and src/'.join(owners)}"
            continue
        if name.startswith("leat/"):
            continue
        room = room_of(path, name)
        if room is None:
            yield f"{name} is neither public nor in src/"
        elif room != own and LAYER[room] >= LAYER[own]:
            yield f"src/{own} may not look into src/{room} ({name})"


def public_breaches_of(path):
    for kind, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if kind == "<" and name not in PUBLIC_ALLOWED:
            yield f"a public header may not include <{name}>"
        if kind == '"' and "/" in name:
            yield f"a public header includes its neighbours by name alone, not {name}"


def main():
    found = 0
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        for breach in breaches_of(path):
            print(f"{path.relative_to(ROOT)}: {breach}")
            found += 1
    for path in sorted((ROOT / "include").rglob("*.h")):
        for breach in public_breaches_of(path):
            print(f"{path.relative_to(ROOT)}: {breach}")
            found += 1
    if found:
        print(f"check_layers: {found} breaches")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
