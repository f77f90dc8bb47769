"""Each validator accepts an honest history and refuses one in which what it is named for did not hold."""

import os
import tempfile
import unittest

import history
import schedule
import validators
from history import Evidence, Follower, Message, Truth, Writer

EPOCH = 0x5EED


def cursor(number, epoch=EPOCH):
    return f"01{epoch:016x}{number:016x}"


class Told:
    """A history in the making: the journal of two sessions, in which every message is two events."""

    def __init__(self, case):
        self._directory = tempfile.TemporaryDirectory()
        case.addCleanup(self._directory.cleanup)
        self._number = 0
        self.histories = []
        self.kills = ()
        messages = {name: [Message(f"{name}-{number}", name, "alice", f"text {number}", 1000 + number)
                           for number in range(10)] for name in ("c0", "c1")}
        self.truth = Truth(messages, {"s0": "dave", "s1": "erin"})
        # Message by message, a conversation in turn, for both sessions.
        self.events = []
        for number in range(10):
            for name in ("c0", "c1"):
                for session in ("s0", "s1"):
                    self.events.append(self.event(len(self.events) + 1, session, messages[name][number]))

    @staticmethod
    def event(number, session, message, digest=None, at=None):
        return [at or cursor(number), session, "sent", message.id, message.conversation, message.sender,
                message.text, message.created, 5000 + number, False, digest or f"digest {number}"]

    def of(self, session="s0", after=0, to=40):
        return [event for number, event in enumerate(self.events, 1)
                if after < number <= to and session in ("", event[1])]

    def client(self, *records, name=None):
        """A client that was told this."""
        self._number += 1
        path = os.path.join(self._directory.name, f"{self._number}")
        writer = Writer(path)
        for record in records:
            writer.write(**record)
        self.histories.append(Follower(name or f"client {self._number}", path).read())
        return self

    def honest(self):
        """A client that was cut off and went on, and one that read everything."""
        return self.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", self.of(to=11)),
            mark("1", "caught_up", 12), end("1"),
            *opening("2", ["cursor", cursor(12)], 12), events("2", self.of(after=12)),
            mark("2", "progress", 40)).auditor()

    def auditor(self):
        return self.client(*opening("1", ["earliest"], 0, "EARLIEST", sessions=()),
                           events("1", self.of("")), mark("1", "caught_up", 40), name="auditor")

    def evidence(self):
        return Evidence(self.histories, self.truth, self.kills)


def opening(stream, start, opened, how="AFTER_CURSOR", sessions=("s0",), at=100.0):
    return ({"op": "open", "stream": stream, "at": at, "start": start, "selection": [list(sessions), [], ""]},
            {"op": "opened", "stream": stream, "at": at, "cursor": cursor(opened), "start": how,
             "earliest": cursor(0)})


def events(stream, told):
    return {"op": "events", "stream": stream, "at": 100.0, "events": told}


def mark(stream, op, number):
    return {"op": op, "stream": stream, "at": 100.0, "cursor": cursor(number)}


def end(stream, code="UNAVAILABLE", reason="", at=100.0):
    return {"op": "end", "stream": stream, "at": at, "code": code, "reason": reason, "message": ""}


class Validators(unittest.TestCase):

    def setUp(self):
        self.told = Told(self)

    def violated(self, told):
        return set(validators.violations(told.evidence()))

    def check(self, name, told, sentence):
        """The validator of that name says so; others may, too."""
        found = validators.violations(told.evidence())
        self.assertIn(name, found, found)
        self.assertIn(sentence, "\n".join(found[name]))

    def test_an_honest_history_is_accepted(self):
        self.assertEqual(self.violated(self.told.honest()), set())

    def test_what_a_killed_client_had_not_stored_may_come_again(self):
        told = self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", self.told.of(to=20)),
            *opening("2", ["cursor", self.told.of(to=20)[2][0]], self.told.of(to=20)[2][8] - 5000),
            events("2", self.told.of(after=self.told.of(to=20)[2][8] - 5000))).auditor()
        self.assertEqual(self.violated(told), set())

    # --- ordered ---

    def test_ordered_refuses_a_stream_that_goes_back(self):
        mine = self.told.of()
        mine[3], mine[4] = mine[4], mine[3]
        self.check("ordered", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine)).auditor(), "position")

    def test_ordered_refuses_another_order_than_talkjs_has(self):
        """The journal itself has them the wrong way round: number 5 of c0 before number 4."""
        swapped = [list(event) for event in self.told.events]
        first, second = swapped[16], swapped[20]
        first[3:9], second[3:9] = second[3:9], first[3:9]
        self.told.events = swapped
        self.check("ordered", self.told.honest(), "came after number 5")

    def test_ordered_refuses_another_order_across_streams(self):
        """Each stream is in order; the client has a message before an older one all the same."""
        mine = self.told.of()
        later = [event for event in mine if event[4] == "c0"][3]
        self.check("ordered", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", [later]),
            *opening("2", ["earliest"], 0, "EARLIEST"), events("2", mine)).auditor(), "number 0")

    # --- unique ---

    def test_unique_refuses_an_event_twice_in_a_stream(self):
        mine = self.told.of()
        self.check("unique", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine + mine[-1:])).auditor(), "twice")

    def test_unique_refuses_what_the_client_had_put_behind_it(self):
        mine = self.told.of()
        self.check("unique", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine[:8]),
            *opening("2", ["cursor", mine[7][0]], mine[7][8] - 5000), events("2", mine[7:])).auditor(), "again")

    def test_unique_refuses_a_message_under_two_positions(self):
        again = Told.event(41, "s0", self.told.truth.conversations["c0"][3])
        self.told.events.append(again)
        self.check("unique", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", self.told.of(to=41))).auditor(),
            "is several events")

    # --- reliable ---

    def test_reliable_refuses_a_hole_in_a_stream(self):
        mine = self.told.of()
        del mine[5]
        self.check("reliable", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine)).auditor(), "was sent nothing of")

    def test_reliable_refuses_a_missing_end(self):
        self.check("reliable", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", self.told.of()[:-1])).auditor(),
            "does not hold 1 messages")

    def test_reliable_refuses_what_nobody_was_sent(self):
        """No client and no journal has it, but TalkJS does."""
        self.told.events = [event for event in self.told.events if event[3] != "c1-4"]
        self.check("reliable", self.told.honest(), "c1 number 4")

    def test_reliable_refuses_what_talkjs_does_not_have(self):
        self.told.events.append(Told.event(41, "s0", Message("made up", "c0", "alice", "x", 2000)))
        self.check("reliable", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", self.told.of(to=41))).auditor(), "made up")

    def test_reliable_refuses_a_client_that_never_got_a_stream(self):
        self.check("reliable", self.told.client().auditor(), "never opened")

    # --- atomic ---

    def test_atomic_refuses_a_position_that_is_two_events(self):
        mine = [list(event) for event in self.told.of()]
        mine[4][10] = "half of it"
        self.check("atomic", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine)).auditor(), "half of it")

    def test_atomic_refuses_other_words_where_a_digest_is_not_known(self):
        mine = [list(event) for event in self.told.of()]
        mine[4][10] = ""
        self.told.client(*opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine)).auditor()
        self.assertEqual(self.violated(self.told), set())
        mine[4][7] += 1
        self.check("atomic", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine)), "to another client")

    def test_atomic_refuses_one_position_in_two_epochs(self):
        mine = [list(event) for event in self.told.of()]
        mine[4][0] = cursor(history.sequence(mine[4][0]), EPOCH + 1)
        self.check("atomic", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine)).auditor(), "to another client")

    def test_atomic_refuses_another_content_than_talkjs_has(self):
        self.told.events[4][6] = "something else"
        self.check("atomic", self.told.honest(), "something else")

    # --- resumable ---

    def test_resumable_refuses_a_start_behind_the_position(self):
        mine = self.told.of()
        self.check("resumable", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine[:8]),
            *opening("2", ["cursor", mine[7][0]], 20), events("2", mine[9:])).auditor(), "resumed after")

    def test_resumable_refuses_a_stream_that_skips_its_first_event(self):
        mine = self.told.of()
        self.check("resumable", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine[:8]),
            *opening("2", ["cursor", mine[7][0]], mine[7][8] - 5000), events("2", mine[9:])).auditor(), "and skipped")

    def test_resumable_refuses_a_rollback(self):
        mine = self.told.of()
        self.check("resumable", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine[:8]),
            *opening("2", ["cursor", mine[7][0]], mine[7][8] - 5000, "AFTER_ROLLBACK"),
            events("2", mine[8:])).auditor(), "AFTER_ROLLBACK")

    def test_resumable_refuses_a_lost_position(self):
        for lost in (end("2", "OUT_OF_RANGE", "JOURNAL_LOST"),
                     {"op": "gap", "stream": "2", "at": 100.0, "reason": "JOURNAL_LOST"}):
            with self.subTest(lost["op"]):
                told = Told(self)
                mine = told.of()
                self.check("resumable", told.client(
                    *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine),
                    opening("2", ["cursor", mine[7][0]], 0)[0], lost).auditor(), "JOURNAL_LOST")

    def test_resumable_refuses_a_time_that_skips(self):
        mine = self.told.of()
        self.check("resumable", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine[:8]),
            *opening("2", ["time", mine[7][8]], mine[7][8] - 5000, "FROM_TIME"),
            events("2", mine[8:])).auditor(), "from time")

    def named(self, opened, kills=()):
        mine = self.told.of()
        self.told.kills = kills
        acks = [{"op": "ack", "stream": "1", "at": at, "cursor": mine[place][0]}
                for at, place in ((90.0, 2), (98.5, 6))]
        return self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine[:8]), *acks,
            *opening("2", ["name", "chaos/named"], opened),
            events("2", [event for event in mine if event[8] - 5000 > opened])).auditor()

    def test_a_subscription_stands_where_it_was_acknowledged(self):
        self.assertEqual(self.violated(self.named(self.told.of()[6][8] - 5000)), set())

    def test_resumable_refuses_a_subscription_that_goes_back(self):
        self.check("resumable", self.named(self.told.of()[2][8] - 5000), "stood at")

    def test_a_kill_may_take_back_the_last_second_of_a_subscription(self):
        self.assertEqual(self.violated(self.named(self.told.of()[2][8] - 5000, kills=(99.0,))), set())

    def test_resumable_refuses_a_subscription_that_goes_back_further(self):
        self.check("resumable", self.named(0, kills=(99.0,)), "stood at")

    def test_resumable_refuses_a_subscription_that_leads(self):
        self.check("resumable", self.named(self.told.of()[7][8] - 5000), "stood at")

    # --- bookmarkable ---

    def test_bookmarkable_refuses_a_bookmark_before_its_events(self):
        mine = self.told.of()
        for op in ("caught_up", "progress"):
            with self.subTest(op):
                told = Told(self)
                self.check("bookmarkable", told.client(
                    *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine[:8]), mark("1", op, 20),
                    events("1", mine[8:])).auditor(), "but nothing of")

    def test_bookmarkable_refuses_events_behind_a_bookmark(self):
        """Also where nobody else knows the event yet."""
        mine = self.told.of()
        self.check("bookmarkable", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", mine[:8]), mark("1", "progress", 30),
            events("1", mine[8:])), "after everything up to 30")

    def test_bookmarkable_refuses_a_bookmark_that_goes_back(self):
        self.check("bookmarkable", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", self.told.of()), mark("1", "progress", 40),
            mark("1", "progress", 39)).auditor(), "everything up to 39 after")

    def test_bookmarkable_refuses_catching_up_twice(self):
        self.check("bookmarkable", self.told.client(
            *opening("1", ["earliest"], 0, "EARLIEST"), events("1", self.told.of()), mark("1", "caught_up", 40),
            mark("1", "caught_up", 40)).auditor(), "caught up 2 times")


class Files(unittest.TestCase):

    def test_a_line_that_a_kill_cut_short_is_forgotten(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "history")
            Writer(path).write(**opening("1", ["earliest"], 0)[0])
            follower = Follower("client", path)
            self.assertEqual(len(follower.read().streams), 1)
            with open(path, "a", encoding="utf-8") as file:
                file.write('{"op":"open","stream":"cut')
            self.assertEqual(len(follower.read().streams), 1)
            Writer(path).write(**opening("2", ["earliest"], 0)[0])
            self.assertEqual([stream.key for stream in follower.read().streams], ["1", "2"])


class Schedules(unittest.TestCase):

    def make(self, seed, kills=100):
        return schedule.make(seed, kills, ["one", "two"], ["dave", "erin"], ["erin"])

    def test_the_seed_is_the_schedule(self):
        self.assertEqual(self.make(7), self.make(7))
        self.assertNotEqual(self.make(7), self.make(8))

    def test_kills_are_as_many_as_asked_for_and_everything_happens(self):
        actions, end = self.make(1)
        self.assertEqual([action.kind for action in actions].count("kill_daemon"), 100)
        self.assertEqual({action.kind for action in actions}, {
            "kill_daemon", "kill_client", "drop", "close", "stall", "half_open", "expire", "rule", "give_token",
            "new_conversation"})
        self.assertEqual(actions, sorted(actions, key=lambda action: action.at))
        self.assertLess(actions[-1].at, end)

    def test_the_length_hardly_depends_on_the_seed(self):
        ends = [self.make(seed, 12)[1] for seed in range(50)]
        self.assertLess(max(ends), 45)
        self.assertGreater(min(ends), 20)


if __name__ == "__main__":
    unittest.main()
