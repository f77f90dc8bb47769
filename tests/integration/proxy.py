"""A server that stands between the daemon and an emulator: honest to most, and to some users as bad as told."""

import asyncio
import json
import time
import urllib.parse

import ws


class Rules:
    """What happens to one user. Change it at any time; it is looked at for each connection and frame."""

    def __init__(self):
        # async (reader, writer, head): takes the place of the upstream for the WebSocket.
        self.socket = None
        # (path) -> bytes of a whole HTTP answer, or None to forward.
        self.http = None
        # True: new sockets are closed at once.
        self.refuse = False
        # (frame) -> list of frames; parsed JSON. None drops nothing and changes nothing.
        self.to_client = None
        self.to_server = None


class Link:
    """One forwarded WebSocket: daemon <-> proxy <-> emulator."""

    def __init__(self, proxy, user, down, up):
        self._proxy, self.user, self._down, self._up = proxy, user, down, up
        self._stalled = False
        self._ended = asyncio.Event()
        self.log = []  # (monotonic time, "c2s" or "s2c", frame)
        self.closed_at = None  # when the daemon's side ended
        self.closed_how = None

    async def forward(self):
        tasks = [asyncio.ensure_future(self._pump(self._down, self._up, "c2s")),
                 asyncio.ensure_future(self._pump(self._up, self._down, "s2c"))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            self._up.reset()
            self.closed_at = self.closed_at or time.monotonic()

    async def _pump(self, source, target, direction):
        try:
            while True:
                opcode, payload = await source.recv()
                if opcode == ws.CLOSE:
                    if direction == "c2s":
                        self.closed_how = "closed"
                    await target.close()
                    return
                frame = json.loads(payload)
                self.log.append((time.monotonic(), direction, frame))
                if self._stalled:
                    continue
                rules = self._proxy.rules(self.user)
                change = rules.to_server if direction == "c2s" else rules.to_client
                for one in [frame] if change is None else change(frame):
                    await target.send_text(json.dumps(one))
        except ws.Closed:
            if direction == "c2s" and self.closed_how is None:
                self.closed_how = "lost"

    # From the test's thread:

    def reset(self):
        self._proxy.loop.loop.call_soon_threadsafe(self._down.reset)

    def close(self):
        self._proxy.loop.run(self._down.close())

    def stall(self):
        """Half-open: what comes is read and dropped, nothing is sent any more."""
        self._stalled = True

    def send_text(self, text):
        """To the daemon, whatever the rules say."""
        self._proxy.loop.run(self._down.send_text(text))

    def frames(self, direction):
        return [frame for _, way, frame in list(self.log) if way == direction]


class Proxy(ws.Server):
    """proxy.host is for --upstream-host."""

    def __init__(self, case, upstream):
        self._upstream = upstream
        self._rules = {}
        self.links = []  # all there ever were
        self.requests = []  # paths of plain HTTP requests
        super().__init__(case, self._connection)

    def rules(self, user):
        return self._rules.setdefault(user, Rules())

    def links_of(self, user):
        return [link for link in list(self.links) if link.user == user]

    def link(self, user):
        """The newest one that is open, or None."""
        return next((link for link in reversed(self.links_of(user)) if link.closed_at is None), None)

    async def _connection(self, reader, writer):
        head = await ws.read_head(reader)
        if head is None:
            return
        path = urllib.parse.urlsplit(head.target).path
        if not head.is_upgrade:
            await self._http(reader, writer, head, path)
            return
        user = urllib.parse.unquote(path.rsplit("/", 1)[1])
        rules = self.rules(user)
        if rules.refuse:
            return
        if rules.socket is not None:
            await rules.socket(reader, writer, head)
            return
        up = await ws.WebSocket.connect(self._upstream, head.target)
        link = Link(self, user, await ws.WebSocket.accept(reader, writer, head), up)
        self.links.append(link)
        await link.forward()

    async def _http(self, reader, writer, head, path):
        self.requests.append(path)
        body = await ws.read_body(reader, head)
        user = urllib.parse.unquote(path.rsplit("/", 1)[1])
        rules = self.rules(user)
        answer = rules.http(path) if rules.http is not None else None
        if answer is None:
            host, port = self._upstream.rsplit(":", 1)
            up_reader, up_writer = await asyncio.open_connection(host, int(port))
            lines = [line for line in head.raw.decode("latin-1").split("\r\n")
                     if line and not line.lower().startswith("connection:")]
            up_writer.write(("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode("latin-1") + body)
            answer_head = await ws.read_head(up_reader)
            if answer_head is None:
                return
            answer = ws.http_answer(answer_head.status, await ws.read_body(up_reader, answer_head))
            up_writer.close()
        writer.write(answer)
        await writer.drain()
