"""What callers do wrong: each gets a code, a reason and advice, and everything else goes on."""

import os
import subprocess
import time

import harness
import talkjsd
from harness import APP, KEY, expect_error, pb, signature, token
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
