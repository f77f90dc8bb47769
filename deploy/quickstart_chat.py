"""The part of deploy/quickstart after the build: daemon, chat, and how to connect."""

import argparse
import json
import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
APP = "demo"
CONVERSATION = "quickstart"
CHAT = [
    ("alice", "Hi Bob, is the *quickstart* working?"),
    ("bob", "It is: this came through TalkJS's realtime protocol, and out over gRPC."),
    ("alice", "And my unread messages?"),
    ("bob", "Streamed as well. Look at the line below."),
]
# Generous: a sanitizer's build on a busy machine must pass, too.
READY_SECONDS = 30
EVENT_SECONDS = 30
STOP_SECONDS = 10


class QuickstartError(Exception):
    """Something a person can read."""


class Daemon:
    """talkjsd with the emulator, on a socket in a directory of its own."""

    def __init__(self, bin_dir, directory):
        self.talkjsctl = os.path.join(bin_dir, "talkjsctl")
        self.socket = os.path.join(directory, "talkjsd.sock")
        self.address = "unix://" + self.socket
        self.log_path = os.path.join(directory, "talkjsd.log")
        command = [
            os.path.join(bin_dir, "talkjsd"),
            "--emulator",
            "--listen=" + self.address,
            "--state-dir=" + os.path.join(directory, "state"),
        ]
        os.mkdir(os.path.join(directory, "state"), 0o700)
        with open(self.log_path, "wb") as log:
            # A session of its own: Ctrl-C is ours to handle, in order.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        print("$ " + shlex.join(command), flush=True)

    def wait_until_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while True:
            if self.process.poll() is not None:
                raise QuickstartError(f"talkjsd ended with {self.process.returncode}:\n{self.log()}")
            if os.path.exists(self.socket):
                status = self.ctl("status", check=False)
                if status.returncode == 0:
                    return
            if time.monotonic() > deadline:
                raise QuickstartError(f"talkjsd is not ready after {READY_SECONDS} s:\n{self.log()}")
            time.sleep(0.05)

    def ctl_command(self, *arguments):
        return [self.talkjsctl, "--address", self.address, *arguments]

    def ctl(self, *arguments, check=True):
        """Runs talkjsctl to its end."""
        command = self.ctl_command(*arguments)
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True
        )
        if check and done.returncode != 0:
            raise QuickstartError(f"{shlex.join(command)}\n{done.stderr.strip()}\n{self.log()}")
        return done

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-20:]).rstrip()

    def stop(self):
        """SIGTERM; returns what is wrong with the daemon's end, or None."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"talkjsd did not stop within {STOP_SECONDS} s of SIGTERM"
        return None if code == 0 else f"talkjsd ended with {code}:\n{self.log()}"


class Stream:
    """A talkjsctl that follows one session's messages or unreads, line by line."""

    def __init__(self, daemon, kind, user, events):
        self.process = subprocess.Popen(
            daemon.ctl_command("--json", "-v", kind, "--session", f"{APP}/{user}"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.kind, self.user, self.events = kind, user, events
        self.opened = threading.Event()
        self.said = []
        for read in (self._read_events, self._read_errors):
            threading.Thread(target=read, daemon=True).start()

    def _read_events(self):
        for line in self.process.stdout:
            self.events.put((self.user, self.kind, line.rstrip("\n")))

    def _read_errors(self):
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))
            if ": open" in line:
                self.opened.set()
        self.opened.set()

    def wait_until_open(self):
        if not self.opened.wait(READY_SECONDS) or self.process.poll() is not None:
            raise QuickstartError(f"the {self.kind} of {self.user} cannot be streamed: {self.said}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()


def in_short(user, kind, event):
    """An event on one line, for people."""
    if kind == "messages":
        message = event.get("sent")
        if message is None:
            return f"{user:>6} <- message event {', '.join(sorted(event))}"
        mine = "me" if message["is_by_me"] else message.get("sender_id", "system")
        return f"{user:>6} <- Message  {message['conversation']['id']}  {mine}: {message['body']}"
    unread = [
        f"{item['conversation']['id']} ({item['unread_message_count']}): "
        f"{item['last_message']['body']}"
        for item in event.get("conversations", [])
    ]
    return f"{user:>6} <- Unreads  {'; '.join(unread) or 'nothing unread'}"


class Chat:
    """Plays CHAT: each line is sent when every event of the one before has arrived."""

    def __init__(self, daemon, as_json):
        self.daemon, self.as_json = daemon, as_json
        self.events = queue.Queue()
        self.streams = []
        self.received = set()  # (user, kind, message id; None for a list of unreads)

    def play(self):
        for user in ("alice", "bob"):
            self.daemon.ctl(
                "session", "create", "--app-id", APP, "--user", user, "--name", user.capitalize(),
                "--role", "default", "--no-credentials", "--wait", "--timeout", str(READY_SECONDS),
            )  # fmt: skip
        for user in ("alice", "bob"):
            for kind in ("messages", "unreads"):
                self.streams.append(Stream(self.daemon, kind, user, self.events))
        for stream in self.streams:
            stream.wait_until_open()
        print("alice and bob are logged in; what their gRPC streams carry:", flush=True)
        self.wait_for({(user, "unreads", None) for user in ("alice", "bob")}, "the first lists")
        in_conversation = set()
        for sender, text in CHAT:
            in_conversation.add(sender)
            self.send(sender, text, in_conversation)

    def send(self, sender, text, in_conversation):
        sent = self.daemon.ctl(
            "--json", "send", "--session", f"{APP}/{sender}", "--conversation", CONVERSATION,
            "--ensure-participant", text,
        )  # fmt: skip
        message_id = json.loads(sent.stdout)["message_id"]
        print(f"{sender:>6} -> {text}", flush=True)
        wanted = {(user, "messages", message_id) for user in in_conversation}
        wanted |= {(user, "unreads", message_id) for user in in_conversation if user != sender}
        self.wait_for(wanted, f"message {message_id}")

    def wait_for(self, wanted, what):
        """Takes events until all of `wanted` have arrived."""
        deadline = time.monotonic() + EVENT_SECONDS
        while not wanted <= self.received:
            try:
                self.take(*self.events.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                missing = ", ".join(f"{kind} of {user}" for user, kind, _ in wanted - self.received)
                said = [line for stream in self.streams for line in stream.said]
                raise QuickstartError(
                    f"no event in {EVENT_SECONDS} s for {what}: {missing}\n"
                    + "\n".join(said + [self.daemon.log()])
                ) from None

    def take(self, user, kind, line):
        event = json.loads(line)
        print(line if self.as_json else in_short(user, kind, event), flush=True)
        if kind == "messages":
            if "sent" in event:
                self.received.add((user, kind, event["sent"]["id"]))
        else:
            self.received.add((user, kind, None))
            for item in event.get("conversations", []):
                if int(item["unread_message_count"]) > 0:
                    self.received.add((user, kind, item["last_message"]["id"]))

    def follow(self):
        """Prints further events until the daemon ends."""
        while self.daemon.process.poll() is None:
            try:
                self.take(*self.events.get(timeout=0.5))
            except queue.Empty:
                pass
        raise QuickstartError(f"talkjsd ended by itself:\n{self.daemon.log()}")

    def stop(self):
        for stream in self.streams:
            stream.stop()


def how_to_connect(daemon):
    ctl = os.path.relpath(daemon.talkjsctl)
    ctl = daemon.talkjsctl if ctl.startswith("..") else ctl
    python_path = os.path.join(os.path.dirname(os.path.dirname(ctl)), "python")
    grpcurl = "grpcurl -plaintext -max-time 5 $TALKJSD_ADDRESS talkjs.sidecar.v1"
    return f"""
talkjsd stays up; what happens is printed here. In another terminal, in this directory:

  export TALKJSD_ADDRESS={daemon.address}

  {ctl} status
  {ctl} send --session {APP}/bob --conversation {CONVERSATION} "Hello from a shell"
  {ctl} messages --session {APP}/alice --earliest --count 2

  PYTHONPATH={python_path} /usr/bin/python3 -c '
  import talkjsd
  with talkjsd.Client() as client:
      for event in client.messages(earliest=True):
          print(event.session_id, event.sent.sender_id, event.sent.body)'

  {grpcurl}.DaemonService/GetInfo
  {grpcurl}.EventService/StreamUnreads

The protos are in proto/, the log is {daemon.log_path}.
Ctrl-C stops the daemon and removes its directory.
"""


def main():
    parser = argparse.ArgumentParser(prog="quickstart")
    parser.add_argument("--bin", required=True)
    parser.add_argument("--exit", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    # SIGTERM and a closed terminal end it as Ctrl-C does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    # Short: a socket's path has 107 characters at most.
    directory = tempfile.mkdtemp(prefix="talkjsd-", dir="/tmp")
    daemon = chat = problem = None
    interrupted = False
    try:
        daemon = Daemon(options.bin, directory)
        daemon.wait_until_ready()
        chat = Chat(daemon, options.json)
        chat.play()
        if not options.exit:
            print(how_to_connect(daemon), flush=True)
            chat.follow()
    except QuickstartError as error:
        problem = str(error)
    except BrokenPipeError:
        problem = "nobody reads its output any more"
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    except KeyboardInterrupt:
        interrupted = True
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if chat is not None:
            chat.stop()
        if daemon is not None:
            problem = problem or daemon.stop()
            daemon.stop()
        shutil.rmtree(directory, ignore_errors=True)
    if problem is not None:
        print(f"quickstart: {problem}", file=sys.stderr)
        return 1
    if interrupted:
        if options.exit:
            return 130
        print("\ntalkjsd has stopped.")
    else:
        print("Every event arrived, and talkjsd has stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
