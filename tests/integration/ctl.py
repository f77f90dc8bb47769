"""talkjsctl against a test's daemon."""

import json
import os
import subprocess

from harness import BIN, PATIENCE


def run(daemon, *arguments, given=""):
    """Runs talkjsctl; returns the finished process. given: its standard input."""
    return subprocess.run([os.path.join(BIN, "talkjsctl"), "--address", daemon.address, *arguments],
                          input=given, capture_output=True, text=True, timeout=PATIENCE, check=False)


def lines(case, daemon, *arguments, given=""):
    """What it prints with --json, line by line; it must succeed."""
    done = run(daemon, "--json", *arguments, given=given)
    case.assertEqual(done.returncode, 0, done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def text(case, daemon, *arguments, given=""):
    """What it prints as a table; it must succeed."""
    done = run(daemon, *arguments, given=given)
    case.assertEqual(done.returncode, 0, done.stderr)
    return done.stdout
