"""The connection to a daemon."""

import threading
import time

import grpc
from talkjs.sidecar.v1 import (conversation_service_pb2_grpc, daemon_service_pb2_grpc,
                               event_service_pb2_grpc, message_service_pb2_grpc,
                               session_service_pb2_grpc, user_service_pb2_grpc)

from talkjsd import address as addresses
from talkjsd import pb
from talkjsd.errors import Error
from talkjsd.streams import MessageStream, UnreadsStream

# As in the C++ client (client/cpp/src/connection.cc), which says why.
_CHANNEL_OPTIONS = (
    ("grpc.http2.bdp_probe", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 30000),
    ("grpc.keepalive_timeout_ms", 20000),
    ("grpc.http2.max_pings_without_data", 0),
)


class _Service:
    """The unary methods of a service: one request in, the response out, Error raised."""

    def __init__(self, client, stub):
        self._client = client
        self._stub = stub

    def __getattr__(self, name):
        method = getattr(self._stub, name)

        def call(request, timeout=None):
            self._client.connect()
            try:
                return method(request, wait_for_ready=True,
                              timeout=self._client.timeout if timeout is None else timeout)
            except grpc.RpcError as rpc_error:
                raise Error.from_rpc(rpc_error) from None

        return call


class Client:
    """A connection to one daemon; connects at the first call and reconnects by itself.

    address          "unix:///path", "/path" or "host:port"; None = default_address()
    channel          a grpc.Channel to the address, for TLS, certificates and bearer tokens (see
                     docs/api.md); None = one without, which for TCP means loopback only
    timeout          seconds that a call may take; then Error with DEADLINE_EXCEEDED, and whether
                     the daemon did what was asked is unknown
    connect_timeout  seconds that the first call waits for a daemon; then Error.unreachable

    The services are attributes; their methods take and return the messages of pb:

        client.sessions.GetSession(pb.GetSessionRequest(session_id="..."))

    channel is the grpc.Channel, for the two methods that stream otherwise (WatchSessions,
    ProvideTokens) and for interceptors. Threads may share a Client.
    """

    def __init__(self, address=None, *, timeout=10.0, connect_timeout=5.0, channel=None):
        self.address = addresses.normalize(address) if address else addresses.default_address()
        self.timeout = timeout
        self._connect_timeout = connect_timeout
        self._connected = False
        self.channel = channel or grpc.insecure_channel(self.address, options=_CHANNEL_OPTIONS)
        self._events = event_service_pb2_grpc.EventServiceStub(self.channel)
        self.sessions = _Service(self, session_service_pb2_grpc.SessionServiceStub(self.channel))
        self.users = _Service(self, user_service_pb2_grpc.UserServiceStub(self.channel))
        self.conversations = _Service(
            self, conversation_service_pb2_grpc.ConversationServiceStub(self.channel))
        self.message_service = _Service(
            self, message_service_pb2_grpc.MessageServiceStub(self.channel))
        self.events = _Service(self, self._events)
        self.daemon = _Service(self, daemon_service_pb2_grpc.DaemonServiceStub(self.channel))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the connection; streams that are open end with an Error (CANCELLED)."""
        self.channel.close()

    def connect(self):
        """Waits for the first connection; raises Error (unreachable) when there is none in time.
        Calls do this by themselves."""
        if self._connected:
            return
        ready = threading.Event()

        def watch(state):
            if state is grpc.ChannelConnectivity.READY:
                ready.set()

        deadline = time.monotonic() + self._connect_timeout
        while not ready.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                raise Error(grpc.StatusCode.UNAVAILABLE,
                            f"cannot reach talkjsd at {self.address}: start it, or set "
                            "TALKJSD_ADDRESS to where it listens")
            # Asked again and again: a channel that shares its connection with an older one of this
            # process falls idle when that one breaks, and would wait for ever.
            self.channel.subscribe(watch, try_to_connect=True)
            ready.wait(min(left, 0.25))
            self.channel.unsubscribe(watch)
        self._connected = True

    def messages(self, session_ids=(), *, conversation_ids=(), exclude_by_me=False, kinds=(),
                 cursor=None, from_time=None, earliest=False, continue_after_gap=False,
                 subscription=None, takeover=False, **options):
        """Follows messages: returns a MessageStream, an iterator of pb.MessageEvent.

        session_ids         only these sessions; empty = all
        conversation_ids    only these conversations; empty = all
        exclude_by_me       leave out messages that the session's own user sent
        kinds               pb.MESSAGE_EVENT_KIND_...; empty = messages sent
        cursor, from_time (a datetime in UTC), earliest
                            where to start, at most one; none = where the subscription stands,
                            else with the next event
        continue_after_gap  where the start is lost: return a gap and go on, instead of an Error
        subscription        name under which the daemon remembers the position for the stream's
                            acknowledge(); None = it does not
        takeover            take the subscription from a stream that has it open
        options             reconnect=True; on_reconnect(error, pause); on_progress(cursor), called
                            when the cursor moved without an event; min_backoff, max_backoff in
                            seconds; remembered_messages=10000, of which none comes twice even when
                            the daemon's journal has lost its end
        """
        request = pb.StreamMessagesRequest(
            session_ids=session_ids, conversation_ids=conversation_ids,
            exclude_by_me=exclude_by_me, kinds=kinds,
            on_gap=pb.ON_GAP_CONTINUE if continue_after_gap else pb.ON_GAP_FAIL)
        if sum((cursor is not None, from_time is not None, bool(earliest))) > 1:
            raise ValueError("give at most one of cursor, from_time and earliest")
        if cursor is not None:
            request.cursor = cursor
        elif from_time is not None:
            request.from_time.FromDatetime(from_time)
        elif earliest:
            request.earliest.SetInParent()
        if subscription is not None:
            request.subscription.name = subscription
            request.subscription.takeover = takeover
        return MessageStream(self, self._events, request, **options)

    def unreads(self, session_ids=(), **options):
        """Follows the lists of unread conversations: returns an UnreadsStream, an iterator of
        pb.UnreadsList. options as in messages(), without on_progress."""
        return UnreadsStream(self, self._events, pb.StreamUnreadsRequest(session_ids=session_ids),
                             **options)

    def send(self, session_id, conversation_id, text, *, request_id="", ensure_participant=False):
        """Sends a text and returns the message's id. With a request_id a repeat within 24 hours
        sends nothing twice."""
        return self.message_service.SendMessage(pb.SendMessageRequest(
            session_id=session_id, conversation_id=conversation_id, text=text,
            request_id=request_id, ensure_participant=ensure_participant)).message_id
