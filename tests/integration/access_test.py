"""Policies on Unix sockets, from the allowed and the refused side, with other users' uids."""

import os
import stat
import time
import types
import unittest

import harness
import listeners
from harness import pb
from listeners import NOBODY, OTHER, session_request
from provide_tokens_test import Provider

EVERYTHING = {"name": "everything", "uids": ["root"], "admin": True}


class Access(listeners.Case):

    def start(self, *policies, **more):
        self.listener = {"address": self.socket(), "mode": "0666",
                         "policies": [EVERYTHING, *policies]}
        daemon = self.start_configured([self.listener], **more)
        self.daemon = daemon
        return daemon

    def other(self, uid=NOBODY, gid=None):
        return self.client(self.as_uid(uid, self.daemon.address, gid))

    def test_file_mode_and_group(self):
        daemon = self.start_configured(
            [{"address": self.socket("a"), "mode": "0600", "group": str(NOBODY)},
             {"address": self.socket("b")}])
        first, second = (os.stat(address[len("unix://"):]) for address in daemon.addresses)
        self.assertEqual(stat.S_IMODE(first.st_mode), 0o600)
        self.assertEqual(first.st_gid, NOBODY)
        self.assertEqual(stat.S_IMODE(second.st_mode), 0o660)
        for address in daemon.addresses:
            self.client(address).daemon.GetInfo(pb.GetInfoRequest())

    def test_who_is_in_no_policy_is_refused_everything(self):
        daemon = self.start({"name": "others", "uids": [str(OTHER)]})
        session = daemon.connect("alice")
        nobody = self.other()
        denied = self.expect_denied(nobody.daemon.GetInfo, pb.GetInfoRequest())
        self.assertNotIn("alice", denied.message)
        self.expect_denied(nobody.sessions.GetSession, pb.GetSessionRequest(session_id=session))
        self.expect_denied(nobody.sessions.GetSession, pb.GetSessionRequest())  # not INVALID_FIELD
        line = harness.wait_until(lambda: next(
            (line for line in daemon.process.log().splitlines() if "access denied" in line), None),
            "an audit line")
        self.assertIn(f"uid={NOBODY}", line)
        self.assertRegex(line, r" pid=[1-9]")
        self.assertIn("method=DaemonService/GetInfo", line)
        self.assertIn(self.socket(), line)
        self.other(OTHER).daemon.GetInfo(pb.GetInfoRequest())

    def test_by_primary_group(self):
        self.start({"name": "group", "gids": [str(OTHER)], "read_only": True})
        self.other(NOBODY, gid=OTHER).daemon.GetInfo(pb.GetInfoRequest())
        self.expect_denied(self.other(NOBODY).daemon.GetInfo, pb.GetInfoRequest())

    def test_read_only(self):
        daemon = self.start({"name": "readers", "uids": [str(NOBODY)], "read_only": True})
        session = daemon.connect("alice")
        daemon.connect("bob")
        reader = self.other()
        self.assertEqual(
            reader.sessions.GetSession(pb.GetSessionRequest(session_id=session)).session.session_id,
            session)
        self.assertEqual(len(reader.sessions.ListSessions(pb.ListSessionsRequest()).sessions), 2)
        refused = [
            (reader.message_service.SendMessage, pb.SendMessageRequest(
                session_id=session, conversation_id="c", text="hello")),
            (reader.conversations.MarkConversationRead, pb.MarkConversationReadRequest(
                session_id=session, conversation_id="c")),
            (reader.conversations.GetConversation, pb.GetConversationRequest(
                session_id=session, conversation_id="c", join=True)),
            (reader.sessions.CreateSession, session_request(user="eve")),
            (reader.sessions.DestroySession, pb.DestroySessionRequest(session_id=session)),
            (reader.sessions.SetToken, pb.SetTokenRequest(
                session_id=session, token=harness.token("alice"))),
        ]
        for call, request in refused:
            error = self.expect_denied(call, request)
            self.assertEqual(error.metadata["policy"], "readers")
        harness.expect_error(self, "NOT_FOUND", "CONVERSATION_NOT_FOUND",
                             reader.conversations.GetConversation, pb.GetConversationRequest(
                                 session_id=session, conversation_id="c"))

    def test_create_and_supply_tokens(self):
        daemon = self.start(
            {"name": "creators", "uids": [str(NOBODY)], "create_sessions": True},
            {"name": "suppliers", "uids": [str(OTHER)], "supply_tokens": True})
        creator, supplier = self.other(), self.other(OTHER)
        request = pb.CreateSessionRequest(app_id=harness.APP, user_id="alice",
                                          token=harness.token("alice"))
        session = creator.sessions.CreateSession(request).session.session_id
        newer = pb.SetTokenRequest(session_id=session, token=harness.token("alice", jti="2"))
        self.expect_denied(creator.sessions.SetToken, newer)
        supplier.sessions.SetToken(newer)
        self.expect_denied(supplier.sessions.CreateSession, session_request(user="bob"))
        self.expect_denied(supplier.sessions.DestroySession,
                           pb.DestroySessionRequest(session_id=session))
        creator.sessions.DestroySession(pb.DestroySessionRequest(session_id=session))
        self.assertEqual(daemon.process.log().count("access denied"), 3)

    def test_provided_tokens(self):
        daemon = self.start(
            {"name": "suppliers", "uids": [str(OTHER)], "users": ["alice"], "supply_tokens": True},
            {"name": "creators", "uids": [str(NOBODY)], "create_sessions": True})
        fetcher = pb.TokenFetcher(provider=pb.ProviderTokenSource(provider_name="p"))
        alice, bob = (daemon.create(user, name=user, token_fetcher=fetcher).session.session_id
                      for user in ("alice", "bob"))

        def provide(uid):
            return Provider(types.SimpleNamespace(address=self.as_uid(uid, daemon.address), case=self))
        refused = provide(NOBODY)
        self.assertTrue(refused.ended.wait(harness.PATIENCE))
        self.assertEqual((refused.error.code.name, refused.error.reason),
                         ("PERMISSION_DENIED", "ACCESS_DENIED"))
        # Asked for the sessions that it may use, and for no others.
        allowed = provide(OTHER).ready()
        query = allowed.query()
        self.assertEqual(query.session_id, alice)
        allowed.answer(query, harness.token("alice"))
        daemon.wait_state(alice, "CONNECTED")
        self.assertTrue(allowed.queries.empty())
        daemon.wait_state(bob, "WAITING_FOR_TOKEN", reason="TOKEN_PROVIDER_ABSENT")

    def test_only_the_sessions_of_its_apps_and_users(self):
        daemon = self.start({"name": "alices", "uids": [str(NOBODY)], "users": ["alice"],
                             "create_sessions": True},
                            {"name": "elsewhere", "uids": [str(OTHER)], "apps": ["shop"],
                             "create_sessions": True})
        alice, bob = daemon.connect("alice"), daemon.connect("bob")
        mine = self.other()
        listed = mine.sessions.ListSessions(pb.ListSessionsRequest()).sessions
        self.assertEqual([session.session_id for session in listed], [alice])
        self.assertEqual(
            sum(c.count for c in mine.daemon.GetInfo(pb.GetInfoRequest()).sessions_by_state), 1)
        error = self.expect_denied(mine.sessions.GetSession, pb.GetSessionRequest(session_id=bob))
        self.assertEqual(error.metadata["session_id"], bob)
        self.expect_denied(mine.sessions.CreateSession, session_request(user="bob"))
        self.expect_denied(mine.sessions.DestroySession, pb.DestroySessionRequest(session_id=bob))
        self.expect_denied(mine.message_service.ListMessages, pb.ListMessagesRequest(
            session_id=bob, conversation_id="c"))
        empty = mine.sessions.CreateSession(pb.CreateSessionRequest(app_id=harness.APP))
        self.expect_denied(mine.sessions.SetMe, pb.SetMeRequest(
            session_id=empty.session.session_id, user_id="carol"))
        theirs = self.other(OTHER)
        self.assertEqual(len(theirs.sessions.ListSessions(pb.ListSessionsRequest()).sessions), 0)
        self.expect_denied(theirs.sessions.GetSession, pb.GetSessionRequest(session_id=alice))

    def test_a_stream_over_all_sessions_shows_those_that_may_be_used(self):
        daemon = self.start({"name": "alices", "uids": [str(NOBODY)], "users": ["alice"]})
        alice, bob = daemon.connect("alice"), daemon.connect("bob")
        for session in (alice, bob):
            daemon.client.conversations.GetConversation(pb.GetConversationRequest(
                session_id=session, conversation_id="both", join=session == bob,
                attributes=None if session == bob else pb.ConversationAttributes(subject="both")))
        address = self.as_uid(NOBODY, daemon.address)
        stream = harness.MessageReader(daemon, pb.StreamMessagesRequest(),
                                       harness.make_channel(address)).wait_open()
        unreads = harness.UnreadsReader(daemon, pb.StreamUnreadsRequest(),
                                        harness.make_channel(address)).wait_open()
        everything = daemon.messages().wait_open()
        for number in range(3):
            daemon.client.message_service.SendMessage(pb.SendMessageRequest(
                session_id=bob, conversation_id="both", text=str(number)))
        everything.wait_count(6)
        stream.wait_count(3)
        self.assertEqual({event.session_id for event in stream.events}, {alice})
        self.assertEqual(stream.bodies(), ["0", "1", "2"])
        unreads.wait_counts({"both": 3})
        self.assertEqual({unread.session_id for unread in unreads.lists}, {alice})
        refused = harness.MessageReader(
            daemon, pb.StreamMessagesRequest(session_ids=[bob]), harness.make_channel(address))
        self.assertEqual(refused.wait_end().reason, "ACCESS_DENIED")
        named = harness.MessageReader(daemon, pb.StreamMessagesRequest(
            subscription=pb.NamedSubscription(name="n")), harness.make_channel(address))
        self.assertEqual(named.wait_end().reason, "ACCESS_DENIED")

    def test_named_subscriptions_of_others_are_not_there(self):
        daemon = self.start({"name": "alices", "uids": [str(NOBODY)], "users": ["alice"]})
        alice, bob = daemon.connect("alice"), daemon.connect("bob")
        for name, sessions in (("a", [alice]), ("b", [bob]), ("all", [])):
            daemon.messages(*sessions, subscription=pb.NamedSubscription(name=name)).wait_open()
        mine = self.other()
        listed = mine.events.ListSubscriptions(pb.ListSubscriptionsRequest()).subscriptions
        self.assertEqual([subscription.name for subscription in listed], ["a"])
        for name in ("b", "all"):
            harness.expect_error(self, "NOT_FOUND", "SUBSCRIPTION_NOT_FOUND",
                                 mine.events.DeleteSubscription,
                                 pb.DeleteSubscriptionRequest(name=name))
        mine.events.DeleteSubscription(pb.DeleteSubscriptionRequest(name="a"))
        left = daemon.client.events.ListSubscriptions(pb.ListSubscriptionsRequest()).subscriptions
        self.assertEqual([subscription.name for subscription in left], ["all", "b"])

    def test_a_reload_ends_what_is_no_longer_allowed_within_a_second(self):
        readers = {"name": "readers", "uids": [str(NOBODY)], "read_only": True}
        daemon = self.start(readers)
        session = daemon.connect("alice")
        address = self.as_uid(NOBODY, daemon.address)
        streams = [
            harness.MessageReader(daemon, pb.StreamMessagesRequest(),
                                  harness.make_channel(address)),
            harness.UnreadsReader(daemon, pb.StreamUnreadsRequest(session_ids=[session]),
                                  harness.make_channel(address))]
        kept = [daemon.messages(session), daemon.unreads()]
        for stream in streams + kept:
            stream.wait_open()
        self.reload(daemon, [{**self.listener,
                              "policies": [EVERYTHING, {**readers, "users": ["alice"]}]}])
        self.assertTrue(all(stream.error is None for stream in streams))
        start = time.monotonic()
        self.reload(daemon, [{**self.listener, "policies": [EVERYTHING]}])
        for stream in streams:
            error = stream.wait_end()
            self.assertEqual((error.code.name, error.reason),
                             ("PERMISSION_DENIED", "ACCESS_DENIED"))
            self.assertLess(stream.ended_at - start, 5.0 if harness.SANITIZED else 1.0)
        self.assertTrue(all(stream.error is None for stream in kept))
        self.expect_denied(self.client(address).daemon.GetInfo, pb.GetInfoRequest())

    def test_secrets_are_in_no_error_and_no_audit_line(self):
        daemon = self.start({"name": "readers", "uids": [str(NOBODY)], "read_only": True})
        session = daemon.connect("alice")
        reader = self.other()
        canary = harness.token("alice", jti="canary-4711")
        key = "sk_test_canary_0815"
        create = pb.CreateSessionRequest(app_id=harness.APP, user_id="bob")
        create.signing_key.secret_key = key
        said = []
        for call, request in (
                (reader.sessions.SetToken, pb.SetTokenRequest(session_id=session, token=canary)),
                (reader.sessions.CreateSession, create)):
            error = self.expect_denied(call, request)
            said.append(f"{error.message} {error.metadata}")
        said.append(daemon.process.log())
        for text in said:
            self.assertNotIn(canary, text)
            self.assertNotIn(key, text)


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    harness.main()
