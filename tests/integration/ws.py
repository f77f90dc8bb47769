"""WebSocket and HTTP by hand, for servers that may misbehave: test servers in a thread of their own.

A test is synchronous; what serves the daemon is asyncio code on one background loop. Loop.run goes
over there and waits for the answer.
"""

import asyncio
import base64
import hashlib
import os
import socket
import struct
import threading
import traceback

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Closed(Exception):
    """The other side is gone."""


class Loop:
    """An asyncio loop in a thread."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine, timeout=30.0):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def stop(self):
        async def cancel():
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.run(cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Head:
    """The head of an HTTP request or response; headers' names in lower case."""

    def __init__(self, raw):
        lines = raw.decode("latin-1").split("\r\n")
        self.raw, self.first = raw, lines[0].split(" ", 2)
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            if value:
                self.headers[name.strip().lower()] = value.strip()

    @property
    def method(self):
        return self.first[0]

    @property
    def target(self):
        return self.first[1]

    @property
    def status(self):
        return int(self.first[1])

    @property
    def is_upgrade(self):
        return self.headers.get("upgrade", "").lower() == "websocket"


async def read_head(reader):
    """A Head, or None when the connection ends before one."""
    try:
        return Head(await reader.readuntil(b"\r\n\r\n"))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return None


async def read_body(reader, head):
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while True:
            size = int((await reader.readline()).split(b";")[0], 16)
            body += (await reader.readexactly(size + 2))[:-2]
            if size == 0:
                return body
    return await reader.readexactly(int(head.headers.get("content-length", "0")))


def http_answer(status, body, reason="Whatever", content_type="application/json"):
    return (f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n").encode() + body


class WebSocket:
    """An open WebSocket. As a client it masks what it sends; it takes masked and unmasked frames."""

    def __init__(self, reader, writer, is_client):
        self._reader, self._writer, self._is_client = reader, writer, is_client

    @classmethod
    async def accept(cls, reader, writer, head):
        key = head.headers["sec-websocket-key"] + _GUID
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        writer.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").encode())
        await writer.drain()
        return cls(reader, writer, is_client=False)

    @classmethod
    async def connect(cls, host, target):
        name, port = host.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(name, int(port))
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write((f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        head = await read_head(reader)
        if head is None or head.status != 101:
            writer.close()
            raise Closed(f"no upgrade: {head.first if head else 'closed'}")
        return cls(reader, writer, is_client=True)

    async def recv(self):
        """The next data or close message as (opcode, bytes), fragments put together. Pings are answered."""
        opcode, parts = None, []
        while True:
            fin, code, payload = await self._read_frame()
            if code == PING:
                await self.send(PONG, payload)
            elif code == CLOSE:
                return CLOSE, payload
            elif code != PONG:
                opcode = opcode or code
                parts.append(payload)
                if fin:
                    return opcode, b"".join(parts)

    async def _read_frame(self):
        try:
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                length, = struct.unpack(">H", await self._reader.readexactly(2))
            elif length == 127:
                length, = struct.unpack(">Q", await self._reader.readexactly(8))
            mask = await self._reader.readexactly(4) if second & 0x80 else b""
            payload = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Closed(str(error)) from None
        return bool(first & 0x80), first & 0x0F, _masked(payload, mask) if mask else payload

    async def send(self, opcode, payload, fin=True):
        length = len(payload)
        head = bytes([opcode | (0x80 if fin else 0)])
        bit = 0x80 if self._is_client else 0
        if length < 126:
            head += bytes([bit | length])
        elif length < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", length)
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", length)
        if self._is_client:
            mask = os.urandom(4)
            head, payload = head + mask, _masked(payload, mask)
        await self.send_raw(head + payload)

    async def send_text(self, text):
        await self.send(TEXT, text.encode())

    async def send_raw(self, data):
        """Bytes below the framing."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (ConnectionError, RuntimeError) as error:
            raise Closed(str(error)) from None

    async def close(self, code=1000):
        """Sends a close frame, and ends the TCP connection."""
        try:
            await self.send(CLOSE, struct.pack(">H", code))
        except Closed:
            pass
        self._writer.close()

    def reset(self):
        """Ends the TCP connection with RST."""
        sock = self._writer.get_extra_info("socket")
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass  # closed already
        self._writer.transport.abort()


def _masked(payload, mask):
    size = len(payload)
    repeated = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ repeated).to_bytes(size, "big")


class Server:
    """A TCP server on a free loopback port. serve(reader, writer) is called for each connection; what it raises ends
    its connection, and the test, unless it only says that the other side has gone."""

    def __init__(self, case, serve):
        self._case, self._serve = case, serve
        self._errors = []
        self.loop = Loop()
        self._server = self.loop.run(self._start())
        self.host = "127.0.0.1:%d" % self._server.sockets[0].getsockname()[1]
        case.addCleanup(self.stop)

    async def _start(self):
        return await asyncio.start_server(self._one, "127.0.0.1", 0, limit=1 << 20)

    async def _one(self, reader, writer):
        try:
            await self._serve(reader, writer)
        except (Closed, ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception:  # pylint: disable=broad-except
            self._errors.append(traceback.format_exc())
        finally:
            writer.close()

    def stop(self):
        if self._server is None:
            return
        self._server, server = None, self._server
        self.loop.loop.call_soon_threadsafe(server.close)
        self.loop.stop()
        self._case.assertEqual(self._errors, [], "in the test's server")

