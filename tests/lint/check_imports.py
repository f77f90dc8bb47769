#!/usr/bin/env python3
"""Rejects includes against the import direction of docs/architecture.md.

  direction    a room includes a room that it may not know
  cmake        daemon/CMakeLists.txt links a room that this table does not allow
  heavy        a room includes another room's header that includes gRPC or Boost, so that it would
               compile them too (inside one room, headers may wrap them)
  grpc         gRPC or its generated services outside api, admin and client
  folder       a folder of a room includes one that it may not know
  quotes       one of ours included with <>, or with a relative path
"""

import os
import re
import sys

import tree

# What each room may include besides itself and base.
ROOMS = {
    "base": set(),
    "wire": set(),
    "net": set(),
    "upstream": {"wire", "net"},
    "journal": set(),
    "session": {"upstream", "wire", "net", "journal"},
    # Calls are built by upstream and carried by session; net accepts the Unix socket.
    "api": {"session", "journal", "upstream", "wire", "net"},
    "admin": {"session", "journal", "net"},
    "config": set(),
    "emulator": {"wire", "net"},
}
# Rooms that are too large for one folder: what each of their folders may include besides itself. What
# lies in the room itself is what all of them speak of (refusals, limits) and what is built from them.
FOLDERS = {
    "api": {
        "access": set(),
        "convert": set(),
        "calls": {"access", "convert"},
        "streams": {"calls", "convert"},
    },
    "emulator": {
        "model": set(),
        "store": {"model"},
        "calls": {"model"},
        "faults": {"calls"},
        "realtime": {"model", "calls", "faults"},
        "control": {"model", "store", "calls", "faults", "realtime"},
        "http": {"model", "calls"},
        "rest": {"model", "calls", "http"},
    },
}
# talkjsctl's journal commands read the store; the rest of the clients knows only the protos.
CLIENT = {"talkjsctl": {"journal"}}

# JSON values are what these are about.
LIGHT = {"daemon/wire/json.h", "daemon/wire/frame.h", "daemon/wire/event.h"}

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
_ROOM_RULE = re.compile(r"talkjsd_room\(\s*(\w+)([^)]*)\)", re.DOTALL)


def includes(code):
    """(line, bracket, path) of every include."""
    for match in _INCLUDE.finditer(code):
        yield code.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def heavy_headers(files):
    """Of {path: code}, the headers that include gRPC or Boost, also by way of others of ours."""
    included = {
        path: {name for _, _, name in includes(code)}
        for path, code in files.items()
        if path.endswith(".h") and path not in LIGHT
    }
    heavy = {
        path
        for path, names in included.items()
        if any(name.split("/")[0] in ("boost", "grpc", "grpcpp") for name in names)
        or any(name.endswith(".grpc.pb.h") for name in names)
    }
    while True:
        more = {path for path, names in included.items() if names & heavy} - heavy
        if not more:
            return heavy
        heavy |= more


def folder_of(path):
    """Whose library a file belongs to: "daemon/api" for daemon/api/streams/stream.h."""
    parts = path.split("/")
    return "/".join(parts[:2] if parts[0] == "daemon" else parts[:-1])


def check_file(path, code, heavy=frozenset()):
    """Problems of one file: a list of (line, rule, message)."""
    problems = []
    parts = path.split("/")
    top, room = parts[0], parts[1] if len(parts) > 2 else ""
    for line, bracket, name in includes(code):
        target = name.split("/")
        if target[0] in ("daemon", "client") and bracket == "<":
            problems.append((line, "quotes", f"{name} is ours: include it with quotes"))
        if name.startswith("../"):
            problems.append((line, "quotes", f"{name}: name it from the root, not relatively"))
        if top == "daemon" and room:
            if target[0] == "client":
                problems.append((line, "direction", f"daemon may not include {name}"))
            if target[0] == "daemon" and len(target) > 2 and target[1] not in ("base", room):
                if target[1] not in ROOMS.get(room, set()):
                    problems.append((line, "direction", f"{room} may not include {name}"))
        if top == "daemon" and target[:2] == ["daemon", room]:
            inner, other = parts[2:-1], target[2:-1]
            if inner and other and other != inner:
                if other[0] not in FOLDERS.get(room, {}).get(inner[0], set()):
                    problems.append((line, "folder", f"{room}/{inner[0]} may not include {name}"))
        if top == "client" and target[0] == "daemon":
            if target[1] not in CLIENT.get(room, set()):
                problems.append((line, "direction", f"client may not include {name}"))
        if top in ("daemon", "client") and name in heavy and folder_of(name) != folder_of(path):
            problems.append((line, "heavy", f"{name} brings gRPC or Boost along"))
        if top == "daemon" and room not in ("api", "admin", ""):
            if target[0] in ("grpc", "grpcpp") or name.endswith(".grpc.pb.h"):
                problems.append((line, "grpc", f"{name} outside api, admin and client"))
    return problems


def check_cmake(code):
    """Problems of daemon/CMakeLists.txt: rooms that link what they may not include."""
    problems = []
    seen = set()
    for match in _ROOM_RULE.finditer(code):
        room = match.group(1)
        line = code.count("\n", 0, match.start()) + 1
        if room not in ROOMS:
            problems.append((line, "cmake", f"room {room} is not in tests/lint/check_imports.py"))
            continue
        seen.add(room)
        deps = re.search(r"\bDEPS\s+([^)]*?)(?:\bPACKAGES\b|\bPCH\b|$)", match.group(2), re.DOTALL)
        linked = set(deps.group(1).split()) & set(ROOMS) if deps else set()
        for dependency in sorted(linked - {"base"} - ROOMS[room]):
            problems.append((line, "cmake", f"{room} may not link {dependency}"))
    for room in sorted(set(ROOMS) - seen):
        problems.append((1, "cmake", f"no talkjsd_room({room} ...)"))
    return problems


def main():
    failures = 0
    files = {path: tree.read(path) for path in tree.sources()}
    heavy = heavy_headers(files)
    checked = [(path, check_file(path, code, heavy)) for path, code in files.items()]
    cmake = os.path.join("daemon", "CMakeLists.txt")
    checked.append((cmake, check_cmake(tree.read(cmake))))
    for path, problems in checked:
        for line, rule, message in problems:
            print(f"{path}:{line}: {rule}: {message}")
            failures += 1
    if failures:
        print(f"check_imports: {failures} problems; the direction is in docs/architecture.md")
        return 1
    print(f"check_imports: {len(files)} files, no problems")
    return 0


if __name__ == "__main__":
    sys.exit(main())
