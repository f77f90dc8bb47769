"""Messages: sent with everything, listed in pages, and streamed with every field."""

import json

import ctl
import harness
from harness import expect_error, pb
from proxy import Proxy
from rest_api import RestApi
from talkjs_user import TalkjsUser


class Messages(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.calls = self.daemon.client.message_service
        self.host = self.daemon.emulator_host
        self.rest = RestApi(self.host)
        self.alice = self.daemon.connect("alice")
        self.bob = self.daemon.connect("bob")
        self.daemon.client.conversations.GetConversation(pb.GetConversationRequest(
            session_id=self.alice, conversation_id="c", participants=[pb.Participant(user_id="bob")],
            attributes=pb.ConversationAttributes(subject="s", custom=pb.CustomUpdate(values={"a": "b"}))))

    def send(self, session_id=None, conversation_id="c", **fields):
        return self.calls.SendMessage(pb.SendMessageRequest(
            session_id=session_id or self.alice, conversation_id=conversation_id, **fields)).message_id

    def list(self, session_id=None, conversation_id="c", **fields):
        return self.calls.ListMessages(pb.ListMessagesRequest(
            session_id=session_id or self.bob, conversation_id=conversation_id, **fields))

    def content(self, message_id):
        """As TalkJS has it."""
        user = TalkjsUser(self, self.host, "bob")
        return user.call("GET", f"/me/conversations/c/messages/{message_id}")["content"]

    def test_text_is_sent_with_talkjs_markup(self):
        sent = {
            "plain": ["plain"],
            "*a _b_ c*": [{"type": "bold", "children": ["a ", {"type": "italic", "children": ["b"]},
                                                        " c"]}],
            "a*b*c": ["a*b*c"],
            "see talkjs.com": ["see ", {"type": "autoLink", "url": "http://talkjs.com",
                                        "text": "talkjs.com"}],
            "intro\n- one\n- two": ["intro", {"type": "bulletList", "children": [
                {"type": "bulletPoint", "children": ["one"]},
                {"type": "bulletPoint", "children": ["two"]}]}],
            "hi <!!mention:bob|Bob>": ["hi ", {"type": "mention", "id": "bob", "text": "Bob"}],
            # Links with a text of their own are not for users: they stay as they are.
            "<https://x.example|x>": None,
        }
        for text, children in sent.items():
            with self.subTest(text):
                content = self.content(self.send(text=text))
                if children is not None:
                    self.assertEqual(content, [{"type": "text", "children": children}])
                else:
                    self.assertNotIn('"type": "link"', str(content))

    def test_everything_that_is_sent_arrives_and_is_streamed(self):
        stream = self.daemon.messages(self.bob).wait_open()
        first = self.send(text="*first*", custom={"k": "v", "empty": ""})
        reply = self.send(text="second", referenced_message_id=first)
        place = self.send(location=pb.Location(latitude=51.5, longitude=-3.25))
        token = self.rest.upload("cat.png", b"not really a cat", subtype="image", width="640",
                                 height="480")
        picture = self.send(file_token=token)
        messages = {message.id: message for message in stream.wait_count(4)}
        message = messages[first]
        self.assertEqual((message.body, message.type), ("first", pb.MESSAGE_TYPE_TEXT))
        self.assertEqual(dict(message.custom), {"k": "v", "empty": ""})
        self.assertEqual((message.sender_id, message.sender.name, message.is_by_me),
                         ("alice", "Alice", False))
        self.assertEqual((message.conversation.id, message.conversation.subject,
                          dict(message.conversation.custom)), ("c", "s", {"a": "b"}))
        self.assertEqual((message.origin, message.read), ("rest", False))
        self.assertEqual(message.message_kind, pb.MESSAGE_KIND_USER)
        self.assertTrue(message.HasField("create_time"))
        self.assertFalse(message.HasField("edit_time") or message.HasField("attachment"))
        self.assertEqual(message.content[0].text.children[0].bold.children[0].text, "first")
        self.assertEqual(messages[reply].referenced_message_id, first)
        message = messages[place]
        self.assertEqual(message.type, pb.MESSAGE_TYPE_LOCATION)
        self.assertEqual((message.location.latitude, message.location.longitude), (51.5, -3.25))
        self.assertEqual(message.content[0].location, message.location)
        message = messages[picture]
        self.assertEqual(message.type, pb.MESSAGE_TYPE_MEDIA)
        self.assertEqual(message.attachment.size_bytes, 16)
        self.assertTrue(message.attachment.url.startswith("http"))
        block = message.content[0].file
        self.assertEqual((block.subtype, block.filename, block.width, block.height, block.url),
                         ("image", "cat.png", 640, 480, message.attachment.url))
        # As TalkJS has them.
        self.assertEqual(self.rest.message("c", first)["custom"], {"k": "v", "empty": ""})
        self.assertEqual(self.rest.message("c", reply)["referencedMessageId"], first)
        self.assertEqual(self.rest.message("c", place)["location"], [51.5, -3.25])
        self.assertEqual(self.rest.message("c", picture)["attachment"]["size"], 16)
        # And as its SDK shows the conversation.
        view = harness.Sdk(self, self.host, ["bob"]).ask("view", user="bob", complete=1)["list"][0]
        self.assertEqual((view["lastMessageId"], view["unreadMessageCount"]), (picture, 4))
        # A file that was received can be sent again.
        again = self.send(self.bob, file_token=block.file_token)
        self.assertEqual(self.rest.message("c", again)["attachment"]["size"], 16)

    def test_messages_of_servers_and_of_the_system_have_their_fields(self):
        stream = self.daemon.messages(self.alice).wait_open()
        unreads = self.daemon.unreads(self.alice)
        unreads.wait_counts({})
        self.rest.post("c", {"type": "UserMessage", "sender": "bob", "text": "by a server",
                             "custom": {"x": "y"}},
                       {"type": "SystemMessage", "text": "by *nobody*"})
        by_bob, by_nobody = stream.wait_count(2)[:2]
        self.assertEqual((by_bob.body, by_bob.sender_id, dict(by_bob.custom)),
                         ("by a server", "bob", {"x": "y"}))
        self.assertFalse(by_nobody.HasField("sender_id") or by_nobody.HasField("sender"))
        self.assertEqual(by_nobody.message_kind, pb.MESSAGE_KIND_SYSTEM)
        self.assertEqual((by_nobody.body, by_nobody.is_by_me), ("by nobody", False))
        last = unreads.wait_counts({"c": 2}).conversations[0]
        self.assertEqual(last.last_message.id, by_nobody.id)
        self.assertEqual(last.conversation.unread_message_count, 2)
        self.assertTrue(last.conversation.HasField("read_until_time"))
        # One who reads elsewhere has read here too, and what he reads is read for the other.
        TalkjsUser(self, self.host, "alice").call("POST", "/me/conversations/c/read")
        unreads.wait_counts({})
        mine = self.send(text="mine")
        self.assertFalse(self.list(self.alice).messages[0].read)
        TalkjsUser(self, self.host, "bob").call("POST", "/me/conversations/c/read")
        newest = self.list(self.alice).messages[0]
        self.assertEqual((newest.id, newest.read, newest.is_by_me), (mine, True, True))

    def test_lists_are_newest_first_in_pages_and_as_the_stream_has_them(self):
        stream = self.daemon.messages(self.bob).wait_open()
        sent = [self.send(text=f"m{number}") for number in range(65)]
        streamed = stream.wait_count(65)
        found, token, sizes = [], "", []
        while True:
            page = self.list(page_token=token)
            found += page.messages
            sizes.append(len(page.messages))
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(sizes, [30, 30, 5])
        self.assertEqual([message.id for message in found], sent[::-1])
        self.assertEqual(found[::-1], list(streamed))
        page = self.list(page_size=1000)
        self.assertEqual((len(page.messages), page.next_page_token), (65, ""))
        first = self.list(page_size=1)
        other = self.list(self.alice, page_size=1)
        self.assertNotEqual(first.next_page_token, other.next_page_token)
        for page_token in (other.next_page_token, "x", first.next_page_token[:-3]):
            expect_error(self, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID",
                         lambda: self.list(page_token=page_token))

    def test_lists_of_what_is_not_mine(self):
        expect_error(self, "NOT_FOUND", "CONVERSATION_NOT_FOUND",
                     lambda: self.list(conversation_id="none"))
        carol = self.daemon.connect("carol")
        expect_error(self, "PERMISSION_DENIED", "NOT_A_PARTICIPANT", lambda: self.list(carol))
        self.assertEqual(list(self.list().messages), [])

    def test_ensure_participant_creates_and_joins(self):
        sent = self.send(conversation_id="new", text="hi", ensure_participant=True)
        self.assertEqual(list(self.rest.conversation("new")["participants"]), ["alice"])
        self.send(self.bob, "new", text="hi too", ensure_participant=True)
        self.assertEqual(sorted(self.rest.conversation("new")["participants"]), ["alice", "bob"])
        self.assertEqual(self.rest.message("new", sent)["text"], "hi")

    def test_what_talkjs_refuses(self):
        expect_error(self, "NOT_FOUND", "CONVERSATION_NOT_FOUND",
                     lambda: self.send(conversation_id="none", text="x"))
        expect_error(self, "NOT_FOUND", "MESSAGE_NOT_FOUND",
                     lambda: self.send(text="x", referenced_message_id="msg_none"))
        self.daemon.client.conversations.GetConversation(pb.GetConversationRequest(
            session_id=self.alice, conversation_id="c",
            participants=[pb.Participant(user_id="bob", access=pb.ACCESS_READ)]))
        expect_error(self, "PERMISSION_DENIED", "PERMISSION_REFUSED",
                     lambda: self.send(self.bob, text="x"))

    def test_a_request_id_sends_once_whatever_happens_on_the_way(self):
        # The answer is lost with the connection: the daemon asks again with the same idempotency key.
        self.rest.fault("drop", on="answer", path="/conversations/*/messages", method="POST", times=1)
        first = self.daemon.client.message_service.SendMessage(pb.SendMessageRequest(
            session_id=self.alice, conversation_id="c", text="once", request_id="r"), timeout=60)
        again = self.send(text="once", request_id="r")
        self.assertEqual(again, first.message_id)
        self.assertEqual([m.body for m in self.list().messages], ["once"])
        expect_error(self, "INVALID_ARGUMENT", "REQUEST_ID_REUSED",
                     lambda: self.send(text="other", request_id="r"))
        # The id is unique in its session only.
        self.assertNotEqual(self.send(self.bob, text="once", request_id="r"), again)

    def test_bad_input_names_its_fields(self):
        table = [
            ("content", lambda: self.send()),
            ("text", lambda: self.send(text="")),
            ("text", lambda: self.send(text="x" * 10_001)),
            ("location.latitude", lambda: self.send(location=pb.Location(latitude=91))),
            ("location.longitude", lambda: self.send(location=pb.Location(longitude=float("nan")))),
            ("file_token", lambda: self.send(file_token="x" * 4097)),
            ("custom", lambda: self.send(text="x", custom={str(n): "" for n in range(257)})),
            ("referenced_message_id", lambda: self.send(text="x", referenced_message_id="")),
            ("request_id", lambda: self.send(text="x", request_id="x" * 129)),
            ("page_size", lambda: self.list(page_size=-1)),
            ("page_token", lambda: self.list(page_token="x" * 8193)),
        ]
        for field, call in table:
            with self.subTest(field):
                error = expect_error(self, "INVALID_ARGUMENT", "INVALID_FIELD", call)
                self.assertEqual([field for field, _ in error.field_violations], [field])
        self.assertEqual(list(self.list().messages), [])

    def test_a_request_that_is_too_large_for_talkjs_is_refused_here(self):
        error = expect_error(self, "INVALID_ARGUMENT", "INVALID_FIELD", lambda: self.send(
            text="x", custom={str(number): "x" * 10_000 for number in range(110)}))
        self.assertIn("1000000 bytes", error.message)
        self.send(text="x", custom={str(number): "x" * 10_000 for number in range(90)})
        self.assertEqual(len(self.list(page_size=1).messages[0].custom), 90)

    def test_talkjsctl_sends_and_lists(self):
        me = ("--session", "demo/alice", "--conversation", "c")
        first = ctl.lines(self, self.daemon, "message", "send", *me, "*hi*", "--custom", "k=v")[0]
        second = ctl.lines(self, self.daemon, "message", "send", *me, "--location", "51.5,-3.25",
                           "--reply-to", first["message_id"])[0]
        listed = ctl.lines(self, self.daemon, "message", "list", "--session", "demo/bob", "c")
        self.assertEqual([message["id"] for message in listed],
                         [second["message_id"], first["message_id"]])
        self.assertEqual(listed[1]["custom"], {"k": "v"})
        self.assertEqual(listed[0]["location"], {"latitude": 51.5, "longitude": -3.25})
        self.assertEqual(listed[0]["referenced_message_id"], first["message_id"])
        self.assertEqual(len(ctl.lines(self, self.daemon, "message", "list", "--session", "demo/bob",
                                       "c", "--limit", "1")), 1)
        self.assertIn("alice", ctl.text(self, self.daemon, "message", "list", *me))


POLL = {"type": "poll", "options": ["a", {"votes": 1}]}
QUOTE = {"type": "quote", "by": {"id": "bob"}, "children": ["what bob said"]}


def newer(value):
    """What a TalkJS of the future would say instead: another block for one text, another node within one."""
    if isinstance(value, dict):
        if value.get("type") == "text" and value.get("children") == ["POLL"]:
            return POLL
        return {name: newer(item) for name, item in value.items()}
    if isinstance(value, list):
        return [newer(item) for item in value]
    return QUOTE if value == "QUOTE" else value


class NewerTalkjs(harness.Case):

    def test_blocks_and_nodes_it_does_not_know_come_through_as_json(self):
        emulator = self.start_emulator()
        proxy = Proxy(self, emulator.host)
        proxy.rules("alice").to_client = lambda frame: [newer(frame)]
        daemon = self.start_daemon(upstream=proxy.host)
        alice = daemon.connect("alice")
        bob = TalkjsUser(self, emulator.host, "bob").create()
        bob.conversation("c", "alice")
        stream = daemon.messages(alice).wait_open()
        bob.send("c", "POLL")
        bob.call("POST", "/conversations/c/messages", {"content": [{"type": "text", "children": [
            "see ", {"type": "bold", "children": ["QUOTE"]}]}]})
        poll, quoting = stream.wait_count(2)
        self.assertEqual((poll.type, poll.body), (pb.MESSAGE_TYPE_UNSPECIFIED, ""))
        self.assertEqual((poll.content[0].unknown.type, json.loads(poll.content[0].unknown.json)),
                         ("poll", POLL))
        self.assertEqual((quoting.type, quoting.body), (pb.MESSAGE_TYPE_TEXT, "see what bob said"))
        node = quoting.content[0].text.children[1].bold.children[0].unknown
        self.assertEqual((node.type, json.loads(node.json)), ("quote", QUOTE))
        listed = daemon.client.message_service.ListMessages(pb.ListMessagesRequest(
            session_id=alice, conversation_id="c")).messages
        self.assertEqual(list(listed), [quoting, poll])


if __name__ == "__main__":
    harness.main()
