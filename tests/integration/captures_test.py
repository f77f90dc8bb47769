"""The daemon against recorded conversations served back: what it emits is what the SDK was shown."""

import json
from concurrent.futures import ThreadPoolExecutor

import harness
import ws
from harness import pb, token
from replay_server import Replay, ReplayServer, load

# A first retry comes 5-15 s after a loss.
PATIENCE = 60.0

# (scenario, user, kind of login)
SCENARIOS = [
    ("login-token", "alice", "token"),
    ("login-boken", "bo ken/é", "signature"),
    ("login-boken", "bo ken/é", "none"),
    ("messages", "alice", "token"),
    ("messages", "bob", "token"),
    ("conversations", "alice", "token"),
    ("conversations", "bob", "token"),
    ("conversation-list", "alice", "token"),
    ("files", "alice", "token"),
    ("markup", "alice", "token"),
    ("read-state", "alice", "token"),
    ("read-state", "bob", "token"),
    ("reactions", "alice", "token"),
    ("typing", "bob", "token"),
    ("users", "alice", "token"),
    ("load-more", "alice", "token"),
    ("session-expired", "alice", "token"),
    ("token-refresh", "alice", "token"),
    ("reconnect", "alice", "token"),
    ("raw-protocol", "alice", "token"),
]


class Captures(harness.Case):

    def setUp(self):
        super().setUp()
        self.server = ReplayServer(self)
        self.daemon = self.start_daemon(upstream=self.server.host)

    def create(self, replay, login):
        credentials = {}
        if login == "token":
            # The recorded one has expired long ago.
            credentials["token"] = token(replay.user, iss=replay.app_id)
        elif login == "signature":
            accepted = next(exchange["path"] for exchange in replay.exchanges
                            if "signature=" in exchange["path"] and exchange["status"] == 200)
            credentials["signature"] = accepted.split("signature=")[1]
        return self.daemon.create(replay.user, app_id=replay.app_id, **credentials)

    def test_recorded_conversations(self):
        replays = [(Replay(scenario, user, number), login)
                   for number, (scenario, user, login) in enumerate(SCENARIOS)]
        with ThreadPoolExecutor(len(replays)) as pool:
            running = [(replay, pool.submit(self.play, replay, login)) for replay, login in replays]
            for replay, result in running:
                with self.subTest(f"{replay.scenario} of {replay.user}"):
                    result.result()

    def play(self, replay, login):
        self.server.add(replay)
        session_id = self.create(replay, login).session.session_id
        stream = self.daemon.messages(session_id, earliest=pb.StartEarliest())
        created = replay.new_messages()
        self.server.loop.run(wait(replay.done), PATIENCE)
        stream.wait_count(len(created), PATIENCE)
        session = self.daemon.wait_state(session_id, "CONNECTED", timeout=PATIENCE)
        self.assertNotIn("TOKEN", harness.reason_of(session))
        got = stream.sent()
        self.assertEqual([message.id for message in got], [event["messageId"] for event in created])
        plaintexts = replay.plaintexts()
        for message, event in zip(got, created):
            self.check(message, event, replay, plaintexts)

    def check(self, message, event, replay, plaintexts):
        state = event["state"]
        self.assertEqual(message.conversation.id, event["conversationId"])
        self.assertEqual(message.HasField("sender_id"), state["senderId"] is not None)
        self.assertEqual(message.sender_id, state["senderId"] or "")
        self.assertEqual(message.is_by_me, state["senderId"] == replay.user)
        self.assertEqual(message.create_time.ToMilliseconds(), state["createdAt"])
        self.assertEqual(message.origin, state["origin"])
        self.assertEqual(dict(message.custom), state["custom"])
        self.assertEqual(message.HasField("edit_time"), state["editedAt"] is not None)
        self.assertEqual(message.referenced_message_id, state["referencedMessageId"] or "")
        self.assertEqual(pb.MessageKind.Name(message.message_kind), "MESSAGE_KIND_" +
                         ("SYSTEM" if state["type"] == "SystemMessage" else "USER"))
        if message.id in plaintexts:
            self.assertEqual(message.body, plaintexts[message.id])
        if message.HasField("sender"):
            self.assertEqual(message.sender.name, replay.users[message.sender_id]["name"])
        self.assertEqual(len(message.content), len(state["content"]))
        for block, recorded in zip(message.content, state["content"]):
            self.assertEqual(block.WhichOneof("block"), recorded["type"])
        first = state["content"][0]
        if first["type"] == "file":
            self.assertEqual(message.type, pb.MESSAGE_TYPE_MEDIA)
            self.assertEqual((message.attachment.url, message.attachment.size_bytes),
                             (first["url"], first["size"]))
            block = message.content[0].file
            self.assertEqual((block.filename, block.file_token), (first["filename"], first["fileToken"]))
            self.assertEqual(block.subtype, first.get("subtype", ""))
            for name in ("width", "height"):
                self.assertEqual(getattr(block, name), first.get(name, 0))
            self.assertEqual(block.duration.ToMilliseconds(), round(first.get("duration", 0) * 1000))
        elif first["type"] == "location":
            self.assertEqual(message.type, pb.MESSAGE_TYPE_LOCATION)
            self.assertEqual((message.location.latitude, message.location.longitude),
                             (first["latitude"], first["longitude"]))
        else:
            self.assertEqual(message.type, pb.MESSAGE_TYPE_TEXT)

    def test_quirks_are_survived(self):
        """Frames that no good server sends, whether or not they were subscribed to."""
        publishes = [events for socket in load("quirks")[1] for events in socket.publishes]
        self.assertGreater(len(publishes), 10)
        acknowledged = []

        async def serve(reader, writer, head):
            socket = await ws.WebSocket.accept(reader, writer, head)
            number = 0
            while True:
                opcode, payload = await socket.recv()
                if opcode == ws.CLOSE:
                    return
                frame = json.loads(payload)
                if frame[1] == "ACK":
                    acknowledged.append(frame[0])
                    continue
                answer = {"expiresInSeconds": None} if frame[2] == "/session/renew" else {
                    "data": [], "cursor": None}
                await socket.send_text(json.dumps([frame[0], 200, answer]))
                if frame[2] == "/session/renew":
                    for events in publishes:
                        number += 1
                        await socket.send_text(json.dumps([number, "PUBLISH", *events]))
        server = ws.Server(self, lambda reader, writer: upgraded(reader, writer, serve))
        daemon = self.start_daemon(upstream=server.host)
        made = daemon.create("alice", token=token("alice"))
        daemon.wait_state(made.session.session_id, "CONNECTED")
        harness.wait_until(lambda: len(publishes) in acknowledged, "all is acknowledged")
        session = daemon.session(made.session.session_id)
        self.assertEqual(session.state, pb.SESSION_STATE_CONNECTED)


async def upgraded(reader, writer, serve):
    head = await ws.read_head(reader)
    if head.is_upgrade:
        await serve(reader, writer, head)
    else:
        writer.write(ws.http_answer(200, b"{}"))
        await writer.drain()


async def wait(event):
    await event.wait()


if __name__ == "__main__":
    harness.main()
