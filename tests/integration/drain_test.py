"""SIGTERM in the middle of the main job: clients hear of it, and the daemon is gone in time."""

import os
import signal
import threading
import time

import grpc
import harness
import talkjsd
from harness import pb

MESSAGES = int(os.environ.get("TALKJSD_TEST_MESSAGES", "1000"))
CLIENTS = 50
SENDERS = ["alice", "bob", "carol"]
CONVERSATIONS = [f"c{number}" for number in range(5)]


class Drain(harness.Case):

    def test_sigterm_in_full_flow(self):
        emulator = self.start_emulator()
        daemon = self.start_daemon(upstream=emulator.host)
        daemon.process.may_end = True
        watcher = daemon.connect("dave")
        sdk = harness.Sdk(self, emulator.host, SENDERS)
        sdk.ask("prepare", conversations=CONVERSATIONS, others=["dave"])
        request = pb.StreamMessagesRequest(session_ids=[watcher])
        streams = [harness.MessageReader(daemon, request) for _ in range(CLIENTS)]
        streams += [daemon.unreads(watcher), daemon.unreads()]
        for stream in streams:
            stream.wait_open()
        watch = self.watch_sessions(daemon)

        sdk.start("send", conversations=CONVERSATIONS, count=MESSAGES)
        streams[0].wait_count(MESSAGES // 5)
        daemon.process.popen.send_signal(signal.SIGTERM)
        start = time.monotonic()
        self.assertEqual(daemon.process.wait(), 0, daemon.process.log()[-4000:])
        took = time.monotonic() - start
        self.assertLess(took, 5.0)

        for stream in streams:
            self.check_end(stream.wait_end())
        self.check_end(watch())
        # What was sent before the end is the beginning of the flow, the same for all.
        longest = max((stream.events for stream in streams[:CLIENTS]), key=len)
        order = [event.cursor for event in longest]
        for stream in streams[:CLIENTS]:
            got = [event.cursor for event in stream.events]
            self.assertEqual(got, order[:len(got)])
        self.assertFalse(os.path.exists(daemon.socket), "the socket stayed behind")
        # The chat goes on without the daemon.
        self.assertEqual(len(sdk.answer(60)["sent"]), MESSAGES)
        self.assertEqual(daemon.process.complaints(), "")

    def watch_sessions(self, daemon):
        """WatchSessions on a thread; the result waits for its error."""
        from talkjs.sidecar.v1 import session_service_pb2_grpc
        channel = harness.make_channel(daemon.address)
        self.addCleanup(channel.close)
        call = session_service_pb2_grpc.SessionServiceStub(channel).WatchSessions(
            pb.WatchSessionsRequest())
        self.assertTrue(next(call).sessions)
        errors = []

        def read():
            try:
                for _ in call:
                    pass
            except grpc.RpcError as error:
                errors.append(talkjsd.Error.from_rpc(error))
        thread = threading.Thread(target=read, daemon=True)
        thread.start()

        def join():
            thread.join(harness.PATIENCE)
            return errors[0]
        return join

    def check_end(self, error):
        self.assertEqual((error.code, error.reason), (grpc.StatusCode.UNAVAILABLE, "DRAINING"),
                         error.message)
        self.assertIsNotNone(error.retry_delay, "no RetryInfo")
        self.assertGreater(error.retry_delay, 0)


if __name__ == "__main__":
    harness.main()
