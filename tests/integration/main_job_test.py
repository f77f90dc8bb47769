"""The daemon's main job: three people of the real SDK write into five conversations while 50 clients follow."""

import os

import harness
from harness import pb

MESSAGES = int(os.environ.get("TALKJSD_TEST_MESSAGES", "1000"))
CLIENTS = 50
CHANNELS = 10
SENDERS = ["alice", "bob", "carol"]
CONVERSATIONS = [f"c{number}" for number in range(5)]
PATIENCE = 90.0


class MainJob(harness.Case):

    def follow(self, *flags):
        daemon = self.start_daemon(*flags)
        watcher = daemon.connect("dave")
        sdk = harness.Sdk(self, daemon.emulator_host, SENDERS)
        sdk.ask("prepare", conversations=CONVERSATIONS, others=["dave"])

        channels = [harness.make_channel(daemon.address) for _ in range(CHANNELS)]
        for channel in channels:
            self.addCleanup(channel.close)
        request = pb.StreamMessagesRequest(session_ids=[watcher])
        streams = [harness.MessageReader(daemon, request, channels[i % CHANNELS])
                   for i in range(CLIENTS)]
        unreads = [daemon.unreads(watcher) for _ in range(3)]
        for stream in [*streams, *unreads]:
            stream.wait_open()

        sent = sdk.ask("send", PATIENCE, conversations=CONVERSATIONS, count=MESSAGES)["sent"]
        self.assertEqual(len(sent), MESSAGES)
        by_id = {message["id"]: message for message in sent}
        self.assertEqual(len(by_id), MESSAGES)
        for stream in streams:
            stream.wait_count(MESSAGES, PATIENCE)

        self.check_one(streams[0].sent(), by_id)
        first = [(event.cursor, event.sent.id) for event in streams[0].events]
        for number, stream in enumerate(streams):
            self.assertEqual([(event.cursor, event.sent.id) for event in stream.events], first,
                             f"client {number} was sent something else than client 0")

        view = sdk.ask("view", user="dave", complete=len(CONVERSATIONS))["list"]
        expected = {item["id"]: item["unreadMessageCount"] for item in view if item["isUnread"]}
        per_conversation = {}
        for message in sent:
            per_conversation.setdefault(message["conversation"], []).append(message)
        self.assertEqual(expected,
                         {name: len(messages) for name, messages in per_conversation.items()})
        for stream in unreads:
            last = stream.wait_counts(expected, PATIENCE)
            self.check_unreads(last, view)

        self.check_reading(daemon, watcher, expected, unreads[0])
        # Nothing comes twice, not even late.
        daemon.client.send(watcher, CONVERSATIONS[0], "the end")
        for stream in streams:
            stream.wait_body("the end")
            self.assertEqual(len(stream.events), MESSAGES + 1)
            self.assertIsNone(stream.error)

    def check_one(self, messages, by_id):
        """Every message once, with what it should hold, in the order of each conversation."""
        self.assertEqual({message.id for message in messages}, set(by_id))
        self.assertEqual(len(messages), MESSAGES)
        numbers, times = {}, {}
        for message in messages:
            origin = by_id[message.id]
            self.assertEqual(message.body, origin["text"])
            self.assertEqual(message.conversation.id, origin["conversation"])
            self.assertEqual(message.conversation.subject, f"about {origin['conversation']}")
            self.assertEqual(message.sender_id, origin["user"])
            self.assertEqual(message.sender.name, origin["user"])
            self.assertFalse(message.is_by_me)
            self.assertEqual(message.type, pb.MESSAGE_TYPE_TEXT)
            lane = (origin["conversation"], origin["user"])
            self.assertEqual(origin["number"], numbers.get(lane, 0), f"{lane}: out of order")
            numbers[lane] = origin["number"] + 1
            created = message.create_time.ToMilliseconds()
            self.assertGreaterEqual(created, times.get(message.conversation.id, 0))
            times[message.conversation.id] = created

    def check_unreads(self, last, view):
        self.assertFalse(last.stale)
        shown = {item["id"]: item for item in view}
        newest = [item.conversation.last_message_time.ToMilliseconds()
                  for item in last.conversations]
        self.assertEqual(newest, sorted(newest, reverse=True))
        for item in last.conversations:
            self.assertEqual(item.last_message.id, shown[item.conversation.id]["lastMessageId"])
            self.assertTrue(item.conversation.is_unread)
            self.assertEqual(item.conversation.unread_message_count, item.unread_message_count)

    def check_reading(self, daemon, watcher, expected, unreads):
        """What is marked read here leaves the list."""
        for name in list(expected)[:2]:
            daemon.client.conversations.MarkConversationRead(
                pb.MarkConversationReadRequest(session_id=watcher, conversation_id=name))
            del expected[name]
            unreads.wait_counts(expected)

    def test_fifty_clients_get_every_message_once_and_in_order(self):
        self.follow()

    def test_the_same_with_two_message_subscriptions(self):
        self.follow("--message-subscriptions-per-session", "2")


if __name__ == "__main__":
    harness.main()
