#!/usr/bin/env python3
"""docs/operations.md names every flag of talkjsd, with its default, and every metric; and no others."""

import re
import sys

import tree

FLAGS = "daemon/config/flags.cc"
METRICS = "daemon/base/metrics.cc"
DOCS = "docs/operations.md"

_STRING = r'"((?:[^"\\]|\\.)*)"'
_FLAG = re.compile(r"\{\s*" + r"\s*,\s*".join([_STRING] * 4) + r"\s*,")
_METRIC = re.compile(r'"(talkjsd_[a-z0-9_]+)"')


def flags(code):
    """{name: default in words} of the table of flags."""
    return {found.group(1): found.group(4) for found in _FLAG.finditer(code)}


def rows(text, heading):
    """The cells of the table's rows under a heading of the document."""
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def main():
    text = tree.read(DOCS)
    problems = []
    known_flags = flags(tree.read(FLAGS))
    documented = {}
    for name, *rest in rows(text, "Flags"):
        documented[re.match(r"`--([a-z-]+)", name).group(1)] = rest[-1].replace("`", "")
    for name, default in known_flags.items():
        if name not in documented:
            problems.append(f"flag --{name} is missing")
        elif documented[name] != default:
            problems.append(f"flag --{name}: default is '{documented[name]}', not '{default}'")
    problems += [f"there is no flag --{name}" for name in documented.keys() - known_flags.keys()]
    known_metrics = set(_METRIC.findall(tree.read(METRICS)))
    in_docs = {re.match(r"`(\w+)", row[0]).group(1) for row in rows(text, "Metrics")}
    problems += [f"metric {name} is missing" for name in known_metrics - in_docs]
    problems += [f"there is no metric {name}" for name in in_docs - known_metrics]
    if not known_flags or not known_metrics:
        problems.append(f"no flags or no metrics found in {FLAGS} and {METRICS}")
    for problem in sorted(problems):
        print(f"{DOCS}: {problem}")
    if not problems:
        print(f"check_docs: {len(known_flags)} flags, {len(known_metrics)} metrics, no problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
