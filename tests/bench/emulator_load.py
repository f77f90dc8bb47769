"""What 10,000 sockets (fewer where descriptors are scarce) and a flood of messages cost talkjs-emulator; see `quick`.

Every socket is another user, logged in, subscribed to its conversations and to the messages of the one it shares with
99 others. Then one user of each conversation writes; every PUBLISH is read and acknowledged, as the SDK does it. The
figures are of the emulator's process alone: resident memory, and frames a second of its CPU time, which is what one
core does. Prints them, and fails when one is beyond its limit."""

import json
import os
import resource
import select
import socket
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

import harness  # noqa: E402  pylint: disable=wrong-import-position

ROOM = 100
SOCKETS = 10_000
ROUNDS = 20
MEMORY_LIMIT_KB = 30  # a socket: 300 MB for 10,000
FRAMES_LIMIT = 20_000
READ_SIZE = 1 << 18


def resident_mb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Rss:")) * 1024 / 1e6


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def masked(payload):
    """A text frame under the mask of four zeros."""
    size = len(payload)
    head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + payload


class Client:
    """One user's socket. Reads count frames and answer them; nothing is parsed further."""

    def __init__(self, host, user):
        name, _, port = host.partition(":")
        self.user = user
        self.published = 0
        self._next = 0
        self._tail = b""
        self.socket = socket.create_connection((name, int(port)))
        self.socket.sendall(f"GET /public_api/v1/{harness.APP}/realtime/{user} HTTP/1.1\r\nHost: {host}\r\n"
                            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.socket.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        self.call("POST", "/session/renew", {"token": harness.token(user)})
        self.call("PUT", f"/users/{user}", {"name": user})

    def post(self, method, path, data):
        self.socket.sendall(masked(json.dumps([self._next, method, path, data, {}]).encode()))
        self._next += 1

    def call(self, method, path, data):
        self.post(method, path, data)
        wanted = f"[{self._next - 1},200,".encode()
        answer = b""
        while wanted not in answer:
            part = self.socket.recv(READ_SIZE)
            assert part, f"{method} {path}: {answer}"
            answer += part

    def read(self):
        """What has arrived: the number of PUBLISH frames in it."""
        marker = b'"PUBLISH"'
        data = self._tail + self.socket.recv(READ_SIZE)
        found = data.count(marker)
        self._tail = data[data.rfind(marker) + len(marker):][-len(marker):] if found else data[-len(marker):]
        first = self.published + 1
        self.published += found
        self.socket.sendall(b"".join(masked(b'[%d,"ACK"]' % number)
                                     for number in range(first, first + found)))
        return found


class EmulatorLoad(harness.Case):
    def test_memory_and_publishing(self):
        sockets = SOCKETS
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard != resource.RLIM_INFINITY:
            sockets = min(SOCKETS, (hard - 200) // ROOM * ROOM)
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        emulator = self.start_emulator()
        pid = emulator.process.popen.pid
        before = resident_mb(pid)
        clients = self.connect(emulator.host, sockets)
        after = resident_mb(pid)
        each = (after - before) * 1000 / sockets
        print(f"emulator memory: {before:.0f} MB without sockets, {after:.0f} MB with {sockets}: "
              f"{each:.1f} kB a socket (at most {MEMORY_LIMIT_KB})")
        rate = self.flood(clients, pid)
        print(f"emulator publishing: {rate:,.0f} frames a second of its CPU time (at least {FRAMES_LIMIT:,})")
        self.assertLessEqual(each, MEMORY_LIMIT_KB)
        self.assertGreaterEqual(rate, FRAMES_LIMIT)

    def connect(self, host, sockets):
        clients = [Client(host, f"user-{number}") for number in range(sockets)]
        for client in clients:
            self.addCleanup(client.socket.close)
        for start in range(0, sockets, ROOM):
            room = clients[start:start + ROOM]
            room[0].call("PUT", f"/conversations/room-{start}", {"subject": "A room"})
            actions = [{"id": client.user, "method": "PUT", "params": {}} for client in room]
            room[0].call("POST", f"/conversations/room-{start}/participants", {"actions": actions})
            for client in room:
                client.call("SUBSCRIBE", "/me/conversations", {})
                client.call("SUBSCRIBE", f"/me/conversations/room-{start}/messages", {})
        return clients

    def flood(self, clients, pid):
        poll = select.epoll()
        by_fd = {client.socket.fileno(): client for client in clients}
        for descriptor in by_fd:
            poll.register(descriptor, select.EPOLLIN)
        started = cpu_seconds(pid)
        for _ in range(ROUNDS):
            for start in range(0, len(clients), ROOM):
                clients[start].post("POST", f"/conversations/room-{start}/messages", {
                    "content": [{"type": "text", "children": ["Where is my order? I have been waiting for weeks."]}]})
            missing = len(clients)
            while missing > 0:
                ready = poll.poll(30)
                self.assertTrue(ready, f"{missing} frames did not come")
                missing -= sum(by_fd[descriptor].read() for descriptor, _ in ready)
        return ROUNDS * len(clients) / (cpu_seconds(pid) - started)


if __name__ == "__main__":
    unittest.main(verbosity=0)
