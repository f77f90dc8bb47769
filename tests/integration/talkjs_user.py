"""A TalkJS user without the SDK and without the daemon: frames over a socket to the emulator."""

import json
import urllib.parse

import harness
import ws


class TalkjsError(Exception):
    """An answer other than 200."""


class TalkjsUser:
    """Logged in; calls from one thread at a time. Events are read and dropped."""

    def __init__(self, case, host, user):
        self._loop = ws.Loop()
        self._next = 0
        self.user = user
        target = f"/public_api/v1/{harness.APP}/realtime/{urllib.parse.quote(user, safe='')}"
        self._socket = self._loop.run(ws.WebSocket.connect(host, target))
        case.addCleanup(self._loop.stop)
        case.addCleanup(lambda: self._loop.run(self._socket.close()))
        self.call("POST", "/session/renew", {"token": harness.token(user)})

    def call(self, method, path, data=None):
        return self._loop.run(self._call(method, path, data or {}))

    async def _call(self, method, path, data):
        number = self._next
        self._next += 1
        await self._socket.send_text(json.dumps([number, method, path, data, {}]))
        while True:
            opcode, payload = await self._socket.recv()
            if opcode == ws.CLOSE:
                raise ws.Closed("the emulator closed the socket")
            frame = json.loads(payload)
            if frame[0] == number and isinstance(frame[1], int):
                if frame[1] != 200:
                    raise TalkjsError(f"{method} {path}: {frame[1:]}")
                return frame[2]

    def create(self):
        """Makes the user."""
        self.call("PUT", f"/users/{_quoted(self.user)}", {"name": self.user.capitalize()})
        return self

    def conversation(self, name, *others):
        """Makes the conversation with this user and the others in it."""
        self.call("PUT", f"/conversations/{_quoted(name)}", {"subject": f"about {name}"})
        for other in (self.user, *others):
            self.call("POST", f"/conversations/{_quoted(name)}/participants",
                      {"actions": [{"id": other, "method": "PUT", "params": {}}]})

    def send(self, conversation, text):
        """The message's id."""
        return self.call("POST", f"/conversations/{_quoted(conversation)}/messages",
                         {"content": [{"type": "text", "children": [text]}]})["id"]

    def messages(self, conversation):
        """All messages, oldest first."""
        path = f"/me/conversations/{_quoted(conversation)}/messages"
        page = self.call("GET", path, {"limit": 100})
        found = page["data"]
        while page["cursor"] is not None:
            page = self.call("GET", path, {"limit": 100, "cursor": page["cursor"]})
            found += page["data"]
        return found[::-1]


def _quoted(text):
    return urllib.parse.quote(text, safe="-_.!~*'()")
