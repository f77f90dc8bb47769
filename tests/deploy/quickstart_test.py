"""deploy/quickstart without --exit: what it says to type works, and Ctrl-C ends it cleanly."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS = 60


def fail(message):
    print("FAILED:", message)
    sys.exit(1)


def commands(text):
    """The indented commands, each with the lines that belong to it; the export first."""
    block = text[text.index("In another terminal") :]
    lines = [line[2:] for line in block.splitlines() if line.startswith("  ")]
    found = []
    for line in lines:
        if found and found[-1].count("'") % 2 == 1:
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found


def run(export, command, patterns):
    done = subprocess.run(
        ["bash", "-ec", f"{export}\n{command}"],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    output = done.stdout + done.stderr
    for pattern in patterns:
        if not re.search(pattern, output):
            fail(f"{command}\nsaid (exit code {done.returncode}):\n{output}")
    print("ok:", command.splitlines()[0])


def bounded(command):
    """The Python example follows for ever: lets it print what there is, and end."""
    return command.replace("/usr/bin/python3 -c", "timeout 3 /usr/bin/python3 -u -c")


def main():
    process = subprocess.Popen(
        [os.path.join(ROOT, "deploy", "quickstart")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    watchdog = threading.Timer(2 * SECONDS, process.kill)
    watchdog.start()
    try:
        try_it(process)
    finally:
        watchdog.cancel()
        process.terminate()
        process.wait()


def try_it(process):
    text = ""
    for line in process.stdout:
        text += line
        if line.startswith("Ctrl-C"):
            break
    else:
        fail("it ended by itself:\n" + text)
    export, *others = commands(text)
    socket = re.search(r"unix://(\S+)", export).group(1)
    expected = {
        "talkjsctl status": ["EMULATOR"],
        "talkjsctl send": ["sent msg_"],
        "talkjsctl messages": ["quickstart", "bob"],
        "python3": ["alice .*Bob", "Hello from a shell"],
        "DaemonService/GetInfo": ['"version"'],
        "EventService/StreamUnreads": ["unread_?[mM]essage_?[cC]ount"],
    }
    for name, patterns in expected.items():
        command = next((command for command in others if name in command), None)
        if command is None:
            fail(f"no command with {name} in:\n{text}")
        others.remove(command)
        if "grpcurl" in command and shutil.which("grpcurl") is None:
            print("not tried, no grpcurl here:", command)
            continue
        run(export, bounded(command), patterns)
    if others:
        fail(f"commands that this test does not know: {others}")
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    if process.wait(SECONDS) != 0 or "talkjsd has stopped" not in rest:
        fail(f"after Ctrl-C: exit code {process.returncode}\n{rest}")
    if os.path.exists(os.path.dirname(socket)):
        fail(f"{os.path.dirname(socket)} is still there")
    print("ok: Ctrl-C")


if __name__ == "__main__":
    main()
