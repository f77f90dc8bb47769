"""Serves recorded conversations back (tests/data/captures): a TalkJS that the emulator's authors did not write.

Each request of the daemon gets the recorded answer to the same method and path, the newest that had been given when the
recording was where the replay is now; the recorded PUBLISH frames follow in their order, each event once the subscription
that it needs exists. The recordings are the SDK's, which asks for other things than the daemon does. Where something is
missing that a server would surely say, it is put together from the recording: the list of conversations, users by id, and
the `side.edited` that every new message causes.

One server serves many recordings: an app id stands for one (Replay.app_id).
"""

import asyncio
import json
import os
import urllib.parse

import harness
import ws

CAPTURES = os.path.join(harness.ROOT, "tests", "data", "captures")
LOGIN = ("POST", "/session/renew")
LIST = "/me/conversations"


class Recording:
    """One socket of the SDK: requests with their answers, and publishes, in their order."""

    def __init__(self, user):
        self.user = user
        self.answers = []  # (position, method, path, data, status, answer)
        self.publishes = []  # lists of events
        self.opened_at = self.closed_at = None
        self._asked = {}

    def add(self, record):
        if "ws" in record:
            if record["ws"] == "connect":
                self.opened_at = record["t"]
            elif record["ws"] == "close":
                self.closed_at = record["t"]
            return
        frame = record.get("frame")
        if not isinstance(frame, list) or len(frame) < 2:
            return
        if record["dir"] == "c2s" and isinstance(frame[1], str) and frame[1] != "ACK":
            method, path, data = [*frame[1:4], None, None][:3]
            self._asked[frame[0]] = method, path, data if isinstance(data, dict) else {}
        elif record["dir"] == "s2c" and frame[1] == "PUBLISH":
            self.publishes.append([event for event in frame[2:] if isinstance(event, dict)])
        elif record["dir"] == "s2c" and frame[0] in self._asked and len(frame) > 2:
            method, path, data = self._asked.pop(frame[0])
            self.answers.append((len(self.publishes), method, path, data, frame[1], frame[2]))


def load(scenario):
    """The description of a capture, its sockets in order, and its HTTP exchanges."""
    with open(os.path.join(CAPTURES, scenario + ".jsonl"), encoding="utf-8") as file:
        head, *records = [json.loads(line) for line in file]
    sockets, exchanges = {}, []
    for record in records:
        if "http" in record:
            exchanges.append(record["http"])
            continue
        sockets.setdefault(record["conn"], Recording(None)).add(record)
        if record.get("user"):
            sockets[record["conn"]].user = record["user"]
    return head, list(sockets.values()), exchanges


class Replay:
    """One user's part of one capture."""

    def __init__(self, scenario, user, number):
        self.app_id = f"{scenario}-{number}"
        self.scenario, self.user = scenario, user
        self.head, sockets, self.exchanges = load(scenario)
        mine = [socket for socket in sockets if socket.user == user]
        # What was opened while the first one was open is another device of the user's.
        self.sockets = mine[:1]
        for socket in mine[1:]:
            closed = self.sockets[-1].closed_at
            if closed is not None and socket.opened_at >= closed:
                self.sockets.append(socket)
        self.users = {}
        for socket in sockets:
            for _, method, path, _, status, answer in socket.answers:
                if (method, path, status) == ("GET", "/users", 200):
                    self.users.update({name: state for name, state in answer.items() if state})
            for event in [event for frame in socket.publishes for event in frame]:
                if event.get("type") == "user.created":
                    self.users[event["userId"]] = event["state"]
        self.connections = 0
        self.done = asyncio.Event()  # everything has been published

    def events(self, kind):
        return [event for socket in self.sockets for frame in socket.publishes for event in frame
                if event.get("type") == kind]

    def new_messages(self):
        """What the user's client should hear of, oldest first, as message.created events: those that were published, and
        those that only a later page shows."""
        found = {}
        for event in self.events("message.created"):
            found.setdefault(event["messageId"], event)
        history = {side["id"]: side["lastMessageAt"] for side in first_sides(self.sockets[0])}
        for socket in self.sockets:
            for _, method, path, _, status, answer in socket.answers:
                parts = path.split("/")
                if (method, status, parts[4:]) != ("GET", 200, ["messages"]):
                    continue
                name = urllib.parse.unquote(parts[3])
                for state in answer["data"]:
                    if state["createdAt"] > history.get(name, 0):
                        found.setdefault(state["id"], {"conversationId": name, "messageId": state["id"],
                                                       "state": state})
        return sorted(found.values(), key=lambda event: event["state"]["createdAt"])

    def plaintexts(self):
        """Message id -> the plain text that the SDK showed."""
        found = {}

        def walk(value):
            if isinstance(value, dict):
                if "plaintext" in value and "id" in value:
                    found.setdefault(value["id"], value["plaintext"])
                for child in value.values():
                    walk(child)
            elif isinstance(value, list):
                for child in value:
                    walk(child)
        walk(self.head["snapshots"])
        return found


class Connection:
    """A socket of the daemon, replaying one Recording."""

    def __init__(self, replay, socket):
        index = min(replay.connections, len(replay.sockets) - 1)
        replay.connections += 1
        self._replay, self._socket = replay, socket
        self._recording = replay.sockets[index]
        self._is_last = index == len(replay.sockets) - 1
        self._position = 0
        self._number = 0
        self._topics = set()
        # What is published before the first list has been read would be history. After an announced interruption it is
        # not read again.
        self._list_read = index > 0
        self._changed = asyncio.Condition()
        self._sides = {side["id"]: dict(side) for side in first_sides(self._recording)}

    async def serve(self):
        publishing = asyncio.ensure_future(self._publish_all())
        try:
            while True:
                opcode, payload = await self._socket.recv()
                if opcode == ws.CLOSE:
                    return
                frame = json.loads(payload)
                if frame[1] != "ACK":
                    status, answer = await self._answer(*frame[1:4])
                    await self._socket.send_text(json.dumps([frame[0], status, answer]))
                    if frame[1:3] == ["GET", LIST] and not self._list_read:
                        async with self._changed:
                            self._list_read = True
                            self._changed.notify_all()
        finally:
            publishing.cancel()

    # --- requests ---

    async def _answer(self, method, path, data):
        if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
            topics = [f"/users/{name}" for name in data["ids"]] if path == "/users" else [path]
            async with self._changed:
                if method == "SUBSCRIBE":
                    self._topics.update(topics)
                else:
                    self._topics.difference_update(topics)
                self._changed.notify_all()
            return 200, {}
        if (method, path) == ("GET", "/users"):
            return 200, {name: self._replay.users[name] for name in data["ids"]
                         if name in self._replay.users}
        if (method, path) == ("GET", LIST) and "cursor" not in data:
            # Only the unfiltered list is in the recordings.
            if data.get("filter"):
                return 200, {"data": [side for side in self._sides.values() if side["isUnread"]],
                             "cursor": None}
        recorded = self._recorded(method, path, data.get("cursor"))
        if recorded is not None:
            return recorded
        if (method, path) == ("GET", LIST):
            return 200, {"data": list(self._sides.values()), "cursor": None}
        if method == "GET" and path.endswith("/messages"):
            return 200, {"data": [], "cursor": None}
        if method == "GET" and path.startswith(LIST + "/") and path.count("/") == 3:
            side = self._sides.get(urllib.parse.unquote(path.split("/")[3]))
            if side is not None:
                return 200, side
        if method in ("POST", "PUT", "PATCH", "DELETE") or path == "/ping":
            return 200, {}
        return 404, {"errorCode": "NOT_RECORDED", "reasons": [f"{method} {path}"]}

    def _recorded(self, method, path, cursor):
        """(status, answer), or None. A 401 belongs to a login that was not the daemon's."""
        found = [(position, status, answer)
                 for position, m, p, data, status, answer in self._recording.answers
                 if (m, p, data.get("cursor")) == (method, path, cursor) and
                 (status == 200 if (m, p) == LOGIN else status in (200, 403, 404))]
        before = [entry for entry in found if entry[0] <= self._position]
        if not found or not before and path.endswith("/messages"):
            return None  # later pages have messages that are not there yet
        _, status, answer = before[-1] if before else found[0]
        if status != 200 and path.startswith(LIST + "/"):
            # The recorded client asked before it was in the conversation; the daemon asks only afterwards.
            _, status, answer = next((entry for entry in found if entry[1] == 200), found[0])
        return status, answer

    # --- publishes ---

    async def _publish_all(self):
        async with self._changed:
            await self._changed.wait_for(lambda: LIST in self._topics and self._list_read)
        for events in self._recording.publishes:
            chosen = []
            for event in events:
                if await self._is_wanted(event):
                    chosen.append(event)
            self._position += 1
            if chosen:
                await self._publish(*chosen)
        if self._is_last:
            self._replay.done.set()
        else:
            self._socket.reset()

    async def _publish(self, *events):
        self._number += 1
        await self._socket.send_text(json.dumps([self._number, "PUBLISH", *events]))
        if any(event["type"] == "session.expired" for event in events):
            async with self._changed:
                self._topics.clear()
        # An answer and a publish that follows it arrive apart (realtime.md 5.2).
        await asyncio.sleep(0.005)

    async def _wait_for(self, topic):
        async with self._changed:
            await self._changed.wait_for(lambda: topic in self._topics)

    async def _is_wanted(self, event):
        kind = event.get("type", "")
        name = event.get("conversationId", "")
        messages = f"{LIST}/{urllib.parse.quote(name, safe=chr(39) + '-_.!~*()')}/messages"
        if kind in ("session.expired", "upstream.restarting"):
            return True
        if kind.startswith("side.") or kind == "conversation.edited":
            await self._wait_for(LIST)
            return True
        if kind.startswith("user."):
            return f"/users/{event['userId']}" in self._topics
        if kind == "message.created" and messages not in self._topics:
            await self._wait_for(LIST)
            await self._publish(news(event))
            await self._wait_for(messages)
        return messages in self._topics and kind.startswith(("message.", "conversation.cleared"))


def first_sides(recording):
    """The conversations that the user is in at the beginning of a recording, as far as the recording shows."""
    seen, created = {}, set()
    for _, method, path, _, status, answer in recording.answers:
        parts = path.split("/")
        if status == 200 and method == "GET" and path.startswith(LIST + "/"):
            name = urllib.parse.unquote(parts[3])
            if len(parts) == 4:
                seen.setdefault(name, answer)
            elif parts[4:] == ["messages"] and answer["data"]:
                seen.setdefault(name, made_up_side(name, answer["data"][-1]["createdAt"],
                                                   answer["data"][0]["createdAt"]))
    for events in recording.publishes:
        for event in events:
            name = event.get("conversationId")
            if event.get("type") == "side.created":
                created.add(name)
            elif event.get("type") == "message.created" and name not in created:
                time = event["state"]["createdAt"] - 1
                seen.setdefault(name, made_up_side(name, time, time))
    return [side for name, side in seen.items() if name not in created]


def made_up_side(name, joined, last):
    return {"id": name, "createdAt": joined, "subject": None, "photoUrl": None, "welcomeMessages": [],
            "custom": {}, "lastMessageAt": last, "unreadMessageCount": 0, "isUnread": False,
            "access": "ReadWrite", "notify": True, "readUntil": last, "everyoneReadUntil": last,
            "joinedAt": joined}


def news(event):
    """What a socket with only the list's subscription gets for a new message (realtime.md 7.6)."""
    return {"type": "side.edited", "conversationId": event["conversationId"],
            "diff": {"lastMessageAt": event["state"]["createdAt"], "unreadMessageCount": 1,
                     "isUnread": True}}


class ReplayServer(ws.Server):
    """server.host is for --upstream-host."""

    def __init__(self, case):
        self._replays = {}
        super().__init__(case, self._connection)

    def add(self, replay):
        self._replays[replay.app_id] = replay

    async def _connection(self, reader, writer):
        head = await ws.read_head(reader)
        if head is None:
            return
        parts = head.target.split("/")
        app_id = parts[3].split("?")[0]
        replay = self._replays.get(app_id)
        if replay is None:
            answer = ws.http_answer(404, b'{"errorCode":"APP_NOT_FOUND","reasons":[]}')
        elif head.is_upgrade:
            await Connection(replay, await ws.WebSocket.accept(reader, writer, head)).serve()
            return
        else:
            target = head.target.replace(f"/{app_id}", "/demo", 1)
            recorded = next((exchange for exchange in replay.exchanges
                             if (exchange["method"], exchange["path"]) == (head.method, target)), None)
            if target == "/api/v0/demo":
                answer = ws.http_answer(200, b"{}")  # not every client asks whether the app exists
            elif recorded is None:
                answer = ws.http_answer(404, b'{"errorCode":"NOT_RECORDED","reasons":[]}')
            else:
                answer = ws.http_answer(recorded["status"], json.dumps(recorded["body"]).encode())
        writer.write(answer)
        await writer.drain()
