"""What callers and upstreams do wrong: each gets a code, a reason and advice, and everything else goes on."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import harness
import talkjsd
import ws
from harness import APP, KEY, expect_error, pb, signature, token
from proxy import Proxy
from talkjs_user import TalkjsUser


class Requests(harness.Case):
    """Checked by the daemon alone: nothing of this reaches TalkJS."""

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.good = self.daemon.connect("good")

    def still_well(self):
        """The daemon and the other session go on."""
        with_id = self.daemon.client.send(self.good, "c", "well", ensure_participant=True)
        self.assertTrue(with_id)

    def test_requests_that_cannot_be_served(self):
        client = self.daemon.client
        long_id = "x" * 256

        def send(session_id="", conversation_id="c", text="x", **fields):
            return lambda: client.message_service.SendMessage(pb.SendMessageRequest(
                session_id=session_id, conversation_id=conversation_id, text=text, **fields))

        def get(session_id):
            return lambda: client.sessions.GetSession(pb.GetSessionRequest(session_id=session_id))

        def create(**fields):
            return lambda: client.sessions.CreateSession(pb.CreateSessionRequest(**fields))

        def stream(*session_ids, **fields):
            def call():
                raise self.daemon.messages(*session_ids, **fields).wait_end()
            return call

        invalid, missing = "INVALID_ARGUMENT", "NOT_FOUND"
        table = [
            ("unknown session", missing, "SESSION_NOT_FOUND", get("ses_nobody")),
            ("unknown, sending", missing, "SESSION_NOT_FOUND", send("ses_nobody")),
            ("unknown, destroying", missing, "SESSION_NOT_FOUND",
             lambda: client.sessions.DestroySession(pb.DestroySessionRequest(session_id="nobody"))),
            ("unknown, streaming", missing, "SESSION_NOT_FOUND", stream("ses_nobody")),
            ("empty session id", invalid, "INVALID_FIELD", get("")),
            ("long session id", invalid, "INVALID_FIELD", get("x" * 65)),
            ("empty conversation id", invalid, "INVALID_FIELD", send(self.good, "")),
            ("long conversation id", invalid, "INVALID_FIELD", send(self.good, long_id)),
            ("NUL in an id", invalid, "INVALID_FIELD", send(self.good, "a\0b")),
            ("empty text", invalid, "INVALID_FIELD", send(self.good, text="")),
            ("long text", invalid, "INVALID_FIELD", send(self.good, text="x" * 10001)),
            ("no content", invalid, "INVALID_FIELD", lambda: client.message_service.SendMessage(
                pb.SendMessageRequest(session_id=self.good, conversation_id="c"))),
            ("long request id", invalid, "INVALID_FIELD", send(self.good, request_id="x" * 129)),
            ("custom with an empty key", invalid, "INVALID_FIELD", send(self.good, custom={"": "x"})),
            ("no app id", invalid, "INVALID_FIELD", create(user_id="u")),
            ("odd app id", invalid, "INVALID_FIELD", create(app_id="no/app", user_id="u")),
            ("long app id", invalid, "INVALID_FIELD", create(app_id="a" * 65, user_id="u")),
            ("empty user id", invalid, "INVALID_FIELD", create(app_id=APP, user_id="")),
            ("long user id", invalid, "INVALID_FIELD", create(app_id=APP, user_id=long_id)),
            ("empty key", invalid, "INVALID_FIELD", create(
                app_id=APP, user_id="u", signing_key=pb.SigningKey())),
            ("negative page size", invalid, "INVALID_FIELD", lambda: client.sessions.ListSessions(
                pb.ListSessionsRequest(page_size=-1))),
            ("too many sessions", invalid, "INVALID_FIELD", stream(*map(str, range(1001)))),
            ("short cursor", invalid, "CURSOR_MALFORMED", stream(cursor=b"short")),
        ]
        for what, code, reason, call in table:
            with self.subTest(what):
                error = expect_error(self, code, reason, call)
                if reason == "INVALID_FIELD":
                    self.assertTrue(error.field_violations, "no BadRequest")
        self.still_well()

    def test_credentials_that_cannot_be_right(self):
        past, future = int(time.time()) - 60, int(time.time()) + 3600
        table = [
            ("garbage", "TOKEN_MALFORMED", {"token": "garbage"}),
            ("three parts of garbage", "TOKEN_MALFORMED", {"token": "a.b.c"}),
            ("no signature", "TOKEN_MALFORMED", {"token": token("u").rsplit(".", 1)[0]}),
            ("alg none", "TOKEN_MALFORMED", {"token": token("u", header={"alg": "none"})}),
            ("no iss", None, {"token": token("u", iss=None)}),
            ("expired", "TOKEN_EXPIRED", {"token": token("u", exp=past)}),
            ("not yet valid", "TOKEN_NOT_YET_VALID", {"token": token("u", nbf=future)}),
            ("another user's", "TOKEN_WRONG_USER", {"token": token("somebody")}),
            ("another app's", "TOKEN_WRONG_APP", {"token": token("u", iss="other")}),
            ("of the app", "TOKEN_WRONG_TYPE", {"token": token("u", tokenType="app")}),
            ("no signature of the user", "CREDENTIALS_INVALID", {"signature": "xyz"}),
        ]
        for what, reason, credentials in table:
            with self.subTest(what):
                with self.assertRaises(talkjsd.Error) as caught:
                    self.daemon.create("u", **credentials)
                self.assertEqual(caught.exception.code.name, "INVALID_ARGUMENT")
                self.assertIn(caught.exception.reason,
                              [reason] if reason else ["TOKEN_MALFORMED", "TOKEN_WRONG_APP"])
                self.assertGreater(len(caught.exception.message), 15)
        left = self.daemon.client.sessions.ListSessions(pb.ListSessionsRequest())
        self.assertEqual(len(left.sessions), 1)
        self.still_well()

    def test_what_talkjs_refuses_shows_as_state_and_on_calls(self):
        table = [
            ("unknown app", "FAILED", "APP_NOT_FOUND", {"app_id": "nowhere", "key": KEY}),
            ("unknown app, without credentials", "FAILED", "APP_NOT_FOUND", {"app_id": "nowhere2"}),
            ("wrong key", "FAILED", "TOKEN_REFUSED", {"key": "sk_test_wrong"}),
            ("token of another key", "WAITING_FOR_TOKEN", "TOKEN_REFUSED",
             {"token": token("u3", key="sk_test_wrong")}),
            ("wrong signature", "FAILED", "SIGNATURE_REFUSED",
             {"signature": signature("u4", key="sk_test_wrong")}),
        ]
        made = [self.daemon.create(f"u{number}", **fields).session.session_id
                for number, (_, _, _, fields) in enumerate(table)]
        for (what, state, reason, _), session_id in zip(table, made):
            with self.subTest(what):
                session = self.daemon.wait_state(session_id, state, reason=reason)
                self.assertGreater(len(session.reason_message), 15)
                expect_error(self, "FAILED_PRECONDITION", reason,
                             lambda: self.daemon.client.send(session_id, "c", "x"))
        # New credentials are the way out.
        again = self.daemon.create("u2", key=KEY)
        self.assertFalse(again.created)
        self.daemon.wait_state(again.session.session_id, "CONNECTED")
        self.still_well()

    def test_a_user_that_talkjs_does_not_have(self):
        made = self.daemon.create("nobody", key=KEY)
        session = self.daemon.wait_state(made.session.session_id, "CONNECTED",
                                         reason="USER_NOT_FOUND")
        self.assertGreater(len(session.reason_message), 15)
        self.still_well()


# --- upstreams that misbehave: what takes the place of the WebSocket for one user ---

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

        def call(session_id):
            start = time.monotonic()
            with self.assertRaises(talkjsd.Error) as caught:
                self.daemon.client.message_service.SendMessage(pb.SendMessageRequest(
                    session_id=session_id, conversation_id="c", text="x"), timeout=2.5)
            return caught.exception, time.monotonic() - start

        with ThreadPoolExecutor(len(ids)) as pool:
            calls = {what: pool.submit(call, session_id) for what, session_id in ids.items()}
            for what, (_, reason) in BREAKING.items():
                with self.subTest(what):
                    session = self.daemon.wait_state(ids[what], "CONNECTING", "RECONNECTING",
                                                     reason=reason)
                    self.assertGreater(len(session.reason_message), 15)
                    self.assertGreaterEqual(session.connect_attempts, 1)
                    self.assertTrue(session.HasField("next_attempt_time"))
                    error, took = calls[what].result()
                    self.assertEqual((error.code.name, error.reason),
                                     ("UNAVAILABLE", "UPSTREAM_UNAVAILABLE"), error.message)
                    self.assertGreater(len(error.message), 15)
                    self.assertLess(took, 5)
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
                with self.assertRaises(talkjsd.Error) as caught:
                    self.daemon.client.message_service.SendMessage(pb.SendMessageRequest(
                        session_id=session_id, conversation_id="c", text="x"), timeout=1.0)
                self.assertEqual((caught.exception.code.name, caught.exception.reason),
                                 ("UNAVAILABLE", "UPSTREAM_UNAVAILABLE"))
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
                start = time.monotonic()
                with self.assertRaises(talkjsd.Error) as caught:
                    daemon.client.message_service.SendMessage(pb.SendMessageRequest(
                        session_id=session_id, conversation_id="c", text="x"), timeout=1.5)
                self.assertEqual((caught.exception.code.name, caught.exception.reason),
                                 ("UNAVAILABLE", "UPSTREAM_UNAVAILABLE"))
                self.assertLess(time.monotonic() - start, 4)
        # Streams may be opened all the same, and destroying does not wait for TalkJS.
        daemon.messages(session_id).wait_open()
        daemon.client.sessions.DestroySession(pb.DestroySessionRequest(session_id=session_id))


class Starting(harness.Case):
    """Flags, state directories and sockets that cannot be."""

    def run_daemon(self, *flags, environment=None):
        return subprocess.run([os.path.join(harness.BIN, "talkjsd"), *flags], capture_output=True,
                              text=True, timeout=harness.PATIENCE, stdin=subprocess.DEVNULL,
                              env={**os.environ, **(environment or {})}, check=False)

    def test_flags_that_make_no_sense(self):
        state = os.path.join(self.directory, "s")
        os.mkdir(state, 0o700)
        base = ["--state-dir", state, "--listen", f"unix://{self.directory}/d.sock"]
        table = [
            ["--no-such-flag"], ["--listen"], ["--listen="], ["stray"],
            [*base, "--emulator", "--upstream-host", "127.0.0.1:1"],
            [*base, "--emulator=yes"], [*base, "--emulator-app-id", "x"],
            [*base, "--upstream-host", "https://x/"], [*base, "--metrics", "0.0.0.0:1"],
            [*base, "--metrics", "127.0.0.1:99999"], [*base, "--shards", "0"],
            [*base, "--shards", "two"], [*base, "--message-subscriptions-per-session", "0"],
            [*base, "--max-sessions", "-1"], [*base, "--log-level", "loud"],
            ["--emulator", "--state-dir", "relative", "--listen", f"unix://{self.directory}/d.sock"],
            ["--emulator", "--state-dir", state, "--listen", "tcp://127.0.0.1:1"],
            ["--emulator", "--state-dir", state, "--listen", "unix:///" + "x" * 120],
        ]
        for flags in table:
            with self.subTest(" ".join(flags)):
                done = self.run_daemon(*flags)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertTrue(done.stderr.startswith("talkjsd: "), done.stderr)
                self.assertEqual(done.stdout, "")

    def test_help_and_version(self):
        shown = self.run_daemon("--help")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertIn("--message-subscriptions-per-session", shown.stdout)
        self.assertRegex(self.run_daemon("--version").stdout, r"^talkjsd \d+\.\d+")

    def refuse_second(self, first, *flags):
        done = self.run_daemon("--emulator", *flags)
        self.assertEqual(done.returncode, 1, done.stderr)
        last = done.stderr.strip().splitlines()[-1]
        self.assertTrue(last.startswith("talkjsd: "), done.stderr)
        first.client.daemon.GetInfo(pb.GetInfoRequest())
        return last

    def test_two_daemons_in_one_place(self):
        first = self.start_daemon()
        other = os.path.join(self.directory, "other")
        last = self.refuse_second(first, "--state-dir", first.state_dir, "--listen",
                                  f"unix://{self.directory}/other.sock")
        self.assertIn(first.state_dir, last)
        last = self.refuse_second(first, "--state-dir", other, "--listen", first.address)
        self.assertIn(first.socket, last)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "other.sock")))
        file = os.path.join(self.directory, "a-file")
        with open(file, "w", encoding="utf-8") as out:
            out.write("mine")
        self.refuse_second(first, "--state-dir", other, "--listen", f"unix://{file}")
        with open(file, encoding="utf-8") as kept:
            self.assertEqual(kept.read(), "mine")
        self.refuse_second(first, "--state-dir", "/proc/nowhere", "--listen",
                           f"unix://{self.directory}/x.sock")
        self.refuse_second(first, "--state-dir", other, "--listen", f"unix://{self.directory}/y.sock",
                           "--metrics", f"127.0.0.1:{first.metrics_port}")

    def test_a_socket_left_by_a_crash_is_taken_over(self):
        first = self.start_daemon()
        first.process.may_end = True
        first.process.kill()
        self.assertTrue(os.path.exists(first.socket))
        second = self.start_daemon(state_dir=first.state_dir, listen=first.socket)
        second.client.daemon.GetInfo(pb.GetInfoRequest())


class Secrets(harness.Case):

    def test_secrets_are_nowhere_to_be_seen(self):
        daemon = self.start_daemon()
        emulator = TalkjsUser(self, daemon.emulator_host, "somebody").create()
        emulator.conversation("c", "canary1")
        key, wrong = "sk_canary_7f3a9", "sk_canary_refused"
        secrets = [KEY, key, wrong]
        said = []

        def attempt(call):
            try:
                said.append(str(call()))
            except talkjsd.Error as error:
                said.append(f"{error} {error.metadata} {error.field_violations}")
        good_token = token("canary1")
        bad_tokens = [token("other"), token("canary2", key=wrong), token("canary2") + "x",
                      token("canary2", exp=1), "canary-no-token-at-all"]
        good_signature, bad_signature = signature("canary3"), signature("canary4", key=wrong)
        secrets += [good_token, *bad_tokens, good_signature, bad_signature, bad_signature[:40]]
        secrets += [part for one in (good_token, *bad_tokens) for part in one.split(".")[1:]]
        attempt(lambda: daemon.create("canary1", name="Canary", token=good_token))
        for one in bad_tokens:
            attempt(lambda one=one: daemon.create("canary2", token=one))
        attempt(lambda: daemon.create("canary3", signature=good_signature))
        attempt(lambda: daemon.create("canary4", signature=bad_signature))
        attempt(lambda: daemon.create("canary5", key=wrong))
        attempt(lambda: daemon.create("canary6", name="Six", key=KEY))
        attempt(lambda: daemon.create("canary6", signature=signature("canary6")))
        attempt(lambda: daemon.create("canary7", signature="canary-no-signature"))
        secrets += [signature("canary6"), "canary-no-signature"]
        for state in ("failed", "connected"):
            harness.wait_until(lambda state=state: daemon.metric(
                f'talkjsd_sessions{{state="{state}"}}') >= 2, f"sessions are {state}")
        sessions = daemon.client.sessions.ListSessions(pb.ListSessionsRequest()).sessions
        for session in sessions:
            attempt(lambda session=session: daemon.client.send(session.session_id, "c", "x"))
        seen = {"log": daemon.process.log() + daemon.process.output(), "metrics": daemon.metrics(),
                "errors and answers": "\n".join(said), "sessions": str(sessions),
                "command line": self.command_line(daemon)}
        for place, shown in seen.items():
            for secret in secrets:
                if len(secret) >= 8:
                    self.assertNotIn(secret, shown, place)

    def command_line(self, daemon):
        with open(f"/proc/{daemon.process.popen.pid}/cmdline", encoding="utf-8") as file:
            return file.read()


if __name__ == "__main__":
    harness.main()
