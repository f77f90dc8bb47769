#!/usr/bin/env python3
"""Writes the recorded traffic as seeds for a fuzz target: corpus.py emulator|wire_frame CAPTURES DIRECTORY.

emulator: one input a recording, its lines as emulator_fuzzer.cc reads them. wire_frame: one input a frame.
"""

import hashlib
import json
import pathlib
import sys


def frame_text(record):
    frame = record.get("frame")
    return record["raw"] if frame is None else json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def emulator_line(record):
    if "http" in record:
        return f"{record['http']['method']} {record['http']['path']}"
    if record.get("dir") != "c2s":
        return None
    return ("@b " if record.get("conn", 1) % 2 == 0 else "") + frame_text(record)


def inputs(target, recording):
    records = [json.loads(line) for line in recording.read_text().splitlines()[1:]]
    if target == "emulator":
        lines = [line for line in map(emulator_line, records) if line]
        # Short ones are changed faster.
        return ["\n".join(lines[i : i + 40]) for i in range(0, len(lines), 40)]
    return [frame_text(record) for record in records if "dir" in record]


def main():
    target, captures, directory = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    directory.mkdir(parents=True, exist_ok=True)
    for recording in sorted(captures.glob("*.jsonl")):
        for text in inputs(target, recording):
            data = text.encode()
            (directory / hashlib.sha1(data).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    main()
