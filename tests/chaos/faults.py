"""Carries out a schedule: on processes with signals, on the upstream through the emulator's control endpoint."""

import heapq
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import harness
import history as histories

HERE = os.path.dirname(os.path.abspath(__file__))


class EmulatorApi:
    """The emulator from outside: its control endpoint, and the REST API of TalkJS, which says what is true."""

    def __init__(self, host):
        self._control = f"http://{host}/_emulator/v1/"
        self._rest = f"http://{host}/public_api/v1/{harness.APP}"

    def control(self, method, path, body=None):
        return self._ask(self._control + path, method, body)

    def rest(self, path):
        return self._ask(self._rest + path, "GET", None)

    def _ask(self, url, method, body):
        request = urllib.request.Request(
            url, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {harness.KEY}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=harness.PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {url}: {error.code} {error.read()[:300]}") from None

    def _pages(self, path):
        """All items of a list, in the order of the API: newest first."""
        found, after = [], ""
        while True:
            page = self.rest(f"{path}?limit=100{after}")["data"]
            found += page
            if len(page) < 100:
                return found
            after = f"&startingAfter={page[-1]['id']}"

    def messages(self, conversation):
        """Of history.Message, oldest first."""
        return [histories.Message(item["id"], conversation, item["senderId"], item["text"], item["createdAt"])
                for item in reversed(self._pages(f"/conversations/{conversation}/messages"))]

    def unreads(self, user):
        """Conversation -> number of unread messages, without those that have none."""
        return {item["id"]: item["unreadMessageCount"]
                for item in self._pages(f"/users/{user}/conversations") if item["unreadMessageCount"]}


class DaemonKeeper:
    """One talkjsd after the other on the same socket and directory."""

    def __init__(self, case, upstream, flags):
        self._case, self._upstream, self._flags = case, upstream, flags
        self.kills = []  # wall clock
        self.daemon = None
        self.start(wait=True)
        self.address = self.daemon.address

    def start(self, wait=False):
        before = self.daemon
        self.daemon = harness.Daemon(
            self._case, self._flags, self._upstream, wait=wait, state_dir=before and before.state_dir,
            listen=before and before.socket)

    def running(self):
        return self.daemon.process.popen.poll() is None

    def check(self):
        """It ends when it is killed, and never otherwise."""
        code = self.daemon.process.popen.poll()
        if code is not None and not self.daemon.process.may_end:
            raise AssertionError(f"talkjsd ended with {code}:\n{self.daemon.process.log()[-6000:]}")

    def kill(self):
        self.check()
        self.daemon.process.may_end = True
        self.daemon.process.kill()
        self.kills.append(time.time())


class ClientKeeper:
    """One process after the other with the same history and position."""

    def __init__(self, case, name, how, arguments, directory):
        self.name, self._case = name, case
        self.history_path = os.path.join(directory, f"{name}.history")
        self._command = [
            sys.executable, os.path.join(HERE, "clients.py"), how, "--name", name,
            "--history", self.history_path, "--position", os.path.join(directory, f"{name}.position"),
            *arguments]
        self.kills = 0
        self.process = None
        self.start()

    def start(self):
        self.process = self._case.spawn(self.name, self._command, {
            "TALKJSD_PYTHON": os.path.dirname(os.path.dirname(harness.talkjsd.__file__)),
            "TALKJSD_BIN": harness.BIN, "PYTHONDONTWRITEBYTECODE": "1"})

    def check(self):
        code = self.process.popen.poll()
        if code is not None and not self.process.may_end:
            raise AssertionError(f"client {self.name} ended with {code}:\n{self.process.log()[-6000:]}")

    def kill(self):
        self.check()
        self.process.may_end = True
        self.process.kill()
        self.kills += 1

    def stop(self):
        self.process.may_end = True
        code, _ = self.process.stop()
        assert code in (0, -signal.SIGTERM), self.process.log()


class Faults:
    """Actions of a schedule by name. Everything runs on the thread that calls play(), but for what may have to wait
    for a daemon or the SDK: that has a thread of its own, one thing after the other."""

    def __init__(self, emulator, daemon, clients, people):
        self._emulator, self._daemon, self._people = emulator, daemon, people
        self._clients = {client.name: client for client in clients}
        self._due = []  # heap of (time, number, function)
        self._number = 0
        self._slow = ThreadPoolExecutor(1)
        self._slow_results = []
        self.applied = []  # (wall clock, text)

    def play(self, actions, end, without=()):
        start = time.monotonic()
        for action in actions:
            if action.kind not in without:
                self._at(start + action.at, lambda action=action: self._apply(action))
        self._at(start + end, lambda: None)
        while self._due:
            due, _, function = heapq.heappop(self._due)
            while (left := due - time.monotonic()) > 0:
                time.sleep(min(left, 0.2))
                self._daemon.check()
                for client in self._clients.values():
                    client.check()
            function()

    def finish(self):
        """After the schedule: no fault is left but in connections that nobody has noticed to be dead."""
        self._emulator.control("DELETE", "faults")
        for result in self._slow_results:
            result.result(harness.PATIENCE)
        self._slow.shutdown()

    def _at(self, moment, function):
        self._number += 1
        heapq.heappush(self._due, (moment, self._number, function))

    def _after(self, seconds, function):
        self._at(time.monotonic() + seconds, function)

    def _apply(self, action):
        self.applied.append((time.time(), str(action)))
        getattr(self, action.kind)(**action.arguments)

    def _slowly(self, function, *arguments):
        self._slow_results.append(self._slow.submit(function, *arguments))

    # --- the actions ---

    def kill_daemon(self, down):
        if not self._daemon.running():  # the kill before was late
            self._after(0.05, lambda: self.kill_daemon(down))
            return
        self._daemon.kill()
        self._after(down, self._daemon.start)

    def kill_client(self, client, down):
        keeper = self._clients[client]
        if not keeper.process.may_end:
            keeper.kill()
            self._after(down, keeper.start)

    def _connections(self, action, user, **more):
        self._emulator.control("POST", f"connections/{action}", {"user": user, **more})

    def drop(self, user, reset):
        self._connections("drop", user, reset=reset)

    def close(self, user):
        self._connections("close", user)

    def stall(self, user, ms):
        self._connections("stall", user, ms=ms)

    def half_open(self, user):
        self._connections("half-open", user)

    def expire(self, user):
        self._connections("expire", user)

    def rule(self, rule):
        """At most one of a user at a time: those that never fired would add up."""
        for old in self._emulator.control("GET", "faults")["faults"]:
            if old.get("user") == rule["user"]:
                self._emulator.control("DELETE", f"faults/{old['id']}")
        self._emulator.control("POST", "faults", rule)

    def give_token(self, user, lifetime):
        self._slowly(self._people.give_token, user, lifetime)

    def new_conversation(self, name, retired):
        self._slowly(self._people.new_conversation, name, retired)


class People:
    """The senders, and who logs the daemon's users in."""

    def __init__(self, sdk, watchers, daemon, give_up):
        self._sdk, self._watchers, self._daemon = sdk, watchers, daemon
        self._give_up = give_up
        self._lock = threading.Lock()
        self.conversations = []
        self._lively = []

    def new_conversation(self, name, retired=None):
        """Somebody starts it, with everybody in it; the other one falls silent."""
        with self._lock:
            self._sdk.ask("prepare", conversations=[name], others=self._watchers)
            self.conversations.append(name)
            self._lively = [other for other in self._lively if other != retired] + [name]
            self._sdk.ask("flood", conversations=self._lively)

    def halt(self):
        """Conversation -> ids of the messages that the SDK says have arrived."""
        with self._lock:
            return self._sdk.ask("halt", harness.PATIENCE)["sent"]

    def give_token(self, user, lifetime):
        """As a program does whose session tells that its token is about to end. The daemon may be down."""
        deadline = time.monotonic() + self._give_up
        while True:
            token = harness.token(user, exp=int(time.time()) + lifetime)
            try:
                return self._daemon.daemon.create(user, token=token)
            except harness.talkjsd.Error as error:
                # A short-lived one may have ended while the daemon was awaited.
                if (error.code.name != "UNAVAILABLE" and error.reason != "TOKEN_EXPIRED" or
                        time.monotonic() > deadline):
                    raise
                time.sleep(0.1)
