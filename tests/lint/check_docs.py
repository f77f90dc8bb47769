#!/usr/bin/env python3
"""docs/operations.md names every metric, and no others. (docs/generate_reference has flags and keys.)"""

import re
import sys

import tree

METRICS = "daemon/base/metrics_reference.cc"
DOCS = "docs/operations.md"

_METRIC = re.compile(r'\{"([a-z0-9_]+)", k(Counter|Gauge|Histogram), "([a-z,]*)"')


def rows(text, heading):
    """The cells of the table's rows under a heading of the document."""
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def main():
    text = tree.read(DOCS)
    problems = []
    known_metrics = {(f"{name}{{{labels}}}" if labels else name, kind.lower())
                     for name, kind, labels in _METRIC.findall(tree.read(METRICS))}
    in_docs = {(row[0].strip("`"), row[1]) for row in rows(text, "Metrics")}
    problems += [f"{kind} {name} is missing" for name, kind in known_metrics - in_docs]
    problems += [f"there is no {kind} {name}" for name, kind in in_docs - known_metrics]
    if not known_metrics:
        problems.append(f"no metrics found in {METRICS}")
    for problem in sorted(problems):
        print(f"{DOCS}: {problem}")
    if not problems:
        print(f"check_docs: {len(known_metrics)} metrics, no problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
