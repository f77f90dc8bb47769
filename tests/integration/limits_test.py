"""Limits: who asks for too much is told so, and others are served meanwhile and afterwards."""

import os
import resource
import socket
import time
import unittest

import grpc
import harness
import listeners
from harness import SANITIZED, pb
from listeners import NOBODY
from talkjs.sidecar.v1 import event_service_pb2_grpc

SILENT = 1000


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Limits(listeners.Case):

    def start(self, **more):
        self.listener = {"address": self.socket(), "mode": "0666"}
        return self.start_configured([self.listener], **more)

    def expect_limit(self, name, call, *arguments):
        error = harness.expect_error(self, "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", call, *arguments)
        self.assertEqual(error.metadata["limit"], name)
        self.assertGreater(error.retry_delay, 0)

    def dial(self, daemon, count):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < count + 200:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 200), hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        sockets = []
        for _ in range(count):
            one = socket.socket(socket.AF_UNIX)
            self.addCleanup(one.close)
            one.settimeout(harness.PATIENCE)
            one.connect(daemon.socket)
            sockets.append(one)
        return sockets

    def assert_idle(self, daemon):
        """No busy loop: hardly any processor time while nothing happens."""
        before = cpu_seconds(daemon.process.popen.pid)
        time.sleep(1)
        used = cpu_seconds(daemon.process.popen.pid) - before
        self.assertLess(used, 0.7 if SANITIZED else 0.3)

    def info(self, daemon):
        return self.client(daemon.address, harness.make_channel(daemon.address)).daemon.GetInfo(
            pb.GetInfoRequest(), timeout=harness.PATIENCE)

    def test_connections_that_never_speak(self):
        daemon = self.start(limits={"connections": 20, "idle_handshake": "2s"})
        silent = self.dial(daemon, SILENT)
        start = time.monotonic()
        for _ in range(3):
            self.info(daemon)
        self.assertLess(time.monotonic() - start, harness.PATIENCE)
        self.assert_idle(daemon)
        for one in silent:
            self.assertEqual(one.recv(1), b"", "it was not closed")
        self.info(daemon)
        stream = daemon.messages().wait_open()
        self.assertIsNone(stream.error)

    @unittest.skipIf(SANITIZED, "UBSan probes memory through a pipe: without descriptors it reports good objects")
    def test_a_low_limit_of_open_files(self):
        self.listener = {"address": self.socket(), "mode": "0666"}
        # The hard limit as well: the daemon raises the soft one to it.
        daemon = self.start_configured([self.listener], wrapper=("prlimit", "--nofile=64:128"))
        self.assertEqual(daemon.metric("process_max_fds"), 128)
        session = daemon.connect("alice")
        silent = self.dial(daemon, SILENT)
        self.info(daemon)
        self.assert_idle(daemon)
        # Those that speak cannot be closed to make room.
        busy = [harness.make_channel(daemon.address) for _ in range(150)]
        for channel in busy:
            self.addCleanup(channel.close)
            channel.subscribe(lambda _: None, try_to_connect=True)
        harness.wait_until(lambda: "want of descriptors" in daemon.process.log(), "descriptors end")
        self.assert_idle(daemon)
        # The client that was there before is served, and the session lives.
        self.assertEqual(daemon.session(session).session_id, session)
        for one in silent:
            one.close()
        for channel in busy:
            channel.close()
        harness.wait_until(lambda: self.info(daemon), "recovery")
        daemon.wait_state(session, "CONNECTED")

    def test_streams_without_end(self):
        daemon = self.start(limits={"streams": 1000, "streams_opened_per_second": 5})
        session = daemon.connect("alice")
        greedy_address = self.as_uid(NOBODY, daemon.address)
        channel = harness.make_channel(greedy_address)
        self.addCleanup(channel.close)
        request = pb.StreamMessagesRequest(session_ids=[session])
        streams = [harness.MessageReader(daemon, request, channel) for _ in range(80)]
        harness.wait_until(lambda: all(stream.opened or stream.error for stream in streams),
                           "an answer to each")
        refused = [stream.error for stream in streams if stream.error]
        for error in refused:
            self.assertEqual((error.code.name, error.reason, error.metadata["limit"]),
                             ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", "streams_opened_per_second"))
            self.assertGreater(error.retry_delay, 0)
        # 10 seconds' worth at once, and those of the time that it took.
        self.assertGreaterEqual(len(streams) - len(refused), 50)
        self.assertGreater(len(refused), 0)
        other = daemon.messages(session).wait_open()
        self.info(daemon)
        self.assertIsNone(other.error)
        self.assert_idle(daemon)

    def test_a_peer_leaves_streams_for_others(self):
        daemon = self.start(limits={"streams": 10})
        session = daemon.connect("alice")
        channel = harness.make_channel(self.as_uid(NOBODY, daemon.address))
        self.addCleanup(channel.close)
        request = pb.StreamMessagesRequest(session_ids=[session])
        streams = [harness.MessageReader(daemon, request, channel).wait_open() for _ in range(8)]
        refused = harness.MessageReader(daemon, request, channel).wait_end()
        self.assertEqual(refused.metadata["limit"], "max_streams")
        daemon.messages(session).wait_open()
        streams[0].close()
        harness.wait_until(lambda: self.opens(daemon, request, channel), "room for another one")

    def opens(self, daemon, request, channel):
        stream = harness.MessageReader(daemon, request, channel)
        harness.wait_until(lambda: stream.opened or stream.error, "an answer")
        return stream.error is None

    def test_connections(self):
        daemon = self.start(limits={"connections": 3})
        first = [self.client(daemon.address, harness.make_channel(daemon.address))
                 for _ in range(3)]
        for client in first:
            client.daemon.GetInfo(pb.GetInfoRequest())
        late = self.client(daemon.address, harness.make_channel(daemon.address))
        self.expect_limit("connections", late.daemon.GetInfo, pb.GetInfoRequest())
        first[1].daemon.GetInfo(pb.GetInfoRequest())
        first[0].close()
        harness.wait_until(lambda: self.works(late), "room for the late one")

    def works(self, client):
        try:
            return client.daemon.GetInfo(pb.GetInfoRequest())
        except harness.talkjsd.Error as error:
            self.assertEqual(error.reason, "LIMIT_EXCEEDED")
            return None

    def test_a_request_that_is_too_large(self):
        daemon = self.start(limits={"request_bytes": "64KiB"})
        session = daemon.connect("alice")
        request = pb.SendMessageRequest(session_id=session, conversation_id="c", text="x" * 70_000)
        self.expect_limit("request_bytes", daemon.client.message_service.SendMessage, request)
        self.assertEqual(self.info(daemon).limits.max_request_bytes, 64 << 10)
        request.text = "x" * 1_000_000
        with self.assertRaises(harness.talkjsd.Error) as caught:
            daemon.client.message_service.SendMessage(request)
        self.assertEqual(caught.exception.code, grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.info(daemon)

    def test_memory_and_a_reload(self):
        limits = {"memory_bytes": "64MiB", "streams_opened_per_second": 10000}
        daemon = self.start(limits=limits)
        session = daemon.connect("alice")
        channel = harness.make_channel(daemon.address)
        self.addCleanup(channel.close)
        stub = event_service_pb2_grpc.EventServiceStub(channel)
        request = pb.StreamMessagesRequest(session_ids=[session])
        calls = []  # a stream takes some tens of KiB
        with self.assertRaises(grpc.RpcError) as caught:
            while len(calls) < 5000:
                calls.append(stub.StreamMessages(request, timeout=harness.PATIENCE * 4))
                next(calls[-1])
        error = harness.talkjsd.Error.from_rpc(caught.exception)
        self.assertEqual((error.reason, error.metadata.get("limit")),
                         ("LIMIT_EXCEEDED", "memory_bytes"))
        self.info(daemon)
        self.assertIsNone(calls[0].code() if calls[0].done() else None, "those that run go on")
        self.reload(daemon, [self.listener], limits={"streams": 20000})
        harness.wait_until(lambda: self.opens(daemon, request, channel), "streams again")
        self.assertEqual(self.info(daemon).limits.max_streams, 20000)
        for call in calls:
            call.cancel()


if __name__ == "__main__":
    harness.main()
