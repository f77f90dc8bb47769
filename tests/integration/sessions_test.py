"""Sessions and calls as a client meets them, over one daemon with its emulator."""

import urllib.error
import urllib.request

import harness
from harness import KEY, expect_error, pb, signature, token
from talkjs_user import TalkjsUser


class Creating(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()

    def kind_of(self, session):
        return pb.CredentialKind.Name(session.credential_kind)[len("CREDENTIAL_KIND_"):]

    def test_every_kind_of_credentials_logs_in(self):
        kinds = {"TOKEN": {"token": token("u-TOKEN")},
                 "SIGNING_KEY": {"key": KEY},
                 "SIGNATURE": {"signature": signature("u-SIGNATURE")},
                 "NONE": {}}
        for kind, credentials in kinds.items():
            with self.subTest(kind):
                made = self.daemon.create(f"u-{kind}", name="Somebody", **credentials)
                self.assertTrue(made.created)
                self.assertEqual(pb.SessionState.Name(made.session.state), "SESSION_STATE_CONNECTING")
                session = self.daemon.wait_state(made.session.session_id, "CONNECTED")
                self.assertEqual(self.kind_of(session), kind)
                self.assertEqual((session.app_id, session.user_id), ("demo", f"u-{kind}"))
                self.assertEqual((harness.reason_of(session), session.reason_message), ("", ""))
                self.assertEqual(session.HasField("token_expire_time"),
                                 kind in ("TOKEN", "SIGNING_KEY"))
                for field in ("create_time", "baseline_time", "last_sync_time", "state_since_time"):
                    self.assertTrue(session.HasField(field), field)
        counts = {pb.SessionState.Name(count.state): count.count for count in
                  self.daemon.client.daemon.GetInfo(pb.GetInfoRequest()).sessions_by_state}
        self.assertEqual(counts.get("SESSION_STATE_CONNECTED"), 4)
        self.assertEqual(self.daemon.metric('talkjsd_sessions{state="connected"}'), 4)

    def test_creating_again_returns_the_session(self):
        first = self.daemon.create("alice", name="Alice", token=token("alice"))
        session_id = first.session.session_id
        again = self.daemon.create("alice", name="Alice", token=token("alice", n=2))
        self.assertFalse(again.created)
        self.assertEqual(again.session.session_id, session_id)
        error = expect_error(self, "ALREADY_EXISTS", "SESSION_ALREADY_EXISTS",
                             lambda: self.daemon.create("alice", key=KEY))
        self.assertEqual(error.metadata["session_id"], session_id)
        self.assertIn(session_id, str(error.metadata))
        replaced = self.daemon.create("alice", key=KEY, replace_credentials=True)
        self.assertFalse(replaced.created)
        self.assertEqual(replaced.session.session_id, session_id)
        self.assertEqual(self.kind_of(replaced.session), "SIGNING_KEY")
        self.daemon.wait_state(session_id, "CONNECTED")
        # The same user of another app is another session.
        other = self.daemon.create("alice", app_id="other", key=KEY)
        self.assertTrue(other.created)
        self.assertNotEqual(other.session.session_id, session_id)

    def test_listing_watching_destroying(self):
        sessions = self.daemon.client.sessions
        ids = [self.daemon.connect(f"user{i}") for i in range(5)]
        listed, page_token = [], ""
        while True:
            page = sessions.ListSessions(pb.ListSessionsRequest(page_size=2, page_token=page_token))
            self.assertLessEqual(len(page.sessions), 2)
            listed += [session.session_id for session in page.sessions]
            page_token = page.next_page_token
            if not page_token:
                break
        self.assertEqual(listed, ids)
        found = sessions.ListSessions(pb.ListSessionsRequest(user_id="user3", app_id="demo"))
        self.assertEqual([session.session_id for session in found.sessions], ids[3:4])
        expect_error(self, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", sessions.ListSessions,
                     pb.ListSessionsRequest(page_token="no page"))

        from talkjs.sidecar.v1 import session_service_pb2_grpc
        channel = harness.make_channel(self.daemon.address)
        self.addCleanup(channel.close)
        watch = session_service_pb2_grpc.SessionServiceStub(channel).WatchSessions(
            pb.WatchSessionsRequest(), timeout=harness.PATIENCE)
        seen = []
        for response in watch:
            seen += [session.session_id for session in response.sessions]
            if response.snapshot_complete:
                break
        self.assertEqual(sorted(seen), sorted(ids))
        stream = self.daemon.messages(ids[0]).wait_open()
        unreads = self.daemon.unreads(ids[0]).wait_open()
        several = self.daemon.messages(ids[0], ids[1]).wait_open()
        sessions.DestroySession(pb.DestroySessionRequest(session_id=ids[0]))
        changed = next(session for response in watch for session in response.sessions
                       if session.session_id == ids[0] and
                       session.state == pb.SESSION_STATE_DESTROYED)
        self.assertTrue(changed.HasField("expire_time"))
        watch.cancel()
        for ended in (stream, unreads):
            error = ended.wait_end()
            self.assertEqual((error.code.name, error.reason),
                             ("FAILED_PRECONDITION", "SESSION_DESTROYED"))
        state = several.wait(lambda: next((event.session_state for event in several.events
                                           if event.WhichOneof("payload") == "session_state"), None),
                             "the session's end")
        self.assertEqual((state.session_id, state.state), (ids[0], pb.SESSION_STATE_DESTROYED))
        expect_error(self, "FAILED_PRECONDITION", "SESSION_DESTROYED", sessions.GetSession,
                     pb.GetSessionRequest(session_id=ids[0]))
        sessions.DestroySession(pb.DestroySessionRequest(session_id=ids[0]))
        left = sessions.ListSessions(pb.ListSessionsRequest())
        self.assertEqual([session.session_id for session in left.sessions], ids[1:])
        again = self.daemon.create("user0", key=KEY)
        self.assertTrue(again.created)
        self.assertNotEqual(again.session.session_id, ids[0])


class Calling(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.alice = self.daemon.connect("alice")
        self.bob = self.daemon.connect("bob")

    def send(self, session_id, conversation_id, text, **fields):
        return self.daemon.client.message_service.SendMessage(pb.SendMessageRequest(
            session_id=session_id, conversation_id=conversation_id, text=text,
            **fields)).message_id

    def test_sending_reading_and_unreads(self):
        stream = self.daemon.messages(self.alice, self.bob).wait_open()
        unreads = self.daemon.unreads(self.bob)
        unreads.wait_counts({})
        self.send(self.alice, "c/ö 1", "hello, bob", ensure_participant=True)
        self.send(self.bob, "c/ö 1", "hi", ensure_participant=True)
        unreads.wait_counts({})
        second = self.send(self.alice, "c/ö 1", "news", custom={"k": "v"})
        stream.wait(lambda: len([m for m in stream.sent() if m.body == "news"]) == 2, "news, twice")
        for event in stream.events:
            if event.sent.body != "news":
                continue
            self.assertEqual(event.sent.id, second)
            self.assertEqual(event.sent.is_by_me, event.session_id == self.alice)
            self.assertEqual(event.sent.sender.name, "Alice")
            self.assertEqual(event.sent.conversation.id, "c/ö 1")
            self.assertEqual(dict(event.sent.custom), {"k": "v"})
            self.assertFalse(event.recovered)
        last = unreads.wait_counts({"c/ö 1": 1})
        self.assertEqual(last.conversations[0].last_message.id, second)
        self.daemon.client.conversations.MarkConversationRead(
            pb.MarkConversationReadRequest(session_id=self.bob, conversation_id="c/ö 1"))
        unreads.wait_counts({})
        # It was said before bob was there; what is as old as his joining, to the millisecond, he may get.
        hello = [event.session_id for event in stream.events if event.sent.body == "hello, bob"]
        self.assertEqual(hello.count(self.alice), 1)

    def test_a_repeated_request_id_sends_nothing_twice(self):
        stream = self.daemon.messages(self.alice).wait_open()
        first = self.send(self.alice, "c1", "once", request_id="r1", ensure_participant=True)
        self.assertEqual(
            self.send(self.alice, "c1", "once", request_id="r1", ensure_participant=True), first)
        expect_error(self, "INVALID_ARGUMENT", "REQUEST_ID_REUSED",
                     lambda: self.send(self.alice, "c1", "twice", request_id="r1",
                                       ensure_participant=True))
        last = self.send(self.alice, "c1", "the end")
        stream.wait_body("the end")
        self.assertEqual([message.id for message in stream.sent()], [first, last])

    def test_what_talkjs_refuses_has_a_reason(self):
        expect_error(self, "NOT_FOUND", "CONVERSATION_NOT_FOUND",
                     lambda: self.send(self.alice, "nowhere", "x"))
        self.send(self.alice, "hers", "x", ensure_participant=True)
        expect_error(self, "PERMISSION_DENIED", "NOT_A_PARTICIPANT",
                     lambda: self.send(self.bob, "hers", "x"))
        read = self.daemon.client.conversations.MarkConversationRead
        expect_error(self, "NOT_FOUND", "CONVERSATION_NOT_FOUND", read,
                     pb.MarkConversationReadRequest(session_id=self.alice, conversation_id="nowhere"))
        expect_error(self, "PERMISSION_DENIED", "NOT_A_PARTICIPANT", read,
                     pb.MarkConversationReadRequest(session_id=self.bob, conversation_id="hers"))

    def test_edits_and_deletions_are_streamed_to_who_asks(self):
        carol = TalkjsUser(self, self.daemon.emulator_host, "carol").create()
        carol.conversation("c1", "alice")
        kinds = [pb.MESSAGE_EVENT_KIND_SENT, pb.MESSAGE_EVENT_KIND_EDITED,
                 pb.MESSAGE_EVENT_KIND_DELETED]
        all_kinds = self.daemon.messages(self.alice, kinds=kinds).wait_open()
        only_sent = self.daemon.messages(self.alice).wait_open()
        first = carol.send("c1", "first")
        second = carol.send("c1", "second")
        all_kinds.wait_count(2)
        for message, text in ((second, "second, better"), (first, "first, better")):
            carol.call("PATCH", f"/conversations/c1/messages/{message}",
                       {"content": [{"type": "text", "children": [text]}]})
        carol.call("DELETE", f"/conversations/c1/messages/{second}")
        all_kinds.wait(lambda: len(all_kinds.events) >= 5, "five events")
        found = [(event.WhichOneof("payload"),
                  event.deleted.message_id or event.edited.id or event.sent.id,
                  event.edited.body) for event in all_kinds.events]
        # What happened to one message comes in its order. (Between messages an edit may come later: all of the message
        # is read from TalkJS first.)
        self.assertEqual([entry for entry in found if entry[1] == first],
                         [("sent", first, ""), ("edited", first, "first, better")])
        self.assertEqual([entry for entry in found if entry[1] == second],
                         [("sent", second, ""), ("edited", second, "second, better"),
                          ("deleted", second, "")])
        for event in all_kinds.events:
            if event.WhichOneof("payload") == "edited":
                self.assertTrue(event.edited.HasField("edit_time"))
        carol.send("c1", "third")
        self.assertEqual(only_sent.wait_count(3)[2].body, "third")
        self.assertEqual(len(only_sent.events), 3)

    def test_streams_resume_from_a_cursor_and_filter(self):
        stream = self.daemon.messages().wait_open()
        for number in range(20):
            self.send(self.alice, f"c{number % 2}", str(number), ensure_participant=True)
        self.assertEqual([int(body) for body in [m.body for m in stream.wait_count(20)]],
                         list(range(20)))
        cursors = [event.cursor for event in stream.events]
        self.assertEqual({len(cursor) for cursor in cursors}, {17})
        self.assertEqual(len(set(cursors)), 20)
        resumed = self.daemon.messages(cursor=cursors[4])
        resumed.wait_count(15)
        resumed.wait(lambda: resumed.caught_up, "caught up")
        self.assertEqual([event.cursor for event in resumed.events], cursors[5:])
        earliest = self.daemon.messages(self.alice, earliest=pb.StartEarliest(),
                                        conversation_ids=["c1"])
        self.assertEqual([int(m.body) for m in earliest.wait_count(10)], list(range(1, 20, 2)))
        not_mine = self.daemon.messages(self.alice, earliest=pb.StartEarliest(), exclude_by_me=True)
        not_mine.wait(lambda: not_mine.caught_up, "caught up")
        self.assertEqual(not_mine.events, [])
        error = self.daemon.messages(cursor=b"x" * 17).wait_end()
        self.assertEqual((error.code.name, error.reason), ("INVALID_ARGUMENT", "CURSOR_MALFORMED"))
        unknown = cursors[0][:1] + bytes(16)
        error = self.daemon.messages(cursor=unknown).wait_end()
        self.assertEqual((error.code.name, error.reason), ("OUT_OF_RANGE", "JOURNAL_LOST"))
        going_on = self.daemon.messages(cursor=unknown, on_gap=pb.ON_GAP_CONTINUE)
        self.assertEqual(len(going_on.wait_count(20)), 20)


class Serving(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()

    def test_info(self):
        info = self.daemon.client.daemon.GetInfo(pb.GetInfoRequest())
        self.assertRegex(info.version, r"^\d+\.\d+")
        self.assertEqual(pb.UpstreamMode.Name(info.upstream.mode), "UPSTREAM_MODE_EMULATOR")
        self.assertEqual(info.upstream.host, self.daemon.emulator_host)
        self.assertEqual(info.limits.message_subscriptions_per_session, 30)
        self.assertEqual(info.limits.max_events_per_response, 256)
        self.assertEqual(info.limits.max_bytes_per_response, 64 * 1024)
        self.assertEqual(pb.JournalState.Name(info.journal.state), "JOURNAL_STATE_OK")
        self.assertEqual(len(info.epoch), 8)

    def test_health_and_reflection(self):
        channel = harness.make_channel(self.daemon.address)
        self.addCleanup(channel.close)
        # Both by hand: their stubs are not packaged. Check of "": SERVING (1).
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        self.assertEqual(check(b"", timeout=harness.PATIENCE), b"\x08\x01")
        # ServerReflectionRequest.list_services = "*".
        reflect = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        answer = next(reflect(iter([b"\x3a\x01*"]), timeout=harness.PATIENCE))
        for service in ("Session", "User", "Conversation", "Message", "Event", "Daemon"):
            self.assertIn(f"talkjs.sidecar.v1.{service}Service".encode(), answer)

    def test_metrics(self):
        session_id = self.daemon.connect("alice")
        stream = self.daemon.messages(session_id).wait_open()
        for number in range(3):
            self.daemon.client.send(session_id, "c1", str(number), ensure_participant=True)
        stream.wait_count(3)
        self.assertEqual(self.daemon.metric('talkjsd_sessions{state="connected"}'), 1)
        self.assertEqual(self.daemon.metric('talkjsd_sessions{state="failed"}'), 0)
        for direction in ("received", "sent"):
            self.assertGreater(
                self.daemon.metric(f'talkjsd_upstream_frames_total{{direction="{direction}"}}'), 3)
        self.assertEqual(self.daemon.metric('talkjsd_journal_events_total{kind="sent"}'), 3)
        self.assertGreater(
            self.daemon.metric('talkjsd_journal_events_total{kind="session_state"}'), 0)
        self.assertEqual(self.daemon.metric('talkjsd_streams{kind="messages"}'), 1)
        # OnWriteDone may come after the client has read the batch.
        harness.wait_until(
            lambda: self.daemon.metric("talkjsd_stream_write_seconds_count") >= 1 and
            self.daemon.metric("talkjsd_events_delivered_total") == 3, "writes in the histogram")
        self.assertIn('talkjsd_stream_write_seconds_bucket{le="+Inf"}', self.daemon.metrics())
        url = f"http://127.0.0.1:{self.daemon.metrics_port}"
        with urllib.request.urlopen(url + "/healthz", timeout=harness.PATIENCE) as answer:
            self.assertEqual(answer.status, 200)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url + "/nothing", timeout=harness.PATIENCE)
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()


if __name__ == "__main__":
    harness.main()
