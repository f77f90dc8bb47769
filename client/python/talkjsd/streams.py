"""The daemon's streams as iterators that survive a lost connection."""

import collections
import random
import threading

import grpc

from talkjsd import pb
from talkjsd.errors import Error


class _Reopening:
    """Reads the responses of a stream; opens it again when it ends with UNAVAILABLE.

    One thread iterates; close() may come from any. `open_call` starts the call with the request as
    it should be now: it is asked at each opening.
    """

    def __init__(self, client, open_call, reconnect=True, on_reconnect=None, min_backoff=0.1,
                 max_backoff=2.0):
        self._client = client
        self._open_call = open_call
        self._reconnect = reconnect
        self._on_reconnect = on_reconnect
        self._min_backoff = min_backoff
        self._max_backoff = max_backoff
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._call = None
        self._ended = False
        self._failures = 0

    def read(self):
        """Waits for the next response. None = the daemon ended the stream without an error, or
        close() was called. Raises Error at every other end."""
        while not self._ended and not self._closed.is_set():
            try:
                if self._call is None:
                    self._open()
                response = next(self._call)
                self._failures = 0
                return response
            except StopIteration:
                self._ended = True
            except grpc.RpcError as rpc_error:
                self._call = None
                self._pause_or_raise(Error.from_rpc(rpc_error))
        return None

    def close(self):
        """Ends the stream; read() returns None soon."""
        with self._lock:
            self._closed.set()
            if self._call is not None:
                self._call.cancel()

    def _open(self):
        self._client.connect()
        with self._lock:
            call = self._open_call()
            if self._closed.is_set():
                call.cancel()
            self._call = call

    def _pause_or_raise(self, error):
        if self._closed.is_set():
            return
        if error.code != grpc.StatusCode.UNAVAILABLE or not self._reconnect:
            self._ended = True
            raise error
        pause = error.retry_delay
        if pause is None:
            top = min(self._min_backoff * 2 ** min(self._failures, 16), self._max_backoff)
            pause = random.uniform(top / 2, top)
            self._failures += 1
        if self._on_reconnect:
            self._on_reconnect(error, pause)
        self._closed.wait(pause)


class _RecentMessages:
    """Remembers the latest messages by session and id; one without an id is new."""

    def __init__(self, capacity):
        self._capacity = capacity
        self._seen = collections.OrderedDict()

    def add(self, session_id, message_id):
        """False if it is there already."""
        if self._capacity == 0 or not message_id:
            return True
        key = (session_id, message_id)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)
        return True


class MessageStream:
    """EventService.StreamMessages as an iterator of pb.MessageEvent.

    Resumes by itself after the last event that it returned: within one process nothing comes twice,
    whatever becomes of the daemon. cursor is that event's position (17 opaque bytes): store it once
    the event is handled, and give it to Client.messages() next time; or, with a named subscription,
    call acknowledge() then.

    A position that the daemon no longer has is never skipped in silence: the iteration raises an
    Error with OUT_OF_RANGE (JOURNAL_LOST, CURSOR_EXPIRED), or with continue_after_gap returns an
    event with the payload `gap`. Gaps that the daemon finds later are such events in either case.
    """

    def __init__(self, client, stub, request, on_progress=None, remembered_messages=10000,
                 **options):
        self.cursor = b""
        self.stream_id = ""
        self._client = client
        self._stub = stub
        self._request = request
        self._recent = _RecentMessages(remembered_messages)
        self._on_progress = on_progress
        self._response = pb.StreamMessagesResponse()
        self._events = iter(())

        def open_call():
            if self.cursor:
                self._request.cursor = self.cursor
            if self.stream_id and self._request.HasField("subscription"):
                # A cut connection may be open for the daemon still.
                self._request.subscription.replaces_stream_id = self.stream_id
            return stub.StreamMessages(self._request, wait_for_ready=True)

        self._reader = _Reopening(client, open_call, **options)

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            for event in self._events:
                self.cursor = event.cursor
                # After a rollback of its journal the daemon has fetched messages again.
                if event.WhichOneof("payload") != "sent" or self._recent.add(
                        event.session_id, event.sent.id):
                    return event
            self._end_of_response()
            self._response = self._reader.read()
            if self._response is None:
                self._response = pb.StreamMessagesResponse()
                raise StopIteration
            self._events = iter(self._response.events)
            if self._response.HasField("opened"):
                self.cursor = self._response.opened.cursor
                self.stream_id = self._response.opened.stream_id
            if self._response.HasField("gap"):
                return pb.MessageEvent(cursor=self.cursor, gap=self._response.gap)

    def acknowledge(self):
        """Of a stream with a named subscription: tells the daemon that everything up to cursor is
        done with. False: it could not be told, because it is away or the stream has just broken;
        a later call covers it. Raises Error when none ever will."""
        if not self._request.HasField("subscription"):
            raise ValueError("the stream has no named subscription")
        if not self.cursor:
            return True
        try:
            self._stub.Acknowledge(pb.AcknowledgeRequest(
                name=self._request.subscription.name, stream_id=self.stream_id,
                cursor=self.cursor), timeout=self._client.timeout)
        except grpc.RpcError as rpc_error:
            error = Error.from_rpc(rpc_error)
            if (error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
                    or error.reason == "STREAM_ID_STALE"):
                return False
            raise error from None
        return True

    def close(self):
        """Ends the iteration; may be called from another thread."""
        self._reader.close()

    def _end_of_response(self):
        """caught_up and progress count after the events that came with them."""
        for field in ("caught_up", "progress"):
            if self._response.HasField(field):
                self.cursor = getattr(self._response, field).cursor
                if self._on_progress:
                    self._on_progress(self.cursor)
        self._response = pb.StreamMessagesResponse()


class UnreadsStream:
    """EventService.StreamUnreads as an iterator of pb.UnreadsList. There is nothing to resume:
    after a reconnect each session's present list comes again, changed or not."""

    def __init__(self, client, stub, request, **options):
        self._reader = _Reopening(
            client, lambda: stub.StreamUnreads(request, wait_for_ready=True), **options)

    def __iter__(self):
        return self

    def __next__(self):
        while True:
            response = self._reader.read()
            if response is None:
                raise StopIteration
            if response.HasField("unreads"):
                return response.unreads

    def close(self):
        """Ends the iteration; may be called from another thread."""
        self._reader.close()
