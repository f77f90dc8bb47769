"""The daemon ends, in whatever way, and starts again: its sessions go on, and nothing is lost."""

import os
import signal
import stat
import time
import unittest

import harness
from harness import KEY, pb
from talkjs_user import TalkjsUser

CANARY = "canary-0f4b6d2a"


class Restart(harness.KeptStateCase):

    def setUp(self):
        super().setUp()
        self.carol = TalkjsUser(self, self.emulator.host, "carol").create()
        TalkjsUser(self, self.emulator.host, "alice").create()
        TalkjsUser(self, self.emulator.host, "bob").create()
        self.carol.conversation("c1", "alice")
        self.carol.conversation("c2", "alice")
        self.carol.conversation("c3", "bob")

    def credentials(self):
        directory = os.path.join(self.state_dir, "credentials")
        return {name: os.path.join(directory, name) for name in os.listdir(directory)}

    def search_state(self, needle):
        """The files below the state directory that contain it."""
        found = []
        for folder, _, names in os.walk(self.state_dir):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    if needle.encode() in file.read():
                        found.append(os.path.relpath(os.path.join(folder, name), self.state_dir))
        return found

    def test_nothing_is_lost_or_repeated_over_kills(self):
        daemon = self.start()
        alice = daemon.connect("alice", name=None)
        bob = daemon.connect("bob", name=None)
        baseline = daemon.session(alice).baseline_time
        stream = daemon.messages(alice).wait_open()
        cursor, said, seen = None, [], []
        for round_ in range(5):
            for number in range(7):
                said.append(f"{round_}.{number}")
                self.carol.send("c1" if number % 2 else "c2", said[-1])
            if round_ % 2 == 0:
                stream.wait_body(said[-1])
            daemon.kill()
            seen += stream.bodies()
            cursor = stream.events[-1].cursor if stream.events else cursor
            for number in range(3):  # while it is away
                said.append(f"{round_}.away.{number}")
                self.carol.send("c1", said[-1])
            daemon = self.start()
            stream = daemon.messages(alice, cursor=cursor).wait_open()
            self.assertEqual(daemon.wait_state(alice, "CONNECTED").baseline_time, baseline)
        stream.wait(lambda: len(seen) + len(stream.sent()) >= len(said), "all messages")
        seen += stream.bodies()
        self.assertEqual(sorted(seen), sorted(said))
        in_c1 = [body for body in seen if "away" in body]
        self.assertEqual(in_c1, [body for body in said if "away" in body])
        # The other session is there as well, and has its own stream.
        daemon.wait_state(bob, "CONNECTED")
        self.carol.send("c3", "for bob")
        daemon.messages(bob, earliest=pb.StartEarliest()).wait_body("for bob")
        listed = daemon.client.sessions.ListSessions(pb.ListSessionsRequest()).sessions
        self.assertEqual([one.session_id for one in listed], [alice, bob])

    def test_what_was_said_before_the_baseline_stays_history(self):
        for number in range(40):
            self.carol.send("c1", f"before {number}")
        daemon = self.start()
        alice = daemon.connect("alice", name=None)
        for start in range(2):
            if start:
                daemon.process.may_end = True
                daemon.process.stop()
            else:
                daemon.kill()
            daemon = self.start()
            daemon.wait_state(alice, "CONNECTED")
        self.carol.send("c1", "after")
        stream = daemon.messages(alice, earliest=pb.StartEarliest())
        stream.wait_body("after")
        self.assertEqual(stream.bodies(), ["after"])

    def test_the_user_is_written_once_also_where_the_daemon_ends_before(self):
        daemon = self.start()
        self.emulator.process.popen.send_signal(signal.SIGSTOP)
        try:
            made = daemon.create("alice", name="Alice Anew", key=KEY)
            daemon.kill()
        finally:
            self.emulator.process.popen.send_signal(signal.SIGCONT)
        self.assertTrue(self.search_state("Alice Anew"))
        daemon = self.start()
        daemon.wait_state(made.session.session_id, "CONNECTED")
        self.assertEqual(self.carol.call("GET", "/users/alice")["name"], "Alice Anew")
        harness.wait_until(lambda: not self.search_state("Alice Anew"), "attributes forgotten")

    def test_credentials_are_in_files_of_their_own_and_gone_after_destroy(self):
        token = harness.token("alice", canary=CANARY)
        secret = token.rsplit(".", 1)[1]
        daemon = self.start()
        alice = daemon.connect("alice", name=None, token=token, key=None)
        path = self.credentials()[alice]
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        self.assertEqual(self.search_state(secret), [os.path.join("credentials", alice)])
        daemon.kill()
        daemon = self.start()
        daemon.wait_state(alice, "CONNECTED")
        daemon.client.sessions.DestroySession(pb.DestroySessionRequest(session_id=alice))
        self.assertEqual(self.search_state(secret), [])
        # Remembered as destroyed, also by the next daemon.
        daemon.kill()
        daemon = self.start()
        with self.assertRaises(harness.talkjsd.Error) as refused:
            daemon.session(alice)
        self.assertEqual(refused.exception.reason, "SESSION_DESTROYED")
        self.assertEqual(
            list(daemon.client.sessions.ListSessions(pb.ListSessionsRequest()).sessions), [])
        self.assertNotEqual(daemon.connect("alice", name=None), alice)

    def test_unreadable_credentials_fail_one_session_until_they_are_replaced(self):
        daemon = self.start()
        alice = daemon.connect("alice", name=None)
        bob = daemon.connect("bob", name=None)
        stream = daemon.messages(alice).wait_open()
        self.carol.send("c1", "one")
        cursor = stream.wait_body("one").cursor
        daemon.kill()
        with open(self.credentials()[alice], "w", encoding="utf-8") as file:
            file.write("{}")
        self.carol.send("c1", "two")
        daemon = self.start()
        failed = daemon.wait_state(alice, "FAILED", reason="CREDENTIALS_INVALID")
        self.assertIn("replace_credentials", failed.reason_message)
        daemon.wait_state(bob, "CONNECTED")
        again = daemon.create("alice", key=KEY, replace_credentials=True)
        self.assertEqual(again.session.session_id, alice)
        daemon.wait_state(alice, "CONNECTED")
        resumed = daemon.messages(alice, cursor=cursor)
        resumed.wait_body("two")
        self.assertEqual(resumed.bodies(), ["two"])

    def test_a_journal_restored_from_an_older_copy_gets_what_it_lacks(self):
        import shutil
        daemon = self.start()
        alice = daemon.connect("alice", name=None)
        stream = daemon.messages(alice).wait_open()
        self.carol.send("c1", "kept")
        kept = stream.wait_body("kept").cursor
        daemon.process.stop()
        daemon.process.may_end = True
        journal = os.path.join(self.state_dir, "journal")
        shutil.copytree(journal, journal + ".backup")
        daemon = self.start()
        daemon.wait_state(alice, "CONNECTED")
        stream = daemon.messages(alice, cursor=kept).wait_open()
        for number in range(10):
            self.carol.send("c1", f"lost {number}")
        lost = stream.wait_body("lost 9").cursor
        stream.close()
        daemon.process.stop()
        daemon.process.may_end = True
        shutil.rmtree(journal)
        os.rename(journal + ".backup", journal)
        daemon = self.start()
        daemon.wait_state(alice, "CONNECTED")
        resumed = daemon.messages(alice, cursor=kept)
        resumed.wait_body("lost 9")
        self.assertEqual(resumed.bodies(), [f"lost {number}" for number in range(10)])
        # The cursor of the lost daemon is of no epoch that is left.
        error = daemon.messages(alice, cursor=lost).wait_end()
        self.assertEqual(error.reason, "JOURNAL_LOST")

    def test_a_repeat_after_a_crash_sends_nothing_twice(self):
        daemon = self.start()
        alice = daemon.connect("alice", name=None)
        request = pb.SendMessageRequest(session_id=alice, conversation_id="c1", text="once",
                                        request_id="r1")
        first = daemon.client.message_service.SendMessage(request).message_id
        daemon.kill()
        daemon = self.start()
        self.assertEqual(daemon.client.message_service.SendMessage(request).message_id, first)
        request.text = "changed"
        with self.assertRaises(harness.talkjsd.Error) as refused:
            daemon.client.message_service.SendMessage(request)
        self.assertEqual(refused.exception.reason, "REQUEST_ID_REUSED")
        said = [message["content"] for message in self.carol.messages("c1")]
        self.assertEqual(len(said), 1)

    def test_a_newer_list_of_sessions_is_refused(self):
        import sqlite3
        daemon = self.start()
        daemon.kill()
        with sqlite3.connect(os.path.join(self.state_dir, "sessions.db")) as sessions:
            sessions.execute("PRAGMA user_version=7")
        daemon = harness.Daemon(self, upstream=self.emulator.host, state_dir=self.state_dir,
                                wait=False)
        daemon.process.may_end = True
        self.assertEqual(daemon.process.wait(), 1)
        last = daemon.process.log().splitlines()[-1]
        self.assertIn("sessions.db", last)
        self.assertIn("(JOURNAL_FORMAT_NEWER)", last)

    def test_many_sessions_come_back(self):
        daemon = self.start("--max-sessions", "1000")
        for number in range(300):
            daemon.create(f"user-{number}", name=f"User {number}", key=KEY)
        harness.wait_until(
            lambda: daemon.metric('talkjsd_sessions{state="connected"}') == 300, "connected", 90)
        daemon.process.stop()
        daemon.process.may_end = True
        started = time.monotonic()
        daemon = self.start("--max-sessions", "1000")
        self.assertLess(time.monotonic() - started, 10)
        harness.wait_until(
            lambda: daemon.metric('talkjsd_sessions{state="connected"}') == 300, "restored", 90)


if __name__ == "__main__":
    unittest.main(verbosity=0)
