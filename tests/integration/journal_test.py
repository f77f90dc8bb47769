"""The journal on disk: streams resume over kills and restarts; what is wrong with it is told."""

import glob
import json
import os
import subprocess
import unittest

import harness
from harness import BIN, pb
from talkjs_user import TalkjsUser


def talkjsctl(*arguments):
    return subprocess.run([os.path.join(BIN, "talkjsctl"), *arguments], capture_output=True,
                          text=True, timeout=harness.PATIENCE, check=False)


class Journal(harness.KeptStateCase):

    def setUp(self):
        super().setUp()
        self.carol = TalkjsUser(self, self.emulator.host, "carol").create()
        TalkjsUser(self, self.emulator.host, "alice").create()
        self.carol.conversation("c1", "alice")

    def fill(self, *flags):
        """A daemon that has streamed twenty messages; their cursors and bodies."""
        daemon = self.start(*flags)
        stream = daemon.messages(daemon.connect("alice", name=None)).wait_open()
        for number in range(20):
            self.carol.send("c1", str(number))
        events = stream.wait_count(20)
        return daemon, [event.cursor for event in stream.events], [m.body for m in events]

    def test_streams_resume_over_a_kill(self):
        for durability in ("os", "disk"):
            with self.subTest(durability):
                flags = ("--journal-durability", durability)
                daemon, cursors, bodies = self.fill(*flags)
                daemon.kill()
                daemon = self.start(*flags)
                for seen in (1, 10, 20):
                    resumed = daemon.messages(cursor=cursors[seen - 1])
                    resumed.wait(lambda stream=resumed: stream.caught_up, "caught up")
                    self.assertEqual([event.cursor for event in resumed.events], cursors[seen:])
                    self.assertEqual([event.sent.body for event in resumed.events], bodies[seen:])
                info = daemon.client.daemon.GetInfo(pb.GetInfoRequest())
                self.assertEqual(pb.JournalState.Name(info.journal.state), "JOURNAL_STATE_OK")
                self.assertEqual(pb.Durability.Name(info.journal.durability),
                                 "DURABILITY_" + durability.upper())
                daemon.kill()

    def test_verify_finds_damage_and_streams_are_told(self):
        daemon, cursors, _ = self.fill()
        sound = talkjsctl("journal", "verify", self.state_dir, "--json")
        self.assertEqual(sound.returncode, 0, sound.stderr)
        report = json.loads(sound.stdout)
        self.assertTrue(report["sound"])
        self.assertGreaterEqual(int(report["segments"][0]["events"]), 20)
        self.assertEqual(len(report["epochs"]), 1)
        daemon.kill()

        for path in glob.glob(os.path.join(self.state_dir, "journal", "*.segment*")):
            os.unlink(path)
        found = talkjsctl("journal", "verify", os.path.join(self.state_dir, "journal"))
        self.assertEqual(found.returncode, 1)
        self.assertIn("00000001.segment: the file is missing", found.stderr)
        self.assertEqual(talkjsctl("journal", "inspect", self.state_dir).returncode, 0)

        daemon = self.start()
        error = daemon.messages(cursor=cursors[5]).wait_end()
        self.assertEqual((error.code.name, error.reason), ("OUT_OF_RANGE", "JOURNAL_SEGMENT_MISSING"))
        going_on = daemon.messages(cursor=cursors[5], on_gap=pb.ON_GAP_CONTINUE)
        going_on.wait(lambda: going_on.events, "the gap")
        self.assertEqual(pb.GapReason.Name(going_on.events[0].gap.reason),
                         "GAP_REASON_STORE_DAMAGED")

    def test_a_newer_format_is_refused_with_what_to_do(self):
        daemon, _, _ = self.fill()
        daemon.kill()
        import sqlite3
        with sqlite3.connect(os.path.join(self.state_dir, "journal", "journal.meta")) as meta:
            meta.execute("PRAGMA user_version=7")
            meta.execute("UPDATE about SET value='9.8.7' WHERE name='written_by'")
        daemon = harness.Daemon(self, upstream=self.emulator.host, state_dir=self.state_dir,
                                wait=False)
        daemon.process.may_end = True
        self.assertEqual(daemon.process.wait(), 1)
        last = daemon.process.log().splitlines()[-1]
        self.assertIn("run talkjsd 9.8.7 or a newer one", last)
        self.assertIn("(JOURNAL_FORMAT_NEWER)", last)


if __name__ == "__main__":
    unittest.main(verbosity=0)
