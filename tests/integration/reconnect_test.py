"""Connections cut in every way, through a proxy: what was missed arrives once, marked as recovered."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import harness
from harness import pb, token
from proxy import Proxy
from talkjs_user import TalkjsUser

# A first retry comes 5-15 s after the loss; then the login has to be paid for, too.
RECONNECT = 60.0


class Chat:
    """A session behind the proxy, its streams, and somebody who writes to it past the daemon."""

    def __init__(self, case, user, **credentials):
        self.case, self.user, self.daemon, self.proxy = case, user, case.daemon, case.proxy
        self.rules = self.proxy.rules(user)
        self.known, self.other = f"known-{user}", f"other-{user}"
        self.id = self.daemon.connect(user, **credentials)
        self.peer = TalkjsUser(case, case.emulator.host, f"peer-of-{user}").create()
        for conversation in (self.known, self.other):
            self.peer.conversation(conversation, user)
        self.stream = self.daemon.messages(self.id, kinds=[
            pb.MESSAGE_EVENT_KIND_SENT, pb.MESSAGE_EVENT_KIND_EDITED]).wait_open()
        self.unreads = self.daemon.unreads(self.id)
        self.peer.send(self.known, "before")
        self.stream.wait_body("before")
        self.unreads.wait_counts({self.known: 1})
        self.missed = []

    def link(self):
        return self.proxy.link(self.user)

    def write_meanwhile(self):
        """In a followed conversation, in one with no news so far, and in a new one."""
        new = f"new-{self.user}"
        for number in range(5):
            self.peer.send(self.known, f"missed {number}")
        self.peer.send(self.other, "missed in the other")
        self.peer.conversation(new, self.user)
        self.peer.send(new, "missed in the new one")
        self.missed = [f"missed {number}" for number in range(5)] + [
            "missed in the other", "missed in the new one"]

    def check_recovered(self):
        """After the session has come back: everything, once, and live again."""
        self.daemon.wait_state(self.id, "CONNECTED", timeout=RECONNECT)
        self.stream.wait(lambda: set(self.missed) <= set(self.stream.bodies()), "what was missed",
                         RECONNECT)
        self.peer.send(self.known, "after")
        self.stream.wait_body("after")
        case, conversations = self.case, {}
        for event in self.stream.events:
            if event.WhichOneof("payload") == "sent":
                conversations.setdefault(event.sent.conversation.id, []).append(event)
        for name, events in conversations.items():
            case.assertEqual([event.sent.id for event in events],
                             [message["id"] for message in self.peer.messages(name)], name)
        for event in self.stream.events:
            if event.WhichOneof("payload") == "sent":
                case.assertEqual(event.recovered, event.sent.body in self.missed, event.sent.body)
                case.assertEqual(event.sent.sender.id, self.peer.user)
        gaps = [event.gap.reason for event in self.stream.events
                if event.WhichOneof("payload") == "gap"]
        case.assertIn(pb.GAP_REASON_UPSTREAM_UNCERTAIN, gaps)
        self.unreads.wait_counts({self.known: 7, self.other: 1, f"new-{self.user}": 1})


class Reconnect(harness.Case):

    def setUp(self):
        super().setUp()
        self.emulator = self.start_emulator()
        self.proxy = Proxy(self, self.emulator.host)
        self.daemon = self.start_daemon(upstream=self.proxy.host)

    def test_interruptions(self):
        """All at the same time: most of it is waiting for the first retry."""
        scenarios = [self.reset, self.closed, self.half_open, self.expired, self.refused_call,
                     self.announced, self.new_token, self.login_in_trouble]
        with ThreadPoolExecutor(len(scenarios)) as pool:
            running = {scenario.__name__: pool.submit(scenario) for scenario in scenarios}
            for name, result in running.items():
                with self.subTest(name):
                    result.result()
        recovered = self.daemon.metric("talkjsd_recovered_messages_total")
        self.assertGreaterEqual(recovered, 7)

    def cut(self, chat, how):
        chat.rules.refuse = True
        how(chat.link())
        self.daemon.wait_state(chat.id, "RECONNECTING", reason="UPSTREAM_UNAVAILABLE")
        chat.unreads.wait_counts({chat.known: 1}, stale=True)
        chat.write_meanwhile()
        chat.rules.refuse = False
        chat.check_recovered()
        self.assertGreaterEqual(self.retry_delay(chat), 4.9)

    def retry_delay(self, chat):
        """From the end of the first socket until the next one."""
        first, second = chat.proxy.links_of(chat.user)[:2]
        return second.log[0][0] - first.closed_at

    def reset(self):
        self.cut(Chat(self, "reset"), lambda link: link.reset())

    def closed(self):
        self.cut(Chat(self, "closed"), lambda link: link.close())

    def half_open(self):
        """Pings every 10 s while nothing else is said; 5 s without an answer end the connection."""
        chat = Chat(self, "half-open")
        link = chat.link()

        def pings():
            return [moment for moment, way, frame in list(link.log)
                    if way == "c2s" and frame[1:3] == ["GET", "/ping"]]
        harness.wait_until(pings, "a ping", 20)
        spoken = [moment for moment, way, _ in list(link.log) if way == "s2c" and moment < pings()[0]]
        self.assertGreater(pings()[0] - spoken[-1], 8.5)
        self.assertLess(pings()[0] - spoken[-1], 12.0)
        # Its answer must have arrived, or the silence began earlier.
        harness.wait_until(lambda: link.log[-1][1] == "s2c", "an answer to the ping")
        silent = link.log[-1][0]
        link.stall()
        chat.write_meanwhile()
        harness.wait_until(lambda: link.closed_at, "the daemon gives up", 30)
        self.assertEqual(len(pings()), 2)
        self.assertGreater(link.closed_at - silent, 13.5)
        self.assertLess(link.closed_at - silent, 18.0)
        self.assertGreater(link.closed_at - pings()[1], 4.5)
        self.assertLess(link.closed_at - pings()[1], 7.0)
        chat.unreads.wait_counts({chat.known: 1}, stale=True)
        chat.check_recovered()

    def expired(self):
        """session.expired on a live socket: the server has dropped the subscriptions."""
        chat = Chat(self, "expired")
        link = chat.link()
        deaf = DeafServer(chat.rules)
        chat.write_meanwhile()
        logins = self.logins(link)
        link.send_text(json.dumps([deaf.next_number(link), "PUBLISH", {"type": "session.expired"}]))
        harness.wait_until(lambda: self.logins(link) > logins, "a new login")
        chat.check_recovered()
        self.assertIs(chat.link(), link, "the socket was not kept")

    def logins(self, link):
        return sum(frame[1:3] == ["POST", "/session/renew"] for frame in link.frames("c2s"))

    def refused_call(self):
        """A call answered with 401: log in again, and repeat it."""
        chat = Chat(self, "refused-call")
        link = chat.link()
        deaf = DeafServer(chat.rules, refuse=f"/conversations/{chat.known}/messages")
        chat.write_meanwhile()
        logins = self.logins(link)
        sent = self.daemon.client.send(chat.id, chat.known, "missed by me")
        self.assertTrue(deaf.refused)
        self.assertEqual(self.logins(link), logins + 1)
        chat.stream.wait_body("missed by me")
        found = [message["id"] for message in chat.peer.messages(chat.known)]
        self.assertEqual(found.count(sent), 1)
        self.daemon.wait_state(chat.id, "CONNECTED")
        chat.stream.wait(lambda: set(chat.missed) <= set(chat.stream.bodies()), "what was missed")
        got = [message.id for message in chat.stream.sent()
               if message.conversation.id == chat.known]
        self.assertEqual(got, found)
        self.assertIs(chat.link(), link, "the socket was not kept")

    def announced(self):
        """upstream.restarting promises that nothing is lost: subscribe again, read nothing again."""
        chat = Chat(self, "announced")
        link = chat.link()
        link.send_text(json.dumps([DeafServer(chat.rules, deaf=False).next_number(link), "PUBLISH",
                                   {"type": "upstream.restarting"}]))
        link.reset()
        harness.wait_until(lambda: link.closed_at, "the cut")
        self.daemon.wait_state(chat.id, "CONNECTED", timeout=RECONNECT)
        second = chat.link()
        self.assertIsNot(second, link)
        chat.peer.send(chat.known, "after")
        self.assertFalse(chat.stream.wait_body("after").recovered)
        asked = [frame[2] for frame in second.frames("c2s") if frame[1] == "GET"]
        self.assertNotIn("/me/conversations", asked)
        self.assertEqual(chat.stream.bodies(), ["before", "after"])
        self.assertEqual([event for event in chat.stream.events
                          if event.WhichOneof("payload") == "gap"], [])

    def new_token(self):
        """A token that TalkJS takes no more: the session waits for another one, and misses nothing."""
        chat = Chat(self, "new-token", key=None, token=token("new-token"))

        def to_client(frame):
            return [[frame[0], 401, {"errorCode": "UNAUTHORIZED", "reasons": ["revoked"]}]
                    if frame[1] == 200 and "expiresInSeconds" in frame[2] else frame]
        chat.rules.to_client = to_client
        chat.link().reset()
        session = self.daemon.wait_state(chat.id, "WAITING_FOR_TOKEN", timeout=RECONNECT,
                                         reason="TOKEN_REFUSED")
        self.assertIn("SetToken", session.reason_message)
        harness.expect_error(self, "FAILED_PRECONDITION", "TOKEN_REFUSED",
                             lambda: self.daemon.client.send(chat.id, chat.known, "x"))
        chat.write_meanwhile()
        chat.rules.to_client = None
        again = self.daemon.create("new-token", token=token("new-token", n=2))
        self.assertFalse(again.created)
        chat.check_recovered()

    def login_in_trouble(self):
        """503 for a login: tried again with a pause, and nothing is lost by it."""
        chat = Chat(self, "login-in-trouble")
        left = [1]

        def to_client(frame):
            if frame[1] == 200 and "expiresInSeconds" in frame[2] and left[0] > 0:
                left[0] -= 1
                return [[frame[0], 503, {"errorCode": "OVERLOADED", "reasons": []}]]
            return [frame]
        chat.rules.to_client = to_client
        chat.link().reset()
        harness.wait_until(lambda: left[0] == 0, "the refusal", RECONNECT)
        chat.write_meanwhile()
        chat.check_recovered()


class DeafServer:
    """Rules for a server that has dropped a socket's subscriptions until the next login, and whose publish numbers
    leave room for one of ours."""

    def __init__(self, rules, refuse=None, deaf=True):
        self._deaf, self._refuse = deaf, refuse
        self._lock = threading.Lock()
        self._to_refuse = None
        self.refused = False
        rules.to_server, rules.to_client = self._to_server, self._to_client

    def next_number(self, link):
        return max([frame[0] for frame in link.frames("s2c") if frame[1] == "PUBLISH"],
                   default=0) + 1

    def _to_server(self, frame):
        with self._lock:
            if frame[1:3] == ["POST", "/session/renew"]:
                self._deaf = False
            elif self._refuse is not None and frame[1:3] == ["POST", self._refuse]:
                self._to_refuse, self._refuse = frame[0], None
        return [frame]

    def _to_client(self, frame):
        with self._lock:
            if frame[1] == "PUBLISH":
                return [] if self._deaf else [[frame[0] + 1, *frame[1:]]]
            if frame[0] == self._to_refuse:
                self._to_refuse, self.refused = None, True
                return [[frame[0], 401, {"errorCode": "UNAUTHORIZED", "reasons": ["expired"]}]]
            return [frame]


if __name__ == "__main__":
    harness.main()
