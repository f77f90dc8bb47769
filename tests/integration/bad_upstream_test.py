"""Upstreams that misbehave or are not there: each shows as a state, a reason and advice, and everything else goes on."""

import time
from concurrent.futures import ThreadPoolExecutor

import harness
import talkjsd
import ws
from harness import KEY, pb, token
from proxy import Proxy
from talkjs_user import TalkjsUser

# --- what takes the place of the WebSocket for one user ---

async def not_a_websocket(_, writer, __):
    writer.write(ws.http_answer(200, b"<html>A captive portal</html>", content_type="text/html"))
    await writer.drain()


async def server_error(_, writer, __):
    writer.write(ws.http_answer(503, b"overloaded", content_type="text/plain"))
    await writer.drain()


async def garbage_for_http(_, writer, __):
    writer.write(b"\x00\x16\x03\x01garbage" * 100 + b"\r\n\r\n")
    await writer.drain()


async def endless_head(_, writer, __):
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\n")
    for number in range(20000):
        writer.write(f"X-{number}: {'x' * 50}\r\n".encode())
        await writer.drain()


async def closes_at_once(_, __, ___):
    return


def frames(*build):
    """An accepted WebSocket that reads the login and then does what each of `build` says."""
    async def serve(reader, writer, head):
        socket = await ws.WebSocket.accept(reader, writer, head)
        await socket.recv()
        for step in build:
            await step(socket)
        while (await socket.recv())[0] != ws.CLOSE:
            pass
    return serve


def raw(data):
    return lambda socket: socket.send_raw(data)


def text(value):
    return lambda socket: socket.send_text(value)


async def oversized(socket):
    await socket.send(ws.TEXT, b'[0,200,"' + b"x" * (8 << 20) + b'"]')


async def oversized_in_fragments(socket):
    await socket.send(ws.TEXT, b'[0,200,"', fin=False)
    for _ in range(9):
        await socket.send(0, b"x" * (1 << 20), fin=False)
    await socket.send(0, b'"]')


DEEP = "[" * 100000 + "]" * 100000
BREAKING = {
    "not a WebSocket": (not_a_websocket, "UPSTREAM_PROTOCOL_ERROR"),
    "503 for the upgrade": (server_error, "UPSTREAM_PROTOCOL_ERROR"),
    "garbage for HTTP": (garbage_for_http, "UPSTREAM_PROTOCOL_ERROR"),
    "a head without end": (endless_head, "UPSTREAM_PROTOCOL_ERROR"),
    "closed at once": (closes_at_once, "UPSTREAM_UNAVAILABLE"),
    "garbage for frames": (frames(raw(b"\xff" * 64)), "UPSTREAM_PROTOCOL_ERROR"),
    "a binary frame": (frames(lambda socket: socket.send(ws.BINARY, b"[0,200,{}]")),
                       "UPSTREAM_PROTOCOL_ERROR"),
    "text that is not UTF-8": (frames(lambda socket: socket.send(ws.TEXT, b'[0,200,"\xff"]')),
                               "UPSTREAM_PROTOCOL_ERROR"),
    "more than 8 MiB": (frames(oversized), "UPSTREAM_PROTOCOL_ERROR"),
    "more than 8 MiB in fragments": (frames(oversized_in_fragments), "UPSTREAM_PROTOCOL_ERROR"),
    "login answered with 500": (frames(text('[0,500,{"errorCode":"OOPS","reasons":[]}]')),
                                "UPSTREAM_UNAVAILABLE"),
    "login answered with an error of wrong types": (frames(text('[0,503,["x"]]')),
                                                    "UPSTREAM_UNAVAILABLE"),
}
# Frames that are to be ignored: the socket goes on afterwards.
IGNORED = {
    "not JSON": "hello",
    "empty": "",
    "not an array": '{"a":1}',
    "an empty array": "[]",
    "an answer to no request": '[4711,200,{"x":1}]',
    "an answer with a negative number": "[-1,200,{}]",
    "an answer with a fraction": "[1.5,200,{}]",
    "an answer with a huge number": "[99999999999999999999999,200,{}]",
    "a status that is a string": '[4711,"200",{}]',
    "a publish that is no object": '[1001,"PUBLISH","x",3,null,[]]',
    "a publish without events": '[1002,"PUBLISH"]',
    "an event without type": '[1003,"PUBLISH",{"conversationId":"c"}]',
    "an event of an unknown type": '[1004,"PUBLISH",{"type":"moon.risen","phase":1}]',
    "a message of wrong types": '[1005,"PUBLISH",{"type":"message.created","conversationId":7,'
                                '"messageId":[],"state":{"id":{},"createdAt":"now","content":3}}]',
    "a side of wrong types": '[1006,"PUBLISH",{"type":"side.edited","conversationId":"c",'
                             '"diff":{"lastMessageAt":"x","isUnread":1,"unreadMessageCount":-4}}]',
    "a user of wrong types": '[1007,"PUBLISH",{"type":"user.edited","userId":"me","diff":[1]}]',
    "a time out of range": '[1008,"PUBLISH",{"type":"message.created","conversationId":"c","messageId":"m0",'
                           '"state":{"id":"m0","type":"UserMessage","senderId":"other","custom":{},'
                           '"createdAt":1e300,"editedAt":null,"referencedMessageId":null,'
                           '"origin":"rest","content":[],"reactions":{}}}]',
    "deep nesting": DEEP,
    "a deep event": '[1009,"PUBLISH",{"type":"message.created","x":' + DEEP + "}]",
}


def check_call_ends(case, daemon, session_id):
    """A call on a session that has no connection waits until its deadline, and then says why."""
    request = pb.SendMessageRequest(session_id=session_id, conversation_id="c", text="x")
    for _ in range(5):
        start = time.monotonic()
        with case.assertRaises(talkjsd.Error) as caught:
            daemon.client.message_service.SendMessage(request, timeout=2)
        error, took = caught.exception, time.monotonic() - start
        case.assertGreater(took, 1.5)
        case.assertLess(took, 6)
        # The daemon answers 0.1 s before the deadline. On a machine that stalls for longer than that, the client's
        # gRPC is the one to say that it has passed.
        if error.reason != "":
            break
    case.assertEqual((error.code.name, error.reason), ("UNAVAILABLE", "UPSTREAM_UNAVAILABLE"))
    case.assertGreater(len(error.message), 15)


class Upstreams(harness.Case):
    """One daemon, one upstream host: a proxy is bad to one user at a time and honest to the others."""

    def setUp(self):
        super().setUp()
        self.emulator = self.start_emulator()
        self.proxy = Proxy(self, self.emulator.host)
        self.daemon = self.start_daemon(upstream=self.proxy.host)
        self.good = self.daemon.connect("good")
        self.stream = self.daemon.messages(self.good).wait_open()

    def send_and_see(self, session_id, stream, message):
        self.daemon.client.send(session_id, "well", message, ensure_participant=True)
        stream.wait_body(message)

    def test_upstreams_that_break_the_connection(self):
        ids = {}
        for number, (what, (serve, _)) in enumerate(BREAKING.items()):
            self.proxy.rules(f"bad{number}").socket = serve
            ids[what] = self.daemon.create(f"bad{number}", key=KEY).session.session_id

        with ThreadPoolExecutor(len(ids)) as pool:
            calls = {what: pool.submit(check_call_ends, self, self.daemon, session_id)
                     for what, session_id in ids.items()}
            for what, (_, reason) in BREAKING.items():
                with self.subTest(what):
                    session = self.daemon.wait_state(ids[what], "CONNECTING", "RECONNECTING",
                                                     reason=reason)
                    self.assertGreater(len(session.reason_message), 15)
                    self.assertGreaterEqual(session.connect_attempts, 1)
                    self.assertTrue(session.HasField("next_attempt_time"))
                    calls[what].result()
        self.send_and_see(self.good, self.stream, "the others go on")

    def test_frames_to_be_ignored(self):
        session_id = self.daemon.connect("me")
        stream = self.daemon.messages(session_id).wait_open()
        other = TalkjsUser(self, self.emulator.host, "other").create()
        other.conversation("c", "me")
        other.send("c", "before")
        stream.wait_body("before")
        link = self.proxy.link("me")
        for what, frame in IGNORED.items():
            with self.subTest(what):
                link.send_text(frame)
        # Its answer comes after the daemon has read all of them.
        self.daemon.client.send(session_id, "c", "mine")
        self.assertIs(self.proxy.link("me"), link, "the connection was dropped")
        self.assertEqual(self.daemon.session(session_id).state, pb.SESSION_STATE_CONNECTED)
        self.assertGreaterEqual(self.daemon.metric("talkjsd_upstream_protocol_errors_total"), 10)
        acknowledged = {frame[0] for frame in link.frames("c2s") if frame[1] == "ACK"}
        self.assertLessEqual(set(range(1003, 1009)), acknowledged)
        self.send_and_see(self.good, self.stream, "the others go on")
        # What the emulator publishes now has smaller numbers and is dropped, as it should be, "mine" included: a new
        # socket starts anew, and nothing is lost.
        other.send("c", "after")
        link.reset()
        stream.wait_body("after", 40)
        self.assertEqual(stream.bodies(), ["before", "mine", "after"])

    def test_answers_of_wrong_types(self):
        """GETs of the session itself are answered with nonsense: it stays up, and says nothing false."""
        nonsense = [3, "x", None, [], {"data": 3, "cursor": {}}, {"data": [3, {"id": 7}], "cursor": 5}]
        asked = {}

        def to_server(frame):
            if frame[1] == "GET" and frame[2] != "/ping":
                asked[frame[0]] = frame[2]
            return [frame]

        def to_client(frame):
            if isinstance(frame[1], int) and frame[1] == 200 and frame[0] in asked:
                return [[frame[0], 200, nonsense[len(asked) % len(nonsense)]]]
            return [frame]
        rules = self.proxy.rules("me")
        rules.to_server, rules.to_client = to_server, to_client
        made = self.daemon.create("me", key=KEY, name="Me")
        session_id = made.session.session_id
        harness.wait_until(lambda: "/me/conversations" in asked.values(), "the list is asked for")
        self.daemon.client.send(session_id, "c", "hello", ensure_participant=True)
        self.assertNotEqual(self.daemon.session(session_id).state, pb.SESSION_STATE_FAILED)
        self.send_and_see(self.good, self.stream, "the others go on")
        # Once the answers are right again, so is the session.
        rules.to_client = None
        self.proxy.link("me").reset()
        self.daemon.wait_state(session_id, "CONNECTED", timeout=40)
        stream = self.daemon.messages(session_id).wait_open()
        self.send_and_see(session_id, stream, "sense")

    def test_bokens_that_are_none(self):
        answers = {"u-html": ws.http_answer(200, b"<html>portal</html>"),
                   "u-empty": ws.http_answer(200, b""),
                   "u-types": ws.http_answer(200, b'{"boken":7}'),
                   "u-500": ws.http_answer(500, b"x"),
                   "u-deep": ws.http_answer(200, DEEP.encode())}
        for user, answer in answers.items():
            self.proxy.rules(user).http = lambda path, answer=answer: answer
        made = {user: self.daemon.create(user).session.session_id for user in answers}
        for user, session_id in made.items():
            with self.subTest(user):
                session = harness.wait_until(
                    lambda: self.daemon.session(session_id).reason and self.daemon.session(session_id),
                    "a reason")
                self.assertIn(harness.reason_of(session),
                              ("UPSTREAM_UNAVAILABLE", "UPSTREAM_PROTOCOL_ERROR"))
                self.assertEqual(pb.SessionState.Name(session.state), "SESSION_STATE_CONNECTING")
                check_call_ends(self, self.daemon, session_id)
        self.proxy.rules("u-500").http = None
        self.daemon.wait_state(made["u-500"], "CONNECTED")
        self.send_and_see(self.good, self.stream, "the others go on")

    def test_login_refused_for_good(self):
        for number, status in enumerate((400, 402)):
            user = f"refused{number}"

            def to_client(frame, status=status):
                if frame[0] == 0 and frame[1] == 200:
                    return [[0, status, {"errorCode": "PAYMENT", "reasons": ["the plan", {"a": 1}]}]]
                return [frame]
            self.proxy.rules(user).to_client = to_client
            session_id = self.daemon.create(user, key=KEY).session.session_id
            session = self.daemon.wait_state(session_id, "FAILED", reason="AUTHENTICATION_REFUSED")
            self.assertIn("the plan", session.reason_message)
        self.send_and_see(self.good, self.stream, "the others go on")


class Unreachable(harness.Case):

    def test_an_upstream_that_is_not_there(self):
        daemon = self.start_daemon(upstream=f"127.0.0.1:{harness.free_port()}")
        for credentials in ({"key": KEY}, {"token": token("u")}, {}):
            with self.subTest(str(list(credentials))):
                made = daemon.create("u" if "token" in credentials else f"u{len(credentials)}x",
                                     **credentials)
                session_id = made.session.session_id
                session = daemon.wait_state(session_id, "CONNECTING", reason="UPSTREAM_UNAVAILABLE")
                self.assertIn("127.0.0.1", session.reason_message)
                check_call_ends(self, daemon, session_id)
        # Streams may be opened all the same, and destroying does not wait for TalkJS.
        daemon.messages(session_id).wait_open()
        daemon.client.sessions.DestroySession(pb.DestroySessionRequest(session_id=session_id))


if __name__ == "__main__":
    harness.main()
