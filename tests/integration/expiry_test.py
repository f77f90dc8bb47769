"""TalkJS ends the login, or answers 401, again and again while messages flow: nothing is lost, nothing comes twice.

$TALKJSD_EXPIRY_SECONDS: how long each of them goes on, 10 to 3,600; default 20. What happened is said at the end.
"""

import itertools
import os
import sys
import threading
import time

import harness
from emulator_api import EmulatorApi
from harness import pb, token
from talkjs_user import TalkjsUser
from token_server import TokenServer

SECONDS = min(max(float(os.environ.get("TALKJSD_EXPIRY_SECONDS", "20")), 10), 3600)


class Expiry(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.emulator = EmulatorApi(self.daemon.emulator_host)
        self.server = TokenServer(self)
        self.bob = TalkjsUser(self, self.daemon.emulator_host, "bob").create()

    def flow(self, session_id, disturb):
        """Bob writes 20 messages a second, Alice answers through the daemon; disturb() is called every second."""
        self.bob.conversation("c", "alice")
        stream = self.daemon.messages(session_id).wait_open()
        expected, errors = [], []
        stop = threading.Event()

        def write():
            number = 0
            while not stop.is_set():
                expected.append(self.bob.send("c", f"from bob {number}"))
                number += 1
                time.sleep(0.05)

        def answer():
            number = 0
            while not stop.is_set():
                try:
                    expected.append(self.daemon.client.send(
                        session_id, "c", f"from alice {number}", request_id=f"r{number}"))
                    number += 1
                except Exception as error:  # pylint: disable=broad-except
                    errors.append(error)
                    return
                time.sleep(0.2)
        threads = [threading.Thread(target=write), threading.Thread(target=answer)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            disturb()
            time.sleep(1)
        refreshed = self.daemon.metric("talkjsd_token_refreshes_total")
        stop.set()
        for thread in threads:
            thread.join(harness.PATIENCE * 2)
            self.assertFalse(thread.is_alive())
        self.assertEqual(errors, [])
        self.emulator.control("DELETE", "faults")
        stream.wait_count(len(expected), timeout=60)
        last = self.bob.send("c", "the end")
        stream.wait_body("the end", timeout=60)
        got = [message.id for message in stream.sent()]
        self.assertEqual(len(got), len(set(got)), "a message came twice")
        self.assertEqual(set(got), {*expected, last})
        self.assertGreater(len(expected), SECONDS * 4)
        # The back-off between the logins is 5 s at most.
        self.assertGreater(refreshed, SECONDS / 10)
        self.daemon.wait_state(session_id, "CONNECTED")
        self.say(len(got))

    def connect_with_fetcher(self):
        fetcher = pb.TokenFetcher(http=pb.HttpTokenSource(url=self.server.url))
        made = self.daemon.create("alice", name="Alice", token_fetcher=fetcher)
        self.daemon.wait_state(made.session.session_id, "CONNECTED")
        return made.session.session_id

    def test_logins_that_talkjs_ends(self):
        session_id = self.connect_with_fetcher()
        self.flow(session_id, lambda: self.emulator.control("POST", "connections/expire",
                                                            {"user": "alice"}))
        self.assertGreater(self.server.count("alice"), 3)

    def test_calls_that_are_answered_401(self):
        session_id = self.connect_with_fetcher()
        seconds = itertools.count()

        def refuse_one():
            # Logins that end all the time are up to 5 s apart: no more faults than can be got over.
            if next(seconds) % 6 == 0:
                self.emulator.fault(on="request", user="alice", path="/conversations/**",
                                    action="status", status=401, times=1)
        self.flow(session_id, refuse_one)
        self.assertGreater(self.server.count("alice"), 3)

    def test_an_endpoint_that_fails_now_and_then_as_well(self):
        session_id = self.connect_with_fetcher()
        calls = []

        def now_and_then(request):
            calls.append(1)
            if len(calls) % 3 == 0:
                request["reply"]("", 500)
            else:
                request["reply"](token("alice"))
        self.server.answers["alice"] = now_and_then
        # Every session of the app: the endpoint's trouble is no failure of a call that waits.
        self.flow_without_answers(session_id)

    def flow_without_answers(self, session_id):
        self.bob.conversation("c", "alice")
        stream = self.daemon.messages(session_id).wait_open()
        expected = []
        deadline = time.monotonic() + SECONDS
        disturbed_at = 0.0
        while time.monotonic() < deadline:
            expected.append(self.bob.send("c", str(len(expected))))
            if time.monotonic() > disturbed_at + 1:
                disturbed_at = time.monotonic()
                self.emulator.control("POST", "connections/expire", {"user": "alice"})
            time.sleep(0.05)
        stream.wait_count(len(expected), timeout=90)
        got = [message.id for message in stream.sent()]
        self.assertEqual(len(got), len(set(got)), "a message came twice")
        self.assertEqual(set(got), set(expected))
        self.say(len(got))

    def say(self, messages):
        print(f"{self.id().rpartition('.')[2]}: {SECONDS:g} s, {messages} messages, each once; "
              f"tokens fetched {self.server.count('alice')}, "
              f"refreshes {self.daemon.metric('talkjsd_token_refreshes_total'):g}, "
              f"connects {self.daemon.metric('talkjsd_upstream_connects_total'):g}, "
              f"recovered {self.daemon.metric('talkjsd_recovered_messages_total'):g}",
              file=sys.stderr)


if __name__ == "__main__":
    harness.main()
