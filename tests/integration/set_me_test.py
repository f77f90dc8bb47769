"""A session's user given later, tokens set by hand, and the end of a session."""

import os
import subprocess
import time

import harness
from emulator_api import EmulatorApi
from harness import KEY, expect_error, pb, signature, token
from provide_tokens_test import Provider


def calls_of_a_user(client, session_id):
    """Every method that speaks to TalkJS as the session's user, by name."""
    user = pb.UserAttributes(id="bob", name="Bob")
    return {
        "SendMessage": lambda: client.message_service.SendMessage(pb.SendMessageRequest(
            session_id=session_id, conversation_id="c", text="x", ensure_participant=True)),
        "ListMessages": lambda: client.message_service.ListMessages(
            pb.ListMessagesRequest(session_id=session_id, conversation_id="c")),
        "GetUser": lambda: client.users.GetUser(
            pb.GetUserRequest(session_id=session_id, user=user)),
        "GetUserById": lambda: client.users.GetUserById(
            pb.GetUserByIdRequest(session_id=session_id, user_id="bob")),
        "GetConversation": lambda: client.conversations.GetConversation(
            pb.GetConversationRequest(session_id=session_id, conversation_id="c")),
        "ListConversations": lambda: client.conversations.ListConversations(
            pb.ListConversationsRequest(session_id=session_id)),
        "MarkConversationRead": lambda: client.conversations.MarkConversationRead(
            pb.MarkConversationReadRequest(session_id=session_id, conversation_id="c")),
        "MarkConversationUnread": lambda: client.conversations.MarkConversationUnread(
            pb.MarkConversationUnreadRequest(session_id=session_id, conversation_id="c")),
        "HasValidCredentials": lambda: client.sessions.HasValidCredentials(
            pb.HasValidCredentialsRequest(session_id=session_id)),
        "SetPushRegistration": lambda: client.sessions.SetPushRegistration(
            pb.SetPushRegistrationRequest(session_id=session_id)),
        "UnsetPushRegistration": lambda: client.sessions.UnsetPushRegistration(
            pb.UnsetPushRegistrationRequest(session_id=session_id)),
        "ClearPushRegistrations": lambda: client.sessions.ClearPushRegistrations(
            pb.ClearPushRegistrationsRequest(session_id=session_id)),
    }


def stubs_of():
    """The names of all methods but those of DaemonService."""
    from talkjs.sidecar.v1 import (conversation_service_pb2, event_service_pb2, message_service_pb2,
                                   session_service_pb2, user_service_pb2)
    modules = (session_service_pb2, user_service_pb2, conversation_service_pb2, message_service_pb2,
               event_service_pb2)
    return {method.name for module in modules
            for service in module.DESCRIPTOR.services_by_name.values() for method in service.methods}


class Users(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.emulator = EmulatorApi(self.daemon.emulator_host)
        self.sessions = self.daemon.client.sessions

    def create(self, **fields):
        key = fields.pop("key", None)
        request = pb.CreateSessionRequest(app_id="demo", **fields)
        if key is not None:
            request.signing_key.secret_key = key
        made = self.sessions.CreateSession(request)
        self.assertTrue(made.created)
        return made.session

    def set_me(self, session_id, user_id=None, **user):
        request = pb.SetMeRequest(session_id=session_id)
        if user_id is not None:
            request.user_id = user_id
        else:
            request.user.MergeFrom(pb.UserAttributes(**user))
        return self.sessions.SetMe(request)

    def test_until_there_is_a_user_only_some_calls_work(self):
        session = self.create(key=KEY)
        self.assertEqual(session.state, pb.SESSION_STATE_AWAITING_ME)
        self.assertFalse(session.HasField("user_id"))
        self.assertAlmostEqual(session.expire_time.seconds - time.time(), 600, delta=30)
        session_id = session.session_id
        self.assertEqual(self.daemon.session(session_id).session_id, session_id)
        listed = self.sessions.ListSessions(pb.ListSessionsRequest())
        self.assertEqual([one.session_id for one in listed.sessions], [session_id])
        calls = calls_of_a_user(self.daemon.client, session_id)
        # All there are, but those that work, and those that name no session, or several.
        self.assertEqual(set(calls), stubs_of() - {
            "CreateSession", "GetSession", "ListSessions", "WatchSessions", "SetMe", "SetToken",
            "ProvideTokens", "DestroySession", "StreamMessages", "StreamUnreads", "Acknowledge",
            "ListSubscriptions", "DeleteSubscription"})
        for name, call in calls.items():
            with self.subTest(name):
                expect_error(self, "FAILED_PRECONDITION", "ME_NOT_SET", call)
        for stream in (self.daemon.messages(session_id), self.daemon.unreads(session_id)):
            error = stream.wait_end()
            self.assertEqual((error.code.name, error.reason), ("FAILED_PRECONDITION", "ME_NOT_SET"))
        self.sessions.DestroySession(pb.DestroySessionRequest(session_id=session_id))
        expect_error(self, "FAILED_PRECONDITION", "SESSION_DESTROYED",
                     lambda: self.set_me(session_id, "alice"))

    def test_until_there_is_a_user_its_tokens_can_be_seen_to(self):
        watch = self.sessions.WatchSessions(pb.WatchSessionsRequest(), timeout=harness.PATIENCE)
        session_id = self.create(token=token("alice")).session_id
        later = int(time.time()) + 7200
        answer = self.sessions.SetToken(
            pb.SetTokenRequest(session_id=session_id, token=token("alice", exp=later))).session
        self.assertEqual((answer.state, answer.token_expire_time.seconds),
                         (pb.SESSION_STATE_AWAITING_ME, later))
        seen = next(session for response in watch for session in response.sessions
                    if session.session_id == session_id)
        watch.cancel()
        self.assertEqual(seen.state, pb.SESSION_STATE_AWAITING_ME)
        self.set_me(session_id, id="alice", name="Alice")
        self.daemon.wait_state(session_id, "CONNECTED")
        # A client on ProvideTokens may name it before anybody knows for whom the tokens will be.
        provided = self.create(token_fetcher=pb.TokenFetcher(
            provider=pb.ProviderTokenSource(provider_name="p"))).session_id
        provider = Provider(self.daemon, sessions=[provided]).ready()
        self.set_me(provided, id="bob", name="Bob")
        provider.answer(provider.query())
        self.daemon.wait_state(provided, "CONNECTED")

    def test_a_user_with_attributes_is_written_to_talkjs(self):
        session_id = self.create(key=KEY).session_id
        answer = self.set_me(session_id, id="alice", name="Alice", locale="nl-NL",
                             email=pb.StringList(values=["alice@example.com"]))
        self.assertEqual(len(answer.warnings), 1, "no role")
        self.assertEqual(answer.session.user_id, "alice")
        self.daemon.wait_state(session_id, "CONNECTED")
        stored = self.emulator.user("alice")
        self.assertEqual((stored["name"], stored["locale"], stored["email"]),
                         ("Alice", "nl-NL", ["alice@example.com"]))
        for user in ("alice", "bob"):
            expect_error(self, "FAILED_PRECONDITION", "ME_ALREADY_SET",
                         lambda user=user: self.set_me(session_id, user))
        again = self.daemon.create("alice", key=KEY)
        self.assertEqual((again.created, again.session.session_id), (False, session_id))

    def test_a_user_by_id_alone_is_not_written(self):
        session_id = self.create(key=KEY).session_id
        answer = self.set_me(session_id, "nobody")
        self.assertEqual(list(answer.warnings), [])
        self.daemon.wait_state(session_id, "CONNECTED", reason="USER_NOT_FOUND")
        self.assertIsNone(self.emulator.user("nobody"))

    def test_a_user_has_one_session(self):
        alice = self.daemon.create("alice", key=KEY).session.session_id
        session_id = self.create(key=KEY).session_id
        error = expect_error(self, "ALREADY_EXISTS", "SESSION_ALREADY_EXISTS",
                             lambda: self.set_me(session_id, "alice"))
        self.assertEqual(error.metadata["session_id"], alice)
        self.assertIn(alice, error.message)
        expect_error(self, "NOT_FOUND", "SESSION_NOT_FOUND", lambda: self.set_me("nobody", "bob"))
        expect_error(self, "INVALID_ARGUMENT", "INVALID_FIELD", lambda: self.set_me(session_id, ""))
        other = self.create(token=token("bob")).session_id
        expect_error(self, "INVALID_ARGUMENT", "TOKEN_WRONG_USER",
                     lambda: self.set_me(other, "carol"))
        self.set_me(other, "bob")
        self.daemon.wait_state(other, "CONNECTED")

    def test_from_talkjsctl(self):
        def run(*arguments, secret=""):
            return subprocess.run(
                [os.path.join(harness.BIN, "talkjsctl"), *arguments], text=True, check=False,
                capture_output=True, input=secret, timeout=harness.PATIENCE,
                env={**os.environ, "TALKJSD_ADDRESS": self.daemon.address})
        made = run("session", "create", "--app-id", "demo", "--token-file", "-", "--json",
                   secret=token("alice"))
        self.assertEqual(made.returncode, 0, made.stderr)
        session_id = self.sessions.ListSessions(pb.ListSessionsRequest()).sessions[0].session_id
        done = run("session", "set-me", session_id, "--user", "alice", "--name", "Alice")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("role", done.stderr)
        self.daemon.wait_state(session_id, "CONNECTED")
        done = run("session", "set-me", "demo/alice", "--user", "bob")
        self.assertEqual(done.returncode, 1)
        self.assertIn("ME_ALREADY_SET", done.stderr)
        expiry = int(time.time()) + 5000
        done = run("session", "set-token", "demo/alice", "--token-file", "-",
                   secret=token("alice", exp=expiry) + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        harness.wait_until(
            lambda: self.daemon.session(session_id).token_expire_time.seconds == expiry, "its expiry")


class Tokens(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.emulator = EmulatorApi(self.daemon.emulator_host)

    def set_token(self, session_id, text):
        return self.daemon.client.sessions.SetToken(
            pb.SetTokenRequest(session_id=session_id, token=text)).session

    def test_a_token_that_has_expired_or_was_refused_is_waited_for(self):
        expired = self.daemon.connect("alice", key=None, token=token("alice", exp=int(time.time()) + 100))
        refused = self.daemon.create("bob", name="Bob", token=token("bob", key="sk_wrong"))
        refused = refused.session.session_id
        self.daemon.wait_state(refused, "WAITING_FOR_TOKEN", reason="TOKEN_REFUSED")
        self.emulator.control("POST", "clock", {"advance_ms": 101_000})
        session = self.daemon.wait_state(expired, "WAITING_FOR_TOKEN", reason="TOKEN_EXPIRED")
        self.assertIn("SetToken", session.reason_message)
        expect_error(self, "FAILED_PRECONDITION", "TOKEN_EXPIRED",
                     lambda: self.daemon.client.send(expired, "c", "x"))
        for session_id, user in ((expired, "alice"), (refused, "bob")):
            past = int(time.time()) - 1
            for text, reason in [("x", "TOKEN_MALFORMED"), (token("carol"), "TOKEN_WRONG_USER"),
                                 (token(user, iss="other"), "TOKEN_WRONG_APP"),
                                 (token(user, exp=past), "TOKEN_EXPIRED")]:
                expect_error(self, "INVALID_ARGUMENT", reason,
                             lambda session_id=session_id, text=text: self.set_token(session_id, text))
            answer = self.set_token(session_id, token(user))
            self.assertAlmostEqual(answer.token_expire_time.seconds, time.time() + 86400, delta=60)
            session = self.daemon.wait_state(session_id, "CONNECTED")
            self.assertEqual(harness.reason_of(session), "")

    def test_a_fatal_answer_is_left_by_new_credentials(self):
        rule = self.emulator.fault(on="request", path="/session/renew", action="status", status=400)
        made = self.daemon.create("alice", name="Alice", token=token("alice")).session.session_id
        session = self.daemon.wait_state(made, "FAILED", reason="AUTHENTICATION_REFUSED")
        self.assertGreater(len(session.reason_message), 20)
        self.emulator.control("DELETE", f"faults/{rule}")
        expect_error(self, "FAILED_PRECONDITION", "AUTHENTICATION_REFUSED",
                     lambda: self.daemon.client.send(made, "c", "x"))
        self.set_token(made, token("alice"))
        session = self.daemon.wait_state(made, "CONNECTED")
        self.assertEqual(harness.reason_of(session), "")

    def test_a_live_session_goes_on_when_its_token_is_replaced(self):
        session_id = self.daemon.connect("alice", key=None, token=token("alice"))
        stream = self.daemon.messages(session_id, kinds=[pb.MESSAGE_EVENT_KIND_SENT,
                                                         pb.MESSAGE_EVENT_KIND_SESSION_STATE])
        stream.wait_open()
        for number in range(10):
            self.set_token(session_id, token("alice", n=number))
            self.daemon.client.send(session_id, "c", str(number), ensure_participant=True)
        stream.wait_count(10)
        self.assertEqual(stream.bodies(), [str(number) for number in range(10)])
        self.assertEqual([event for event in stream.events
                          if event.WhichOneof("payload") == "session_state"], [])
        self.assertEqual(self.daemon.metric("talkjsd_upstream_connects_total"), 1)

    def test_sessions_without_tokens_take_none(self):
        for user, credentials in (("alice", {}), ("bob", {"signature": signature("bob")})):
            session_id = self.daemon.create(user, name="U", **credentials).session.session_id
            expect_error(self, "FAILED_PRECONDITION", "WRONG_CREDENTIAL_KIND",
                         lambda user=user, session_id=session_id: self.set_token(
                             session_id, token(user)))

    def test_short_lifetimes_are_used_and_said(self):
        made = self.daemon.create("alice", name="Alice", signing_key=pb.SigningKey(
            secret_key=KEY, token_lifetime={"seconds": 12})).session.session_id
        session = self.daemon.wait_state(made, "CONNECTED")
        self.assertEqual(len(session.warnings), 1)
        self.assertIn("lifetime", session.warnings[0])
        first = session.token_expire_time.seconds
        harness.wait_until(lambda: self.daemon.session(made).token_expire_time.seconds > first,
                           "it is renewed before its end", timeout=11)
        self.assertEqual(self.daemon.session(made).state, pb.SESSION_STATE_CONNECTED)


class Ends(harness.Case):

    def test_destroying_ends_everything_and_leaves_a_stone(self):
        daemon = self.start_daemon()
        emulator = EmulatorApi(daemon.emulator_host)
        sessions = daemon.client.sessions
        session_id = daemon.connect("alice", key=None, token=token("alice"))
        stream = daemon.messages(session_id).wait_open()
        unreads = daemon.unreads(session_id).wait_open()
        daemon.client.send(session_id, "c", "the last one", ensure_participant=True)
        self.assertEqual(len(emulator.control("GET", "connections")["connections"]), 1)
        sessions.DestroySession(pb.DestroySessionRequest(session_id=session_id))
        # Its socket is closed by now.
        self.assertEqual(emulator.control("GET", "connections")["connections"], [])
        for ended in (stream, unreads):
            error = ended.wait_end(1)
            self.assertEqual((error.code.name, error.reason),
                             ("FAILED_PRECONDITION", "SESSION_DESTROYED"))
        self.assertEqual(stream.bodies(), ["the last one"])
        for call in (*calls_of_a_user(daemon.client, session_id).values(),
                     lambda: daemon.session(session_id),
                     lambda: sessions.SetToken(pb.SetTokenRequest(session_id=session_id,
                                                                  token=token("alice"))),
                     lambda: sessions.SetMe(pb.SetMeRequest(session_id=session_id, user_id="bob"))):
            expect_error(self, "FAILED_PRECONDITION", "SESSION_DESTROYED", call)
        for stream in (daemon.messages(session_id), daemon.unreads(session_id)):
            error = stream.wait_end()
            self.assertEqual((error.code.name, error.reason),
                             ("FAILED_PRECONDITION", "SESSION_DESTROYED"))
        sessions.DestroySession(pb.DestroySessionRequest(session_id=session_id))
        again = daemon.create("alice", token=token("alice"))
        self.assertTrue(again.created)
        self.assertNotEqual(again.session.session_id, session_id)
        daemon.wait_state(again.session.session_id, "CONNECTED")


if __name__ == "__main__":
    harness.main()
