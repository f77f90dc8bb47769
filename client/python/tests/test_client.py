"""The Python client against a fake daemon on a Unix socket."""

import os
import tempfile
import threading
import unittest
from concurrent import futures
from datetime import datetime

import grpc
import talkjsd
from google.rpc import error_details_pb2, status_pb2
from talkjs.sidecar.v1 import event_service_pb2_grpc, message_service_pb2_grpc
from talkjs.sidecar.v1 import session_service_pb2_grpc
from talkjsd import pb


def cursor(sequence):
    return b"c" * 16 + bytes([sequence])


def opened_at(sequence):
    return pb.StreamMessagesResponse(
        opened=pb.Opened(cursor=cursor(sequence), stream_id=f"stream-{sequence}"))


def events(*sequences):
    return pb.StreamMessagesResponse(events=[
        pb.MessageEvent(cursor=cursor(s), sent=pb.Message(id=f"m{s}")) for s in sequences])


def fail(context, code, reason, message="do this", domain="talkjs.sidecar", more=()):
    """Ends a call as the daemon does."""
    status = status_pb2.Status(code=code.value[0], message=message)
    info = error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata={"key": "value"})
    for detail in (info, *more):
        status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)


class FakeDaemon(event_service_pb2_grpc.EventServiceServicer,
                 session_service_pb2_grpc.SessionServiceServicer,
                 message_service_pb2_grpc.MessageServiceServicer):
    """Plays one answer per opening of a stream: (responses, how it ends)."""

    def __init__(self, path):
        self.path = path
        self.answers = []
        self.requests = []
        self.acknowledged = []
        self.acknowledge_fails = None
        self.get_session = None
        self.start()

    def start(self):
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        event_service_pb2_grpc.add_EventServiceServicer_to_server(self, self.server)
        session_service_pb2_grpc.add_SessionServiceServicer_to_server(self, self.server)
        message_service_pb2_grpc.add_MessageServiceServicer_to_server(self, self.server)
        self.server.add_insecure_port("unix://" + self.path)
        self.server.start()

    def stop(self):
        self.server.stop(grace=None).wait()

    def _play(self, request, context):
        self.requests.append(request)
        if len(self.requests) > len(self.answers):
            fail(context, grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
        responses, end = self.answers[len(self.requests) - 1]
        yield from responses
        end(context)

    # The names are gRPC's.
    def StreamMessages(self, request, context):  # pylint: disable=invalid-name
        yield from self._play(request, context)

    def StreamUnreads(self, request, context):  # pylint: disable=invalid-name
        yield from self._play(request, context)

    def Acknowledge(self, request, context):  # pylint: disable=invalid-name
        if self.acknowledge_fails:
            fail(context, *self.acknowledge_fails)
        self.acknowledged.append(request)
        return pb.AcknowledgeResponse()

    def GetSession(self, request, context):  # pylint: disable=invalid-name
        return self.get_session(request, context)

    def SendMessage(self, request, context):  # pylint: disable=invalid-name
        return pb.SendMessageResponse(message_id="sent " + request.text)


def draining(context):
    fail(context, grpc.StatusCode.UNAVAILABLE, "DRAINING")


class ClientTestCase(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.daemon = FakeDaemon(os.path.join(directory.name, "talkjsd.sock"))
        self.addCleanup(self.daemon.stop)
        self.client = talkjsd.Client(self.daemon.path)
        self.addCleanup(self.client.close)

    def follow(self, **options):
        return self.client.messages(["s-1"], min_backoff=0.001, **options)

    @staticmethod
    def drain(stream):
        """The ids until the stream fails, and its Error."""
        ids = []
        try:
            for event in stream:
                ids.append(event.sent.id or event.WhichOneof("payload"))
        except talkjsd.Error as error:
            return ids, error
        return ids, None


class MessagesTest(ClientTestCase):
    def test_after_unavailable_the_last_cursor_is_sent_and_nothing_comes_twice(self):
        self.daemon.answers = [([opened_at(0), events(1, 2), events(3)], draining),
                               ([opened_at(3), events(4)], lambda context: None)]
        reasons = []
        ids, error = self.drain(self.follow(
            earliest=True, on_reconnect=lambda error, pause: reasons.append(error.reason)))
        self.assertEqual(ids, ["m1", "m2", "m3", "m4"])
        self.assertIsNone(error)
        self.assertEqual(reasons, ["DRAINING"])
        self.assertTrue(self.daemon.requests[0].HasField("earliest"))
        self.assertEqual(self.daemon.requests[1].cursor, cursor(3))
        self.assertEqual(self.daemon.requests[1].session_ids, ["s-1"])

    def test_the_cursor_is_that_of_the_last_event_returned(self):
        self.daemon.answers = [([opened_at(0), events(1, 2)], draining)]
        stream = self.follow()
        next(stream)
        self.assertEqual((stream.cursor, stream.stream_id), (cursor(1), "stream-0"))

    def test_progress_moves_the_cursor(self):
        progress = pb.StreamMessagesResponse(progress=pb.Progress(cursor=cursor(9)))
        self.daemon.answers = [([opened_at(0), progress], draining)]
        seen = []
        self.drain(self.follow(on_progress=seen.append))
        self.assertEqual(seen, [cursor(9)])
        self.assertEqual(self.daemon.requests[1].cursor, cursor(9))

    def test_a_message_fetched_again_is_not_returned_again(self):
        again = events(2, 3)
        again.events[0].cursor = cursor(12)
        self.daemon.answers = [([opened_at(0), events(1, 2)], draining),
                               ([opened_at(11), again], lambda context: None)]
        stream = self.follow()
        self.assertEqual(self.drain(stream), (["m1", "m2", "m3"], None))
        self.assertEqual(stream.cursor, cursor(3))

    def test_a_named_subscription_acknowledges_and_replaces_its_own_stream(self):
        self.daemon.answers = [([opened_at(0), events(1)], draining),
                               ([opened_at(1), events(2)], lambda context: None)]
        stream = self.follow(subscription="crm")
        self.assertTrue(stream.acknowledge())
        self.assertEqual(self.daemon.acknowledged, [])
        for _ in stream:
            self.assertTrue(stream.acknowledge())
        self.assertEqual(
            [(a.name, a.stream_id, a.cursor) for a in self.daemon.acknowledged],
            [("crm", "stream-0", cursor(1)), ("crm", "stream-1", cursor(2))])
        first, second = (request.subscription for request in self.daemon.requests)
        self.assertEqual((first.name, first.takeover, first.replaces_stream_id),
                         ("crm", False, ""))
        self.assertEqual(second.replaces_stream_id, "stream-0")
        self.assertRaises(ValueError, self.follow().acknowledge)
        self.daemon.acknowledge_fails = (grpc.StatusCode.FAILED_PRECONDITION, "STREAM_ID_STALE")
        self.assertFalse(stream.acknowledge())
        self.daemon.acknowledge_fails = (grpc.StatusCode.NOT_FOUND, "SUBSCRIPTION_NOT_FOUND")
        with self.assertRaises(talkjsd.Error):
            stream.acknowledge()
        self.daemon.stop()
        self.assertFalse(stream.acknowledge())
        self.daemon.start()

    def test_a_lost_position_raises_its_reason(self):
        self.daemon.answers = [([], lambda context: fail(
            context, grpc.StatusCode.OUT_OF_RANGE, "JOURNAL_LOST"))]
        ids, error = self.drain(self.follow(cursor=cursor(1)))
        self.assertEqual((ids, error.code, error.reason),
                         ([], grpc.StatusCode.OUT_OF_RANGE, "JOURNAL_LOST"))

    def test_with_continue_the_gap_at_the_start_is_an_event(self):
        first = opened_at(4)
        first.gap.reason = pb.GAP_REASON_JOURNAL_LOST
        self.daemon.answers = [([first, events(5)], lambda context: None)]
        ids, _ = self.drain(self.follow(cursor=cursor(1), continue_after_gap=True))
        self.assertEqual(ids, ["gap", "m5"])
        self.assertEqual(self.daemon.requests[0].on_gap, pb.ON_GAP_CONTINUE)

    def test_survives_a_restart_of_the_daemon(self):
        sent, over = threading.Event(), threading.Event()

        def hold_open(_):
            sent.set()
            over.wait()

        self.daemon.answers = [([opened_at(0), events(1)], hold_open),
                               ([opened_at(1), events(2)], lambda context: None)]
        stream = self.follow()
        self.assertEqual(next(stream).sent.id, "m1")

        def restart():
            sent.wait()
            stopped = self.daemon.server.stop(grace=None)
            over.set()
            stopped.wait()
            self.daemon.start()

        thread = threading.Thread(target=restart)
        thread.start()
        self.assertEqual(self.drain(stream)[0], ["m2"])
        thread.join()
        self.assertEqual(self.daemon.requests[1].cursor, cursor(1))

    def test_close_ends_the_iteration(self):
        opened, over = threading.Event(), threading.Event()

        def hold_open(_):
            opened.set()
            over.wait()

        self.daemon.answers = [([opened_at(0)], hold_open)]
        stream = self.follow()

        def close():
            opened.wait()
            stream.close()

        thread = threading.Thread(target=close)
        thread.start()
        self.assertEqual(self.drain(stream), ([], None))
        thread.join()
        over.set()

    def test_at_most_one_start(self):
        with self.assertRaises(ValueError):
            self.client.messages(earliest=True, from_time=datetime(2026, 1, 1))


class UnreadsTest(ClientTestCase):
    def test_lists_come_again_after_a_reconnect(self):
        unreads = pb.StreamUnreadsResponse(unreads=pb.UnreadsList(session_id="s-1"))
        opened = pb.StreamUnreadsResponse(opened=pb.UnreadsOpened(stream_id="u"))
        self.daemon.answers = [([opened, unreads], draining),
                               ([opened, unreads], lambda context: None)]
        lists = list(self.client.unreads(["s-1"], min_backoff=0.001))
        self.assertEqual([each.session_id for each in lists], ["s-1", "s-1"])


class CallsTest(ClientTestCase):
    def test_send_returns_the_id(self):
        self.assertEqual(self.client.send("s-1", "chat", "hi"), "sent hi")

    def test_details_become_reason_metadata_fields_and_delay(self):
        bad_request = error_details_pb2.BadRequest()
        bad_request.field_violations.add(field="session_id", description="is required")
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(2500)
        self.daemon.get_session = lambda request, context: fail(
            context, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", more=(bad_request, retry))
        with self.assertRaises(talkjsd.Error) as raised:
            self.client.sessions.GetSession(pb.GetSessionRequest())
        error = raised.exception
        self.assertEqual(error.code, grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual(error.reason, "INVALID_FIELD")
        self.assertEqual(error.metadata, {"key": "value"})
        self.assertEqual(error.field_violations, [("session_id", "is required")])
        self.assertEqual(error.retry_delay, 2.5)
        self.assertFalse(error.unreachable)
        self.assertEqual(str(error), "INVALID_ARGUMENT (INVALID_FIELD): do this")

    def test_a_reason_of_another_domain_is_no_reason(self):
        self.daemon.get_session = lambda request, context: fail(
            context, grpc.StatusCode.NOT_FOUND, "OTHER", domain="example.org")
        with self.assertRaises(talkjsd.Error) as raised:
            self.client.sessions.GetSession(pb.GetSessionRequest())
        self.assertEqual(raised.exception.reason, "")

    def test_nobody_at_the_address_is_unreachable(self):
        with talkjsd.Client(self.daemon.path + ".none", connect_timeout=0.05) as client:
            with self.assertRaises(talkjsd.Error) as raised:
                client.sessions.GetSession(pb.GetSessionRequest())
        self.assertTrue(raised.exception.unreachable)


class DefaultAddressTest(unittest.TestCase):
    SYSTEM = "/run/talkjsd/talkjsd.sock"
    OWN = "/run/user/1000/talkjsd/talkjsd.sock"

    def check(self, expected, environ, is_root=False, sockets=()):
        self.assertEqual(
            talkjsd.default_address(environ, is_root, lambda path: path in sockets), expected)

    def test_rules(self):
        runtime = {"XDG_RUNTIME_DIR": "/run/user/1000"}
        self.check("127.0.0.1:7000", {"TALKJSD_ADDRESS": "127.0.0.1:7000"}, True, [self.SYSTEM])
        self.check("unix:///a.sock", {"TALKJSD_ADDRESS": "/a.sock"})
        self.check("unix://" + self.SYSTEM, {"TALKJSD_ADDRESS": ""}, True)
        self.check("unix://" + self.SYSTEM, runtime, True, [self.OWN])
        self.check("unix://" + self.OWN, runtime, False, [self.OWN, self.SYSTEM])
        self.check("unix://" + self.SYSTEM, runtime, False, [self.SYSTEM])
        self.check("unix://" + self.OWN, runtime)
        self.check("unix://" + self.SYSTEM, {})


if __name__ == "__main__":
    unittest.main()
