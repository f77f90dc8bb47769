"""Tokens from local clients on ProvideTokens: several sessions on one stream, takeover, time-outs, talkjsctl."""

import os
import queue
import threading
import time

import grpc
import harness
import talkjsd
from harness import pb, token


class Provider:
    """A client on ProvideTokens whose answers the test gives."""

    def __init__(self, daemon, name="p", sessions=()):
        from talkjs.sidecar.v1 import session_service_pb2_grpc
        self._out = queue.Queue()
        self._channel = harness.make_channel(daemon.address)
        self.queries = queue.Queue()
        self.withdrawn = queue.Queue()
        self.rejections = queue.Queue()
        self.registered = threading.Event()
        self.ended = threading.Event()
        self.error = None
        registration = pb.TokenRegistration(provider_name=name, session_ids=sessions)
        self._out.put(pb.ProvideTokensRequest(registration=registration))
        self._call = session_service_pb2_grpc.SessionServiceStub(self._channel).ProvideTokens(
            iter(self._out.get, None), wait_for_ready=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        daemon.case.addCleanup(self.close)

    def _read(self):
        try:
            for response in self._call:
                if response.HasField("registered"):
                    self.registered.set()
                for query in response.queries:
                    self.queries.put(query)
                for query_id in response.withdrawn_query_ids:
                    self.withdrawn.put(query_id)
                for rejection in response.rejections:
                    self.rejections.put(rejection)
        except grpc.RpcError as error:
            self.error = talkjsd.Error.from_rpc(error)
        self.ended.set()

    def ready(self):
        assert self.registered.wait(harness.PATIENCE)
        return self

    def query(self):
        return self.queries.get(timeout=harness.PATIENCE)

    def answer(self, query, text=None):
        self._out.put(pb.ProvideTokensRequest(answer=pb.TokenAnswer(
            query_id=query.query_id, token=token(query.user_id) if text is None else text)))

    def fail(self, query, why):
        self._out.put(pb.ProvideTokensRequest(
            answer=pb.TokenAnswer(query_id=query.query_id, failure=why)))

    def leave(self):
        """Half-closes, as a client does that ends in order."""
        self._out.put(None)
        assert self.ended.wait(harness.PATIENCE)

    def close(self):
        self._out.put(None)
        self._call.cancel()
        self._thread.join(harness.PATIENCE)
        self._channel.close()


class Providing(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()

    def create(self, user, name="p"):
        fetcher = pb.TokenFetcher(provider=pb.ProviderTokenSource(provider_name=name))
        made = self.daemon.create(user, name=user.capitalize(), token_fetcher=fetcher)
        return made.session.session_id

    def reason(self, session_id, reason):
        return self.daemon.wait_state(session_id, "WAITING_FOR_TOKEN", reason=reason)

    def test_one_stream_serves_several_sessions(self):
        ids = {user: self.create(user) for user in ("alice", "bob")}
        other = self.create("carol", "another name")
        for session_id in (*ids.values(), other):
            self.reason(session_id, "TOKEN_PROVIDER_ABSENT")
        provider = Provider(self.daemon).ready()
        asked = {}
        while len(asked) < 2:
            query = provider.query()
            self.assertEqual((query.app_id, query.session_id), ("demo", ids[query.user_id]))
            self.assertGreater(query.deadline_time.seconds, time.time())
            asked[query.user_id] = query
        provider.answer(asked["bob"])
        self.daemon.wait_state(ids["bob"], "CONNECTED", timeout=10)
        provider.answer(asked["alice"])
        self.daemon.wait_state(ids["alice"], "CONNECTED", timeout=10)
        self.reason(other, "TOKEN_PROVIDER_ABSENT")
        late = self.create("dave")
        query = provider.query()
        self.assertEqual(query.session_id, late)
        self.assertEqual(query.cause, pb.TOKEN_QUERY_CAUSE_FIRST)
        # What is of no use is said to both sides.
        provider.answer(query, token("somebody"))
        self.assertEqual(provider.rejections.get(timeout=harness.PATIENCE).reason,
                         pb.ERROR_REASON_TOKEN_WRONG_USER)
        self.reason(late, "TOKEN_WRONG_USER")
        provider.fail(provider.query(), "the vault is sealed")
        self.assertIn("the vault is sealed",
                      self.reason(late, "TOKEN_PROVIDER_FAILED").reason_message)
        provider.answer(provider.query(), token("dave", key="sk_wrong"))
        query = provider.query()
        self.assertEqual(query.cause, pb.TOKEN_QUERY_CAUSE_REFUSED)
        self.assertEqual(provider.rejections.get(timeout=harness.PATIENCE).reason,
                         pb.ERROR_REASON_TOKEN_REFUSED)
        provider.answer(query)
        self.daemon.wait_state(late, "CONNECTED")

    def test_another_provider_takes_over(self):
        first = Provider(self.daemon).ready()
        second = Provider(self.daemon).ready()
        alice = self.create("alice")
        first.query()
        first.leave()
        self.assertIsNone(first.error)
        query = second.query()
        second.answer(query)
        self.daemon.wait_state(alice, "CONNECTED")
        # One that dies without a word is no better.
        third = Provider(self.daemon).ready()
        bob = self.create("bob")
        second.query()
        second.close()
        third.answer(third.query())
        self.daemon.wait_state(bob, "CONNECTED")

    def test_a_provider_that_does_not_answer_is_passed_over(self):
        slow = Provider(self.daemon).ready()
        quick = Provider(self.daemon).ready()
        alice = self.create("alice")
        query = slow.query()
        taken_over = quick.query()
        self.assertEqual(slow.withdrawn.get(timeout=harness.PATIENCE), query.query_id)
        slow.answer(query)  # too late: ignored
        quick.fail(taken_over, "not today")
        self.reason(alice, "TOKEN_PROVIDER_FAILED")
        quick.close()
        # Alone, its silence is the reason.
        self.daemon.wait_state(alice, "WAITING_FOR_TOKEN", reason="TOKEN_FETCH_TIMEOUT", timeout=40)
        slow.answer(slow_query(slow, query))
        self.daemon.wait_state(alice, "CONNECTED", timeout=40)

    def test_the_daemon_ends_it_when_it_drains(self):
        provider = Provider(self.daemon).ready()
        self.daemon.process.may_end = True
        self.daemon.process.stop()
        self.assertTrue(provider.ended.wait(harness.PATIENCE))
        self.assertEqual((provider.error.code.name, provider.error.reason),
                         ("UNAVAILABLE", "DRAINING"))

    def test_talkjsctl_runs_a_command_for_each_token(self):
        tokens = {}
        for user in ("alice", "bob"):
            tokens[user] = os.path.join(self.directory, user)
            with open(tokens[user], "w", encoding="utf-8") as file:
                file.write(token(user) + "\n")
        provide = self.spawn("provide", [
            os.path.join(harness.BIN, "talkjsctl"), "--address", self.daemon.address, "-v", "token",
            "provide", "--name", "p", "--", "sh", "-c",
            f'test "$TALKJSD_TOKEN_CAUSE" = FIRST && cat "{self.directory}/$TALKJS_USER_ID"'])
        harness.wait_until(lambda: "registered" in provide.log(), "talkjsctl has registered")
        for user in tokens:
            self.daemon.wait_state(self.create(user), "CONNECTED")
        session = self.reason(self.create("nobody"), "TOKEN_PROVIDER_FAILED")
        self.assertIn("ended with code 1", session.reason_message)
        for shown in (provide.log(), provide.output()):
            self.assertNotIn(token("alice").split(".")[1], shown)


def slow_query(provider, former):
    """The newest query that is not the former one and was not withdrawn."""
    query = provider.query()
    while query.query_id == former.query_id or query.deadline_time.seconds <= time.time() + 1:
        query = provider.query()
    return query


if __name__ == "__main__":
    harness.main()
