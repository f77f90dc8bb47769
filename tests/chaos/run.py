"""Nothing is lost, whatever is killed: see README.md.

    tests/chaos/run [--seed N] [--kills N] [--without KIND]... [--keep DIR]
"""

import argparse
import collections
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

import harness  # noqa: E402  pylint: disable=wrong-import-position
import schedule  # noqa: E402  pylint: disable=wrong-import-position
import validators  # noqa: E402  pylint: disable=wrong-import-position
from faults import ClientKeeper, DaemonKeeper, EmulatorApi, Faults, People  # noqa: E402  pylint: disable=wrong-import-position
from harness import pb  # noqa: E402  pylint: disable=wrong-import-position
from history import Event, Evidence, Follower, Truth  # noqa: E402  pylint: disable=wrong-import-position

SENDERS = ["alice", "bob", "carol"]
CONVERSATIONS = [f"c{number}" for number in range(4)]
# User -> how the session proves who it is. Tokens of the first are minted by the daemon and end every 10 s; those of
# the second come from People.give_token; the third never renews anything.
WATCHERS = {"dave": "key", "erin": "token", "frank": "signature"}
# Name -> how it resumes, the users whose sessions it follows, more arguments.
CLIENTS = {
    "cursor": ("cursor", ["dave"], []),
    "everything": ("cursor", [], ["--store-every", "5"]),
    "some": ("cursor", ["erin"], ["--conversation", "c0", "--conversation", "c3", "--not-from", "erin",
                                  "--store-every", "3"]),
    "slow": ("cursor", ["frank"], ["--pause", "0.1"]),
    "time": ("time", ["frank"], ["--store-every", "2"]),
    "library": ("library", ["erin"], ["--store-every", "20"]),
    "talkjsctl": ("talkjsctl", ["dave"], ["--store-every", "20"]),
    "named": ("name", ["dave"], ["--store-every", "4"]),
}
# Without a sign of progress. A dead connection is noticed after 15 s, the first retry comes 5 to 15 s later.
SETTLE = 60.0  # s

OPTIONS = None


class Chaos(harness.Case):

    def setUp(self):
        super().setUp()
        self.files = os.path.join(self.directory, "histories")
        os.mkdir(self.files)

    def test_nothing_is_lost(self):
        try:
            self.run_schedule()
        except BaseException:
            self.keep(OPTIONS.keep or tempfile.mkdtemp(prefix="talkjsd-chaos-"))
            raise
        if OPTIONS.keep:
            self.keep(OPTIONS.keep)

    def run_schedule(self):
        self.start_all()
        actions, end = schedule.make(OPTIONS.seed, OPTIONS.kills, list(self.clients), list(WATCHERS),
                                     [user for user, how in WATCHERS.items() if how == "token"])
        print(f"schedule: {len(actions)} actions in {end:g} s", flush=True)
        for name in CONVERSATIONS:
            self.people.new_conversation(name)
        started = time.monotonic()
        self.faults.play(actions, end, OPTIONS.without)
        self.faults.finish()
        sent = self.people.halt()
        self.say(f"traffic ended after {time.monotonic() - started:.0f} s")
        self.people.give_token("erin", 86400)
        for session in self.sessions.values():
            self.daemon.daemon.wait_state(session, "CONNECTED", timeout=OPTIONS.settle)
        self.say("all sessions are connected")
        truth = Truth({name: self.emulator.messages(name) for name in self.people.conversations},
                      {session: user for user, session in self.sessions.items()})
        self.check_senders(sent, truth)
        self.wait_for_clients(truth)
        histories = self.stop_clients()
        self.say("clients are stopped")
        histories.append(self.audit())
        self.validate(Evidence(histories, truth, self.daemon.kills))
        self.check_unreads()
        self.check_journal()

    def say(self, what):
        print(f"{time.monotonic() - self.started:6.1f} s {what}", flush=True)

    # --- before ---

    def start_all(self):
        self.started = time.monotonic()
        emulator = self.start_emulator()
        self.emulator = EmulatorApi(emulator.host)
        self.daemon = DaemonKeeper(self, emulator.host, ["--log-level", "info"])
        self.sessions = {user: self.log_in(user, how) for user, how in WATCHERS.items()}
        sdk = harness.Sdk(self, emulator.host, SENDERS)
        self.people = People(sdk, list(WATCHERS), self.daemon, OPTIONS.settle)
        self.clients = {}
        for name, (how, users, arguments) in CLIENTS.items():
            if how == "name" and not self.has_subscriptions():
                self.say("this daemon has no named subscriptions: no client uses one")
                continue
            sessions = [argument for user in users for argument in ("--session", self.sessions[user])]
            self.clients[name] = ClientKeeper(self, name, how, [
                "--address", self.daemon.address, *sessions, *arguments], self.files)
        self.faults = Faults(self.emulator, self.daemon, list(self.clients.values()), self.people)

    def has_subscriptions(self):
        try:
            self.daemon.daemon.client.events.ListSubscriptions(pb.ListSubscriptionsRequest())
        except harness.talkjsd.Error as error:
            if error.reason != "NOT_IMPLEMENTED":
                raise
            return False
        return True

    def log_in(self, user, how):
        credentials = {"token": {"token": harness.token(user)},
                       "signature": {"signature": harness.signature(user)}}.get(how)
        if credentials is None:
            signing_key = pb.SigningKey(secret_key=harness.KEY)
            signing_key.token_lifetime.FromSeconds(10)
            credentials = {"signing_key": signing_key}
        return self.daemon.daemon.connect(user, key=None, **credentials)

    # --- afterwards ---

    def check_senders(self, sent, truth):
        """The emulator itself neither lost nor made up anything."""
        for name, messages in truth.conversations.items():
            self.assertEqual(sorted(message.id for message in messages), sorted(sent[name]),
                             f"{name}: what the senders know and what the emulator has")

    def wait_for_clients(self, truth):
        """Until they hold everything, or nobody gets anything any more: that is the validators' business."""
        self.followers = [Follower(client.name, client.history_path) for client in self.clients.values()]
        expected, missing = {}, {client: None for client in self.clients}
        quiet_since = time.monotonic()
        while any(count != 0 for count in missing.values()) and time.monotonic() - quiet_since < OPTIONS.settle:
            self.daemon.check()
            for client, follower in zip(self.clients.values(), self.followers):
                client.check()
                history = follower.read()
                if missing[client.name] == 0 or not history.streams:
                    continue
                if client.name not in expected:
                    expected[client.name] = truth.expected(history.streams[-1].selection)
                count = len(expected[client.name] - history.held)
                if count != missing[client.name]:
                    missing[client.name], quiet_since = count, time.monotonic()
                    if count == 0:
                        self.say(f"{client.name} holds everything")
            time.sleep(0.3)
        late = {name: count for name, count in missing.items() if count != 0}
        if late:
            self.say(f"nothing new for {OPTIONS.settle:g} s, and these clients lack so many messages: {late}")

    def stop_clients(self):
        for client in self.clients.values():
            client.stop()
        return [follower.read() for follower in self.followers]

    def audit(self):
        """Everything that the journal has, read once more from its beginning."""
        path = os.path.join(self.files, "auditor.history")
        auditor = ClientKeeper(self, "auditor", "cursor", ["--address", self.daemon.address], self.files)
        follower = Follower("auditor", path)

        held, quiet_since = -1, time.monotonic()
        while not any(op == "caught_up" for stream in follower.read().streams for op, _ in stream.items[-100:]):
            auditor.check()
            if len(follower.history.held) != held:
                held, quiet_since = len(follower.history.held), time.monotonic()
            self.assertLess(time.monotonic() - quiet_since, OPTIONS.settle, "the auditor cannot read the journal")
            time.sleep(0.2)
        auditor.stop()
        return follower.read()

    def validate(self, evidence):
        found = validators.violations(evidence)
        self.report(evidence)
        for name in validators.VALIDATORS:
            sentences = found.get(name, [])
            print(f"  {name:13}{'holds' if not sentences else f'VIOLATED {len(sentences)} times'}", flush=True)
            for sentence in sentences[:10]:
                print(f"    {sentence}", flush=True)
        self.assertEqual(sorted(found), [], "violated; the histories are kept")

    def report(self, evidence):
        messages = sum(map(len, evidence.truth.conversations.values()))
        events = list(evidence.journal.values())
        recovered = sum(event.recovered for event in events)
        gaps = collections.Counter(event.kind for event in events if event.kind != "sent")
        clients = sum(client.kills for client in self.clients.values())
        streams = sum(len(history.streams) for history in evidence.histories)
        self.say(f"{len(self.daemon.kills)} kills of the daemon, {clients} of clients; {messages} messages in "
                 f"{len(evidence.truth.conversations)} conversations, {len(events)} events in the journal, "
                 f"{recovered} recovered, others: {dict(gaps)}; {streams} streams, "
                 f"{sum(len(history.events()) for history in evidence.histories)} deliveries")

    def check_unreads(self):
        for user, session in self.sessions.items():
            self.daemon.daemon.unreads(session).wait_counts(self.emulator.unreads(user))

    def check_journal(self):
        """Each event's checksum, SQLite's own check, no sequence missing: after all those kills."""
        verified = subprocess.run(
            [os.path.join(harness.BIN, "talkjsctl"), "journal", "verify", self.daemon.daemon.state_dir],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=OPTIONS.settle, check=False)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    # --- for who has to find out why ---

    def keep(self, directory):
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, "applied"), "w", encoding="utf-8") as file:
            if hasattr(self, "faults"):
                file.writelines(f"{moment:.3f} {text}\n" for moment, text in self.faults.applied)
        for name in os.listdir(self.directory):
            source = os.path.join(self.directory, name)
            if name.endswith(".log"):
                shutil.copy(source, directory)
            elif os.path.isdir(source):
                shutil.copytree(source, os.path.join(directory, name), dirs_exist_ok=True)
        print(f"histories, logs and the daemon's state: {directory}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, help="of the schedule; default: the clock")
    parser.add_argument("--kills", type=int, default=12, help="of the daemon; default: 12")
    parser.add_argument("--without", action="append", default=[], metavar="KIND",
                        help="leave out this kind of action; may be repeated")
    parser.add_argument("--settle", type=float, default=SETTLE, metavar="SECONDS",
                        help=f"without anything new, until a client is given up; default: {SETTLE:g}")
    parser.add_argument("--keep", metavar="DIR", help="keep histories and logs there even if all is well")
    global OPTIONS  # pylint: disable=global-statement
    OPTIONS = parser.parse_args()
    if OPTIONS.seed is None:
        OPTIONS.seed = int(time.time())
    again = f"tests/chaos/run --seed {OPTIONS.seed} --kills {OPTIONS.kills}"
    print(f"seed {OPTIONS.seed}; to play it again: {again}", flush=True)
    suite = unittest.TestSuite([Chaos("test_nothing_is_lost")])
    sys.exit(not unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful())


if __name__ == "__main__":
    main()
