"""Long interruptions: what was said meanwhile, however much, comes once, in order and marked."""

import time
import unittest

import harness
from harness import pb
from rest_api import RestApi
from talkjs_user import TalkjsUser


class Gaps(harness.KeptStateCase):

    def setUp(self):
        super().setUp()
        self.carol = TalkjsUser(self, self.emulator.host, "carol").create()
        self.alice = TalkjsUser(self, self.emulator.host, "alice").create()

    def away(self, meanwhile, wait=True):
        """Runs `meanwhile` while the daemon is dead; a stream that resumes from before it."""
        daemon = self.start()
        session = daemon.connect("alice", name=None)
        unreads = daemon.unreads(session)
        stream = daemon.messages(session).wait_open()
        self.carol.send("c0", "before")
        cursor = stream.wait_body("before").cursor
        self.assertTrue(unreads)
        daemon.kill()
        meanwhile()
        daemon = self.start()
        if wait:
            daemon.wait_state(session, "CONNECTED", timeout=120)
        return daemon, session, daemon.messages(session, cursor=cursor)

    def test_ten_thousand_messages_in_one_conversation(self):
        count = 10_000
        self.carol.conversation("c0", "alice")
        daemon, session, stream = self.away(
            lambda: [self.carol.send("c0", str(number)) for number in range(count)])
        stream.wait_count(count, timeout=120)
        self.assertEqual(stream.bodies(), [str(number) for number in range(count)])
        recovered = [event for event in stream.events if event.WhichOneof("payload") == "sent"]
        self.assertTrue(all(event.recovered for event in recovered))
        # Life goes on behind them, and the unreads are TalkJS's.
        self.carol.send("c0", "live")
        self.assertFalse(stream.wait_body("live").recovered)
        unreads = daemon.unreads(session)
        unreads.wait(lambda: unreads.last and not unreads.last.stale and
                     unreads.last.conversations[0].unread_message_count == count + 2,
                     "all of them are unread")
        self.assertEqual(unreads.last.conversations[0].last_message.body, "live")

    def test_a_thousand_conversations_with_one_each(self):
        count = 1_000
        names = [f"c{number}" for number in range(count)]
        for name in names:
            self.carol.conversation(name, "alice")
        # In such a flood the emulator gives times up to a second ahead of its clock, and what is said
        # at a time before that of the newest conversations would be history.
        time.sleep(1.1)
        daemon, session, stream = self.away(
            lambda: [self.carol.send(name, f"in {name}") for name in names])
        sent = stream.wait_count(count, timeout=150)
        self.assertEqual(sorted((one.conversation.id, one.body) for one in sent),
                         sorted((name, f"in {name}") for name in names))
        unreads = daemon.unreads(session)
        unreads.wait(lambda: unreads.last and not unreads.last.stale and
                     len(unreads.last.conversations) == count and
                     all(one.last_message.body.startswith("in ")
                         for one in unreads.last.conversations), "a thousand unreads", 60)

    def test_joined_left_edited_and_deleted_meanwhile(self):
        for name in ("c0", "left", "edits"):
            self.carol.conversation(name, "alice")
        self.carol.send("left", "history")

        def meanwhile():
            edited = self.carol.send("edits", "as written")
            self.carol.call("PATCH", f"/conversations/edits/messages/{edited}",
                            {"content": [{"type": "text", "children": ["as edited"]}]})
            gone = self.carol.send("edits", "taken back")
            self.carol.call("DELETE", f"/conversations/edits/messages/{gone}")
            self.carol.send("left", "not seen")
            self.carol.call("DELETE", "/conversations/left/participants/alice")
            self.carol.call("PUT", "/conversations/joined", {"subject": "new"})
            self.carol.call("POST", "/conversations/joined/participants",
                            {"actions": [{"id": "carol", "method": "PUT", "params": {}}]})
            self.carol.send("joined", "before she joined")
            time.sleep(0.01)  # the millisecond of joining counts as afterwards
            self.carol.call("POST", "/conversations/joined/participants",
                            {"actions": [{"id": "alice", "method": "PUT", "params": {}}]})
            self.carol.send("joined", "for her")

        daemon, session, _ = self.away(meanwhile)
        kinds = [pb.MESSAGE_EVENT_KIND_SENT, pb.MESSAGE_EVENT_KIND_EDITED,
                 pb.MESSAGE_EVENT_KIND_DELETED]
        stream = daemon.messages(session, earliest=pb.StartEarliest(), kinds=kinds)
        stream.wait_body("for her")
        stream.wait_body("as edited")
        self.assertEqual(sorted(stream.bodies()), ["as edited", "before", "for her"])
        # Whoever follows edits is told that some may be missing.
        gaps = [event.gap for event in stream.events if event.WhichOneof("payload") == "gap"]
        self.assertIn("GAP_REASON_UPSTREAM_UNCERTAIN",
                      [pb.GapReason.Name(gap.reason) for gap in gaps])

    def test_messages_of_one_millisecond(self):
        self.carol.conversation("c0", "alice")
        said = [str(number) for number in range(60)]

        def meanwhile():
            # TalkJS's clock gives no two messages of a conversation one time; an import does.
            time.sleep(0.01)
            now = int(time.time() * 1000)
            rest = RestApi(self.emulator.host)
            for start in range(0, len(said), 10):
                messages = [{"text": text, "sender": "carol", "type": "UserMessage",
                             "timestamp": now, "readBy": []} for text in said[start:start + 10]]
                rest.call("POST", "/import/conversations/c0/messages", messages)
            self.carol.send("c0", "and one more")

        _, _, stream = self.away(meanwhile)
        stream.wait_body("and one more")
        self.assertEqual(stream.bodies(), [*said, "and one more"])


if __name__ == "__main__":
    unittest.main(verbosity=0)
