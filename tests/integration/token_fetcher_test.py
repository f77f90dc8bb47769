"""Tokens from an HTTP endpoint: how it is asked, everything it can do wrong, and that nothing is lost meanwhile."""

import json
import os
import subprocess
import time

import harness
import talkjsd
from harness import expect_error, pb, token
from token_server import TokenServer


class Fetching(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.server = TokenServer(self)

    def create(self, user, name=None, **http):
        fetcher = pb.TokenFetcher(http=pb.HttpTokenSource(url=http.pop("url", self.server.url), **http))
        made = self.daemon.create(user, name=name, token_fetcher=fetcher)
        self.assertEqual(pb.CredentialKind.Name(made.session.credential_kind),
                         "CREDENTIAL_KIND_HTTP_FETCHER")
        return made.session.session_id

    def test_the_endpoint_is_asked_as_the_settings_say(self):
        posted = self.create("alice", "Alice", headers={"X-Api-Key": "canary-header"})
        self.server.answers["bob"] = lambda request: request["reply"](
            json.dumps({"data": {"token": token("bob")}}), content_type="application/json")
        got = self.create("bob", "Bob", method="GET", token_field="data.token",
                          url=self.server.url + "?key=canary-query")
        for session_id in (posted, got):
            session = self.daemon.wait_state(session_id, "CONNECTED")
            self.assertTrue(session.HasField("token_expire_time"))
            self.assertEqual(harness.reason_of(session), "")
        request = self.server.last("alice")
        self.assertEqual((request["method"], request["path"]), ("POST", "/token"))
        self.assertEqual(json.loads(request["body"]), {"app_id": "demo", "user_id": "alice"})
        self.assertEqual(request["headers"]["Content-Type"], "application/json")
        self.assertEqual(request["headers"]["X-Api-Key"], "canary-header")
        request = self.server.last("bob")
        self.assertEqual((request["method"], request["path"]),
                         ("GET", "/token?key=canary-query&app_id=demo&user_id=bob"))
        self.assertEqual((self.server.count("alice"), self.server.count("bob")), (1, 1))
        for canary in ("canary-header", "canary-query"):
            self.assertNotIn(canary, self.daemon.process.log())

    def test_an_initial_token_goes_before_the_endpoint(self):
        fetcher = pb.TokenFetcher(http=pb.HttpTokenSource(url=self.server.url),
                                  initial_token=token("alice"))
        made = self.daemon.create("alice", name="Alice", token_fetcher=fetcher)
        self.daemon.wait_state(made.session.session_id, "CONNECTED")
        self.assertEqual(self.server.count("alice"), 0)
        # So does a token that is set later.
        other = self.create("bob", "Bob")
        self.daemon.wait_state(other, "CONNECTED")
        answer = self.daemon.client.sessions.SetToken(pb.SetTokenRequest(
            session_id=other, token=token("bob", exp=int(time.time()) + 7200)))
        self.assertAlmostEqual(answer.session.token_expire_time.seconds, time.time() + 7200, delta=60)
        harness.wait_until(lambda: abs(self.daemon.session(other).token_expire_time.seconds -
                                       time.time() - 7200) < 60, "the new token is in use")
        self.assertEqual(self.server.count("bob"), 1)

    def test_each_bad_answer_has_its_own_reason_and_the_session_recovers(self):
        canary = "canary-of-the-answer"
        past = int(time.time()) - 60
        answers = {
            "TOKEN_FETCH_HTTP_STATUS": lambda request: request["reply"](canary, 500),
            "TOKEN_FETCH_REDIRECTED": lambda request: request["reply"](
                canary, 302, headers=[("Location", "http://127.0.0.1:1/" + canary)]),
            "TOKEN_FETCH_HTML": lambda request: request["reply"](
                f"<!doctype html><p>{canary}", content_type="text/html"),
            "TOKEN_FETCH_EMPTY": lambda request: request["reply"](""),
            "TOKEN_FETCH_UNREADABLE": lambda request: request["reply"](
                json.dumps({"token": canary}), content_type="application/json"),
            "TOKEN_FETCH_TOO_LARGE": lambda request: request["reply"](canary * 2000),
            "TOKEN_FETCH_TIMEOUT": self.server.hang,
            "TOKEN_MALFORMED": lambda request: request["reply"](canary),
            "TOKEN_WRONG_USER": lambda request: request["reply"](token("somebody")),
            "TOKEN_WRONG_APP": lambda request: request["reply"](token(request["user_id"], iss="other")),
            "TOKEN_WRONG_TYPE": lambda request: request["reply"](
                token(request["user_id"], tokenType="app")),
            "TOKEN_EXPIRED": lambda request: request["reply"](token(request["user_id"], exp=past)),
            "TOKEN_NOT_YET_VALID": lambda request: request["reply"](
                token(request["user_id"], nbf=int(time.time()) + 3600)),
            "TOKEN_REFUSED": lambda request: request["reply"](
                token(request["user_id"], key="sk_test_wrong")),
        }
        sessions = {}
        for reason, answer in answers.items():
            user = "u-" + reason
            self.server.answers[user] = answer
            timeout = {"timeout": {"nanos": 500_000_000}} if reason.endswith("TIMEOUT") else {}
            sessions[reason] = self.create(user, "Somebody", **timeout)
        sessions["TOKEN_FETCH_FAILED"] = self.create("u-FAILED", url="http://127.0.0.1:9/token")
        for reason, session_id in sessions.items():
            with self.subTest(reason):
                session = self.daemon.wait_state(session_id, "WAITING_FOR_TOKEN", reason=reason)
                self.assertGreater(len(session.reason_message), 20)
                self.assertNotIn(canary, session.reason_message)
                error = None
                try:
                    self.daemon.client.send(session_id, "c", "x")
                except talkjsd.Error as refused:
                    error = refused
                # A second request may be under way just now.
                self.assertIn((error.code.name, error.reason),
                              [("FAILED_PRECONDITION", reason), ("UNAVAILABLE", "UPSTREAM_UNAVAILABLE")])
        self.server.answers.clear()
        for reason in answers:
            with self.subTest(reason):
                session = self.daemon.wait_state(sessions[reason], "CONNECTED", timeout=60)
                self.assertEqual((harness.reason_of(session), session.reason_message), ("", ""))
        self.assertNotIn(canary, self.daemon.process.log())

    def test_a_failing_endpoint_is_asked_again_ever_more_slowly(self):
        self.server.answers["alice"] = lambda request: request["reply"]("no", 503)
        session_id = self.create("alice", "Alice")
        self.daemon.wait_state(session_id, "WAITING_FOR_TOKEN", reason="TOKEN_FETCH_HTTP_STATUS")
        harness.wait_until(lambda: self.server.count("alice") >= 3, "it is asked again")
        started = time.monotonic()
        before = self.server.count("alice")
        while time.monotonic() - started < 3:
            time.sleep(0.1)
        self.assertLessEqual(self.server.count("alice") - before, 2)
        # Whoever can repair it need not wait for the daemon's next try.
        del self.server.answers["alice"]
        self.create("alice", "Alice")
        self.daemon.wait_state(session_id, "CONNECTED", timeout=5)

    def test_a_renewal_that_fails_is_shown_and_the_session_goes_on(self):
        self.server.answers["alice"] = lambda request: request["reply"](
            token("alice", exp=int(time.time()) + 30))
        session_id = self.create("alice", "Alice")
        session = self.daemon.wait_state(session_id, "CONNECTED")
        self.assertEqual(len(session.warnings), 1, "30 s is short")
        self.server.answers["alice"] = lambda request: request["reply"]("", 500)
        session = self.daemon.wait_state(session_id, "CONNECTED", reason="TOKEN_FETCH_HTTP_STATUS",
                                         timeout=40)
        self.daemon.client.send(session_id, "c", "still here", ensure_participant=True)
        del self.server.answers["alice"]
        harness.wait_until(lambda: not self.daemon.session(session_id).warnings,
                           "the long-lived token is in use")
        session = self.daemon.session(session_id)
        self.assertEqual((harness.reason_of(session), session.state),
                         ("", pb.SESSION_STATE_CONNECTED))

    def test_limits_are_checked_at_once(self):
        for http in ({"url": ""}, {"url": "ftp://x/"}, {"url": "https://user:pw@x/"}, {"method": "PUT"},
                     {"timeout": {"seconds": 61}}, {"headers": {"bad name": "x"}},
                     {"headers": {"X-A": "two\nlines"}}, {"token_field": "x" * 256}):
            with self.subTest(str(http)):
                error = expect_error(self, "INVALID_ARGUMENT", "INVALID_FIELD",
                                     lambda http=http: self.create("limits", **http))
                self.assertTrue(error.field_violations)


class Certificates(harness.Case):
    """The endpoint's certificate must be one that the daemon trusts."""

    def certificate(self):
        key, file = (os.path.join(self.directory, name) for name in ("key.pem", "cert.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", file,
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        return file, key

    def test_only_a_trusted_one_is_accepted(self):
        file, key = self.certificate()
        server = TokenServer(self, (file, key))
        fetcher = pb.TokenFetcher(http=pb.HttpTokenSource(url=server.url))
        stranger = self.start_daemon()
        made = stranger.create("alice", name="Alice", token_fetcher=fetcher)
        stranger.wait_state(made.session.session_id, "WAITING_FOR_TOKEN", reason="TOKEN_FETCH_TLS")
        self.assertEqual(server.requests, [])
        friend = self.start_daemon("--ca-file", file)
        made = friend.create("alice", name="Alice", token_fetcher=fetcher)
        friend.wait_state(made.session.session_id, "CONNECTED")


if __name__ == "__main__":
    harness.main()
