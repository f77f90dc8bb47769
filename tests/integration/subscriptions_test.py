"""Positions that the daemon keeps, and clients that are killed, restarted, or do not read."""

import base64
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import threading

import harness
from harness import BIN, pb
from talkjs_user import TalkjsUser


class Subscriptions(harness.KeptStateCase):

    def setUp(self):
        super().setUp()
        self.carol = TalkjsUser(self, self.emulator.host, "carol").create()
        TalkjsUser(self, self.emulator.host, "alice").create()
        self.carol.conversation("c1", "alice")
        self.socket = os.path.join(self.directory, "d.sock")
        self.sent = 0

    def start(self, *flags, **options):
        """A daemon on the same state and socket as the one before."""
        daemon = super().start(*flags, listen=self.socket, **options)
        self.connect(daemon)
        return daemon

    @staticmethod
    def connect(daemon):
        daemon.connect("alice", name=None)

    def send(self, count):
        """Bodies of messages that were sent now."""
        bodies = [str(number) for number in range(self.sent, self.sent + count)]
        for body in bodies:
            self.carol.send("c1", body)
        self.sent += count
        return bodies

    @staticmethod
    def named(daemon, takeover=False, **request):
        return daemon.messages(
            subscription=pb.NamedSubscription(name="crm", takeover=takeover), **request)

    @staticmethod
    def acknowledge(daemon, stream, event):
        return daemon.client.events.Acknowledge(pb.AcknowledgeRequest(
            name="crm", stream_id=stream.opened.stream_id, cursor=event.cursor))

    @staticmethod
    def listed(daemon):
        return list(daemon.client.events.ListSubscriptions(
            pb.ListSubscriptionsRequest()).subscriptions)

    def wait_idle(self, daemon):
        harness.wait_until(lambda: not self.listed(daemon)[0].HasField("stream_id"), "nobody has it")

    def stored_sequence(self):
        """Where the subscription stands on disk."""
        uri = "file:" + os.path.join(self.state_dir, "positions") + "?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as positions:
            return positions.execute("SELECT sequence FROM subscriptions").fetchone()[0]

    def talkjsctl(self, *arguments):
        return self.spawn("talkjsctl", [os.path.join(BIN, "talkjsctl"), *arguments],
                          {"TALKJSD_ADDRESS": "unix://" + self.socket}, may_end=True)

    def follow(self, *arguments):
        """talkjsctl messages; its events are lines of JSON in its output."""
        return self.talkjsctl("messages", "--all", "--json", *arguments)

    @staticmethod
    def printed(process):
        """(cursor, body) of each event; a line that a kill cut off does not count."""
        lines = process.output().split("\n")[:-1]
        events = [json.loads(line) for line in lines]
        return [(base64.b64decode(event["cursor"]), event["sent"]["body"]) for event in events]

    def wait_printed(self, process, count):
        harness.wait_until(lambda: len(self.printed(process)) >= count,
                           lambda: f"{count} lines: {process.output()[-500:]} {process.log()}")
        return self.printed(process)

    def test_positions_outlive_kills_lag_and_never_lead(self):
        daemon = self.start()
        stream = self.named(daemon).wait_open()
        bodies = self.send(20)
        stream.wait_count(20)
        fifth = stream.events[4]
        self.assertEqual(self.acknowledge(daemon, stream, fifth).acknowledged_cursor, fifth.cursor)
        harness.wait_until(lambda: self.stored_sequence() == sequence(fifth.cursor), "stored", 5)
        daemon.kill()

        daemon = self.start()
        stream = self.named(daemon).wait_open()
        self.assertEqual(pb.StreamStart.Name(stream.opened.start), "STREAM_START_AFTER_CURSOR")
        stream.wait_count(15)
        self.assertEqual(stream.bodies(), bodies[5:])
        # Killed at once: this one may be forgotten, what came before is not.
        self.acknowledge(daemon, stream, stream.events[-1])
        daemon.kill()

        daemon = self.start()
        new = self.send(3)
        stream = self.named(daemon)
        stream.wait_body(new[-1])
        self.assertIn(stream.bodies(), (new, bodies[5:] + new))

    def test_a_clean_stop_forgets_no_acknowledgement(self):
        daemon = self.start()
        stream = self.named(daemon).wait_open()
        self.send(5)
        stream.wait_count(5)
        self.acknowledge(daemon, stream, stream.events[3])
        daemon.process.may_end = True
        self.assertEqual(daemon.process.stop()[0], 0)
        self.assertEqual(stream.wait_end().reason, "DRAINING")
        daemon = self.start()
        stream = self.named(daemon)
        stream.wait_count(1)
        self.assertEqual(stream.bodies(), ["4"])

    def test_a_killed_client_gets_what_follows_its_last_acknowledgement(self):
        daemon = self.start()
        everything = daemon.messages().wait_open()
        client = self.follow("--subscription", "crm")
        harness.wait_until(lambda: self.listed(daemon), "the subscription")
        got = []
        for _ in range(5):
            sender = threading.Thread(target=self.send, args=(20,))
            sender.start()
            self.wait_printed(client, 7)
            client.kill()
            sender.join()
            got.append(self.printed(client))
            everything.wait_count(self.sent)
            self.wait_idle(daemon)
            acknowledged = self.listed(daemon)[0].acknowledged_cursor
            left = [event.cursor for event in everything.events if event.cursor > acknowledged]
            client = self.follow("--subscription", "crm")
            if left:
                self.assertEqual(self.wait_printed(client, 1)[0][0], left[0])
        last = self.send(1)[0]
        harness.wait_until(lambda: last in (body for _, body in self.printed(client)), "the last one")
        got.append(self.printed(client))
        bodies = {body for run in got for _, body in run}
        self.assertEqual(bodies, {str(number) for number in range(self.sent)}, "nothing is lost")
        for run in got:
            self.assertEqual([int(body) for _, body in run],
                             list(range(int(run[0][1]), int(run[0][1]) + len(run))), "no repeat")

    def test_clients_survive_restarts_of_the_daemon_and_repeat_nothing(self):
        daemon = self.start()
        cpp = self.follow()
        named = self.follow("--subscription", "crm")
        python = []
        stream = daemon.client.messages()
        reader = threading.Thread(
            target=lambda: python.extend(iter(lambda: next(stream, None), None)), daemon=True)
        reader.start()
        harness.wait_until(lambda: daemon.metric('talkjsd_streams{kind="messages"}') == 3, "open")
        expected = []
        for how in (harness.Daemon.kill, lambda one: one.process.stop(), harness.Daemon.kill, None):
            expected += self.send(15)
            if how is None:
                break
            # Sent, and on its way to clients or not: what is in the journal comes after the restart.
            seen = daemon.messages(earliest=pb.StartEarliest())
            seen.wait_body(expected[-1])
            daemon.process.may_end = True
            how(daemon)
            daemon = self.start()
        for process in (cpp, named):
            self.wait_printed(process, len(expected))
            self.assertEqual([body for _, body in self.printed(process)], expected)
        harness.wait_until(lambda: len(python) >= len(expected), "python has all")
        stream.close()
        reader.join(harness.PATIENCE)
        self.assertEqual([event.sent.body for event in python], expected)

    def test_a_taken_subscription_ends_the_other_client(self):
        daemon = self.start()
        first = self.follow("--subscription", "crm")
        harness.wait_until(lambda: self.listed(daemon), "the subscription")
        refused = self.follow("--subscription", "crm")
        self.assertEqual(refused.wait(), 1)
        self.assertIn("(SUBSCRIPTION_IN_USE)", refused.log())
        taker = self.follow("--subscription", "crm", "--takeover")
        self.assertEqual(first.wait(), 1)
        self.assertIn("(SUBSCRIPTION_TAKEN)", first.log())
        self.send(1)
        self.wait_printed(taker, 1)
        shown = self.talkjsctl("subscription", "list")
        self.assertEqual(shown.wait(), 0)
        self.assertRegex(shown.output(), r"\ncrm +yes ")
        self.assertEqual(daemon.metric("talkjsd_subscription_takeovers_total"), 1)
        self.assertEqual(self.talkjsctl("subscription", "delete", "crm").wait(), 0)
        self.assertEqual(taker.wait(), 1)
        self.assertIn("(SUBSCRIPTION_NOT_FOUND)", taker.log())

    def test_every_fate_of_a_cursor(self):
        daemon = self.start()
        stream = daemon.messages().wait_open()
        self.send(5)
        stream.wait_count(5)
        journal = os.path.join(self.state_dir, "journal")
        copy = os.path.join(self.directory, "copy")
        daemon.process.popen.send_signal(signal.SIGSTOP)
        shutil.copytree(journal, copy)
        daemon.process.popen.send_signal(signal.SIGCONT)
        self.send(5)
        stream.wait_count(10)
        cursors = [event.cursor for event in stream.events]
        daemon.kill()

        # An older copy that grows past the cursor.
        shutil.rmtree(journal)
        shutil.copytree(copy, journal)
        daemon = self.start()
        new = self.send(20)
        daemon.messages(earliest=pb.StartEarliest()).wait_body(new[-1])
        resumed = daemon.messages(cursor=cursors[-1])
        resumed.wait_body(new[-1])
        self.assertEqual(pb.StreamStart.Name(resumed.opened.start), "STREAM_START_AFTER_ROLLBACK")
        self.assertEqual(resumed.opened.cursor, cursors[4])
        self.assertEqual(resumed.bodies()[-20:], new)
        again = daemon.messages(cursor=cursors[2])
        again.wait_body(new[-1])
        self.assertEqual(pb.StreamStart.Name(again.opened.start), "STREAM_START_AFTER_CURSOR")
        self.assertEqual(again.bodies()[:2], ["3", "4"])

        # Times, and what is no cursor.
        timed = daemon.messages(from_time=again.events[-1].event_time)
        timed.wait_body(new[-1])
        self.assertEqual(pb.StreamStart.Name(timed.opened.start), "STREAM_START_FROM_TIME")
        self.assertLess(len(timed.events), 20)
        for bad in (b"", b"short", b"\2" + cursors[0][1:]):
            self.assertEqual(daemon.messages(cursor=bad).wait_end().reason, "CURSOR_MALFORMED")
        daemon.kill()

        # A journal that is gone.
        shutil.rmtree(journal)
        daemon = self.start()
        new = self.send(1)
        daemon.messages(earliest=pb.StartEarliest()).wait_body(new[0])
        error = daemon.messages(cursor=cursors[2]).wait_end()
        self.assertEqual((error.code.name, error.reason), ("OUT_OF_RANGE", "JOURNAL_LOST"))
        gaps = [event for event in self.continued(daemon, cursors[2], new[0])
                if event.HasField("gap")]
        self.assertEqual([pb.GapReason.Name(event.gap.reason) for event in gaps],
                         ["GAP_REASON_JOURNAL_LOST"])
        self.assertEqual(daemon.metric('talkjsd_stream_gaps_total{reason="journal_lost"}'), 2)

    @staticmethod
    def continued(daemon, cursor, until):
        """The events of a stream with on_gap CONTINUE, up to that body."""
        events = []
        stream = daemon.client.messages(cursor=cursor, continue_after_gap=True)
        for event in stream:
            events.append(event)
            if event.sent.body == until:
                break
        stream.close()
        return events


def sequence(cursor):
    return int.from_bytes(cursor[-8:], "big")


if __name__ == "__main__":
    harness.main()
