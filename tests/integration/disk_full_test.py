"""The state directory's disk is full: said so, nothing lost, and no restart needed when it is not."""

import os
import subprocess
import time
import unittest

import harness
from harness import pb
from talkjs_user import TalkjsUser


class DiskFull(harness.KeptStateCase):

    def setUp(self):
        super().setUp()
        self.carol = TalkjsUser(self, self.emulator.host, "carol").create()
        TalkjsUser(self, self.emulator.host, "alice").create()
        TalkjsUser(self, self.emulator.host, "bob").create()
        self.carol.conversation("c1", "alice")
        os.makedirs(self.state_dir, mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", self.state_dir],
                       check=True)
        # After the processes have ended: cleanups run backwards.
        self._cleanups.insert(0, (lambda: subprocess.run(["umount", "-l", self.state_dir],
                                                         check=False), (), {}))

    def fill(self):
        """Takes all the space that is left."""
        with open(os.path.join(self.state_dir, "ballast"), "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def empty(self):
        os.unlink(os.path.join(self.state_dir, "ballast"))

    def journal_state(self, daemon):
        info = daemon.client.daemon.GetInfo(pb.GetInfoRequest())
        return pb.JournalState.Name(info.journal.state)

    def test_streams_go_on_when_there_is_space_again(self):
        daemon = self.start()
        session = daemon.connect("alice", name=None)
        stream = daemon.messages(session).wait_open()
        self.carol.send("c1", "before")
        before = stream.wait_body("before").cursor
        self.fill()
        said = []
        # The write-ahead log may still have room of its own: write until it has not.
        for number in range(2000):
            said.append(f"{number} " + "x" * 500)
            self.carol.send("c1", said[-1])
            if number % 50 == 49 and self.journal_state(daemon) == "JOURNAL_STATE_UNAVAILABLE":
                break
        harness.wait_until(lambda: self.journal_state(daemon) == "JOURNAL_STATE_UNAVAILABLE",
                           "the journal says that it cannot be written")
        # What is not stored is not shown: a crash could take its cursor back.
        stored = len(stream.bodies()) - 1
        time.sleep(1)
        self.assertEqual(len(stream.bodies()) - 1, stored)
        self.assertLess(stored, len(said))
        self.assertIsNone(stream.error)
        self.assertIn("free space", daemon.process.log())
        # Nothing can be created that could not be kept.
        with self.assertRaises(harness.talkjsd.Error) as refused:
            daemon.create("bob", key=harness.KEY)
        self.assertEqual(refused.exception.reason, "JOURNAL_DISK_FULL")
        # What is there can be read.
        replay = daemon.messages(session, cursor=before)
        replay.wait_count(stored)
        self.empty()
        stream.wait(lambda: len(stream.bodies()) == len(said) + 1, "all messages")
        self.assertEqual(stream.bodies()[1:], said)
        harness.wait_until(lambda: self.journal_state(daemon) == "JOURNAL_STATE_OK", "well again")
        daemon.connect("bob", name=None)

    def test_a_start_on_a_full_disk_says_what_to_do(self):
        daemon = self.start()
        daemon.connect("alice", name=None)
        daemon.process.may_end = True
        daemon.process.stop()
        self.fill()
        daemon = harness.Daemon(self, upstream=self.emulator.host, state_dir=self.state_dir,
                                wait=False)
        daemon.process.may_end = True
        self.assertEqual(daemon.process.wait(), 1)
        last = daemon.process.log().splitlines()[-1]
        self.assertIn("free space", last)
        self.assertIn("(JOURNAL_DISK_FULL)", last)
        self.empty()
        daemon = self.start()
        listed = daemon.client.sessions.ListSessions(pb.ListSessionsRequest()).sessions
        self.assertEqual(len(listed), 1)
        daemon.wait_state(listed[0].session_id, "CONNECTED")


if __name__ == "__main__":
    unittest.main(verbosity=0)
