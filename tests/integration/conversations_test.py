"""getConversation, the list of conversations, marking read and unread, one-on-one ids."""

import random

import ctl
import harness
import talkjsd
from harness import expect_error, pb
from rest_api import RestApi
from talkjs_user import TalkjsUser


class Conversations(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.calls = self.daemon.client.conversations
        self.rest = RestApi(self.daemon.emulator_host)
        self.alice = self.daemon.connect("alice")

    def get(self, conversation_id, session_id=None, **fields):
        return self.calls.GetConversation(pb.GetConversationRequest(
            session_id=session_id or self.alice, conversation_id=conversation_id, **fields))

    def pages(self, session_id=None, page_size=0, **fields):
        """All pages of ListConversations, as lists of ids."""
        found, token = [], ""
        while True:
            page = self.calls.ListConversations(pb.ListConversationsRequest(
                session_id=session_id or self.alice, page_size=page_size, page_token=token, **fields))
            found.append([conversation.id for conversation in page.conversations])
            token = page.next_page_token
            if not token:
                return found

    def test_it_is_created_with_everything_and_comes_back_as_i_see_it(self):
        self.daemon.connect("carol")
        answer = self.get(
            "c/ö 1",
            attributes=pb.ConversationAttributes(
                subject="Order 17", photo_url="https://x.example/p.jpg",
                welcome_messages=pb.StringList(values=["Hello", "there"]),
                custom=pb.CustomUpdate(values={"order": "17"})),
            participants=[
                pb.Participant(user=pb.UserAttributes(
                    id="bob", name="Bob", role="agent", email=pb.StringList(values=["b@x.example"])),
                               access=pb.ACCESS_READ, notify=pb.NOTIFY_MENTIONS_ONLY),
                pb.Participant(user_id="carol"),
                pb.Participant(user_id="alice", notify=pb.NOTIFY_OFF)])
        self.assertEqual(list(answer.warnings), [])
        mine = answer.conversation
        self.assertEqual((mine.id, mine.subject, mine.photo_url),
                         ("c/ö 1", "Order 17", "https://x.example/p.jpg"))
        self.assertEqual(list(mine.welcome_messages.values), ["Hello", "there"])
        self.assertEqual(dict(mine.custom), {"order": "17"})
        self.assertEqual((mine.access, mine.notify), (pb.ACCESS_READ_WRITE, pb.NOTIFY_OFF))
        self.assertEqual((mine.unread_message_count, mine.is_unread), (0, False))
        for field in ("create_time", "join_time", "last_message_time", "read_until_time",
                      "everyone_read_until_time"):
            self.assertTrue(mine.HasField(field), field)
        stored = self.rest.conversation("c/ö 1")
        self.assertEqual({user: (entry["access"], entry["notify"])
                          for user, entry in stored["participants"].items()},
                         {"alice": ("ReadWrite", False), "bob": ("Read", "MentionsOnly"),
                          "carol": ("ReadWrite", True)})
        self.assertEqual(self.rest.user("bob")["email"], ["b@x.example"])
        # Repeating it is harmless; only with an id it is fetched.
        self.assertEqual(self.get("c/ö 1").conversation, mine)

    def test_absent_stays_null_resets_empty_is_empty(self):
        self.get("c", attributes=pb.ConversationAttributes(
            subject="s", photo_url="https://x.example/p", custom=pb.CustomUpdate(values={"a": "1", "b": "2"}),
            welcome_messages=pb.StringList(values=["w"])))
        same = self.get("c", attributes=pb.ConversationAttributes()).conversation
        self.assertEqual((same.subject, same.photo_url), ("s", "https://x.example/p"))
        empty = self.get("c", attributes=pb.ConversationAttributes(
            subject="", photo_url="", custom=pb.CustomUpdate(deleted_keys=["a"]))).conversation
        self.assertTrue(empty.HasField("subject") and empty.HasField("photo_url"))
        self.assertEqual((empty.subject, empty.photo_url, dict(empty.custom)), ("", "", {"b": "2"}))
        self.assertEqual(list(empty.welcome_messages.values), ["w"])
        null = self.get("c", attributes=pb.ConversationAttributes(
            null_fields=["subject", "photo_url", "welcome_messages", "custom"])).conversation
        self.assertFalse(null.HasField("subject") or null.HasField("photo_url"))
        self.assertFalse(null.HasField("welcome_messages"))
        self.assertEqual(dict(null.custom), {})
        self.assertIsNone(self.rest.conversation("c")["subject"])

    def test_any_order_of_writes_leaves_what_a_model_says(self):
        seed = random.randrange(1 << 30)
        draw = random.Random(seed)
        # Property of TalkJS -> its value; the model of one conversation.
        model = {"subject": None, "photoUrl": None, "welcomeMessages": [], "custom": {}}
        fields = {"subject": ("subject", ["", "Order", "*bold*"]),
                  "photoUrl": ("photo_url", ["", "https://x.example/1", "http://y.example"]),
                  "welcomeMessages": ("welcome_messages", [[], ["Hi"], ["Hi", ""]])}
        for step in range(200):
            attributes = pb.ConversationAttributes()
            for name, (field, values) in fields.items():
                choice = draw.randrange(3)
                if choice == 0:
                    attributes.null_fields.append(field)
                    model[name] = [] if name == "welcomeMessages" else None
                elif choice == 1:
                    model[name] = value = draw.choice(values)
                    if isinstance(value, list):
                        getattr(attributes, field).SetInParent()
                        getattr(attributes, field).values.extend(value)
                    else:
                        setattr(attributes, field, value)
            if draw.randrange(10) == 0:
                attributes.null_fields.append("custom")
                model["custom"] = {}
            else:
                for key in draw.sample("abcd", 2):
                    if draw.randrange(2):
                        attributes.custom.deleted_keys.append(key)
                        model["custom"].pop(key, None)
                    else:
                        model["custom"][key] = attributes.custom.values[key] = draw.choice(["", "x", "y"])
            shown = self.get("model", attributes=attributes).conversation
            stored = self.rest.conversation("model")
            stored["welcomeMessages"] = stored["welcomeMessages"] or []
            self.assertEqual({name: stored[name] for name in model}, model, f"seed {seed}, {step}")
            self.assertEqual((dict(shown.custom), list(shown.welcome_messages.values)),
                             (model["custom"], model["welcomeMessages"]), f"seed {seed}, {step}")
            for name, field in (("subject", "subject"), ("photoUrl", "photo_url")):
                self.assertEqual(getattr(shown, field) if shown.HasField(field) else None, model[name],
                                 f"seed {seed}, {step}")

    def test_attributes_without_any_field_create_it(self):
        made = self.get("new", attributes=pb.ConversationAttributes()).conversation
        self.assertEqual(made.id, "new")
        self.assertFalse(made.HasField("subject"))
        self.assertEqual(list(self.rest.conversation("new")["participants"]), ["alice"])
        # So do participants alone.
        self.daemon.connect("bob")
        self.get("new2", participants=[pb.Participant(user_id="bob")])
        self.assertEqual(sorted(self.rest.conversation("new2")["participants"]), ["alice", "bob"])

    def test_only_an_id_fetches_and_join_joins(self):
        expect_error(self, "NOT_FOUND", "CONVERSATION_NOT_FOUND", lambda: self.get("none"))
        expect_error(self, "NOT_FOUND", "CONVERSATION_NOT_FOUND", lambda: self.get("none", join=True))
        self.assertIsNone(self.rest.conversation("none"))
        bob = self.daemon.connect("bob")
        self.get("hers", attributes=pb.ConversationAttributes(subject="hers"))
        expect_error(self, "NOT_FOUND", "NOT_A_PARTICIPANT", lambda: self.get("hers", bob))
        self.assertEqual(self.get("hers", bob, join=True).conversation.subject, "hers")
        self.assertEqual(self.get("hers", bob, join=True).conversation.subject, "hers")
        self.assertEqual(self.get("hers", bob).conversation.subject, "hers")
        self.assertEqual(sorted(self.rest.conversation("hers")["participants"]), ["alice", "bob"])

    def test_what_talkjs_refuses(self):
        expect_error(self, "NOT_FOUND", "USER_NOT_FOUND", lambda: self.get(
            "c", participants=[pb.Participant(user_id="nobody")]))
        self.rest.fault("status", on="request", method="PUT", path="/conversations/*", status=403,
                        error_code="UNAUTHORIZED_TO_EDIT")
        expect_error(self, "PERMISSION_DENIED", "PERMISSION_REFUSED", lambda: self.get(
            "c", attributes=pb.ConversationAttributes(subject="x")))
        # Where nothing was to be edited, it does not matter.
        self.assertEqual(self.get("c", attributes=pb.ConversationAttributes()).conversation.id, "c")

    def test_a_participant_without_role_is_a_warning(self):
        answer = self.get("c", participants=[
            pb.Participant(user=pb.UserAttributes(id="bob", name="Bob"))])
        self.assertEqual(len(answer.warnings), 1)
        self.assertIn("participants[0].user.role", answer.warnings[0])

    def test_lists_have_pages_and_filters(self):
        host = self.daemon.emulator_host
        bob = TalkjsUser(self, host, "bob").create()
        names = [f"c{number:02}" for number in range(45)]
        for name in names:
            self.get(name, attributes=pb.ConversationAttributes(
                subject=name if name < "c40" else None,
                custom=pb.CustomUpdate(values={"parity": str(int(name[1:]) % 2)})))
        for name in names[:3]:
            bob.conversation(name, "alice")
            bob.send(name, "news")
        pages = self.pages(page_size=30)
        self.assertEqual([len(page) for page in pages], [30, 15])
        self.assertEqual(pages[0][:3], ["c02", "c01", "c00"])
        self.assertEqual(sorted(sum(pages, [])), names)
        self.assertEqual([len(page) for page in self.pages()], [20, 20, 5])
        self.assertEqual([len(page) for page in self.pages(page_size=500)], [30, 15])

        def found(*any_of):
            return sorted(sum(self.pages(
                page_size=7, filter=pb.ConversationFilter(any=any_of)), []))

        match, text = pb.ConversationMatch, pb.StringPredicate
        self.assertEqual(found(match(is_unread=True)), names[:3])
        self.assertEqual(found(match(has_messages=True)), names[:3])
        self.assertEqual(found(match(is_unread=False)), names[3:])
        self.assertEqual(found(match(subject=text(values=["c05", "c07"]))), ["c05", "c07"])
        # bob has written other subjects into the first three.
        self.assertEqual(found(match(subject=text(negated=True, values=names[:40]))),
                         names[:3] + names[40:])
        self.assertEqual(found(match(subject=text(null_value=True))), names[40:])
        odd = pb.CustomPredicate(value=text(values=["1"]))
        self.assertEqual(found(match(custom={"parity": odd})), names[1::2])
        self.assertEqual(found(match(custom={"parity": pb.CustomPredicate(exists=False)})), [])
        self.assertEqual(found(match(custom={"none": pb.CustomPredicate(exists=False)})), names)
        self.assertEqual(found(match(access=text(values=["Read"]))), [])
        self.assertEqual(found(match(access=text(values=["ReadWrite"]))), names)
        self.assertEqual(found(match(subject=text(values=["c05"])), match(is_unread=True)),
                         names[:3] + ["c05"])
        self.assertEqual(found(), [])
        self.assertEqual(found(match()), names)
        middle = self.get("c20").conversation.join_time
        before = found(match(join_time=pb.TimePredicate(end_time=middle)))
        after = found(match(join_time=pb.TimePredicate(start_time=middle)))
        self.assertIn("c20", after)
        self.assertEqual(sorted(before + after), names)

    def test_page_tokens_are_of_their_list(self):
        for number in range(3):
            self.get(f"c{number}", attributes=pb.ConversationAttributes())
        token = self.calls.ListConversations(pb.ListConversationsRequest(
            session_id=self.alice, page_size=1)).next_page_token
        bob = self.daemon.connect("bob")
        for session_id, page_token in ((bob, token), (self.alice, "x"), (self.alice, token[:-3])):
            expect_error(self, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", self.calls.ListConversations,
                         pb.ListConversationsRequest(session_id=session_id, page_token=page_token))
        self.assertEqual(self.pages(bob), [[]])

    def test_marking_read_and_unread_shows_in_talkjs_and_in_the_unreads(self):
        sdk = harness.Sdk(self, self.daemon.emulator_host, ["bob"])
        sdk.ask("prepare", conversations=["c"], others=["alice"])
        sdk.ask("send", conversations=["c"], count=2)
        unreads = self.daemon.unreads(self.alice)
        unreads.wait_counts({"c": 2})
        self.calls.MarkConversationRead(pb.MarkConversationReadRequest(
            session_id=self.alice, conversation_id="c"))
        unreads.wait_counts({})
        self.calls.MarkConversationUnread(pb.MarkConversationUnreadRequest(
            session_id=self.alice, conversation_id="c"))
        marked = unreads.wait_counts({"c": 0}).conversations[0]
        self.assertTrue(marked.conversation.is_unread)
        self.assertEqual(marked.last_message.body, "c bob 1")
        view = harness.Sdk(self, self.daemon.emulator_host, ["alice"]).ask("view", user="alice", complete=1)
        self.assertEqual((view["list"][0]["isUnread"], view["list"][0]["unreadMessageCount"]),
                         (True, 0))
        # On another device.
        TalkjsUser(self, self.daemon.emulator_host, "alice").call("POST", "/me/conversations/c/read")
        unreads.wait_counts({})
        mark = self.calls.MarkConversationUnread
        expect_error(self, "NOT_FOUND", "CONVERSATION_NOT_FOUND", mark,
                     pb.MarkConversationUnreadRequest(session_id=self.alice, conversation_id="none"))
        carol = self.daemon.connect("carol")
        expect_error(self, "PERMISSION_DENIED", "NOT_A_PARTICIPANT", mark,
                     pb.MarkConversationUnreadRequest(session_id=carol, conversation_id="c"))

    def test_bad_input_names_its_fields(self):
        user = pb.Participant(user_id="bob")
        match = pb.ConversationMatch
        table = [
            ("conversation_id", lambda: self.get("x" * 256)),
            ("attributes.subject", lambda: self.get("c", attributes=pb.ConversationAttributes(
                subject="x" * 1001))),
            ("attributes.photo_url", lambda: self.get("c", attributes=pb.ConversationAttributes(
                photo_url="file:///etc/passwd"))),
            ("attributes.null_fields[0]", lambda: self.get("c", attributes=pb.ConversationAttributes(
                null_fields=["role"]))),
            ("participants[1]", lambda: self.get("c", participants=[user, user])),
            ("participants", lambda: self.get("c", participants=[
                pb.Participant(user_id=f"u{n}") for n in range(100)])),
            ("participants[0].user.name", lambda: self.get("c", participants=[
                pb.Participant(user=pb.UserAttributes(id="bob"))])),
            ("page_size", lambda: self.pages(page_size=-1)),
            ("filter.any", lambda: self.pages(filter=pb.ConversationFilter(any=[match()] * 33))),
            ("filter.any[0].access.values[0]", lambda: self.pages(filter=pb.ConversationFilter(
                any=[match(access=pb.StringPredicate(values=["Write"]))]))),
            ("filter.any[0].join_time", lambda: self.pages(filter=pb.ConversationFilter(
                any=[match(join_time=pb.TimePredicate())]))),
        ]
        for field, call in table:
            with self.subTest(field):
                error = expect_error(self, "INVALID_ARGUMENT", "INVALID_FIELD", call)
                self.assertIn(field, [field for field, _ in error.field_violations])
        self.assertIsNone(self.rest.conversation("c"))

    def test_one_on_one_ids_are_those_of_the_sdk(self):
        # The vectors of tests/unit/client/one_on_one_id_test.cc.
        for pair, wanted in ((("1234", "abcd"), "35ec37e6e0ca43ac8ccc"),
                             (("aa", "bb"), "fd031b78f1add01539dc"),
                             (("alice", "bob"), "4714b845b86fbe0ed913"),
                             (("Zed", "adam"), "6c16e1d063ddd1d1467b"),
                             (("10", "9"), "054b7c72c5481c512806"),
                             (("a", "a"), "31ad8b1d9fc4c78e38b9"),
                             (("ünï", "zoë"), "0b4ff953f415b51e2f83"),
                             (('a"b', "c\\d"), "a78b15488a088268ea28"),
                             (("a/b", "c"), "d6ec4ce22834d3b76fc2"),
                             (("a\nb", "c"), "ee72899508c95ac2c471"),
                             (("<x>", "&y"), "61c7db0b89a870f41611"),
                             (("😀", "a"), "6d40ef8b028717b348c2"),
                             (("\ue000", "😀"), "85c58968923475b13637"),
                             (("\x7f", "x"), "14988393e9315cbdfc36")):
            for first, second in (pair, pair[::-1]):
                with self.subTest((first, second)):
                    self.assertEqual(talkjsd.one_on_one_id(first, second), wanted)
                    self.assertEqual(ctl.text(self, self.daemon, "one-on-one-id", first, second),
                                     wanted + "\n")

    def test_talkjsctl_creates_gets_lists_and_marks(self):
        self.daemon.connect("bob")
        me = ("--session", "demo/alice")
        made = ctl.lines(self, self.daemon, "conversation", "create", *me, "c", "--subject", "Order",
                         "--custom", "k=v", "--welcome-message", "Hi", "--participant", "bob",
                         "--access", "read", "--notify", "off")[0]["conversation"]
        self.assertEqual((made["subject"], made["custom"]), ("Order", {"k": "v"}))
        stored = self.rest.conversation("c")["participants"]
        self.assertEqual((stored["bob"]["access"], stored["bob"]["notify"]), ("Read", False))
        self.assertIn("subject          Order", ctl.text(
            self, self.daemon, "conversation", "get", *me, "c"))
        ctl.text(self, self.daemon, "conversation", "create", *me, "c", "--null", "subject")
        self.assertIsNone(self.rest.conversation("c")["subject"])
        refused = ctl.run(self.daemon, "conversation", "get", "--session", "demo/bob", "none")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("(CONVERSATION_NOT_FOUND)", refused.stderr)
        for number in range(35):
            self.get(f"d{number:02}", attributes=pb.ConversationAttributes())
        listed = ctl.lines(self, self.daemon, "conversation", "list", *me)
        self.assertEqual(len(listed), 36)
        self.assertEqual(len(ctl.lines(self, self.daemon, "conversation", "list", *me,
                                       "--limit", "32")), 32)
        self.rest.post("c", {"type": "UserMessage", "sender": "bob", "text": "hi"})
        self.assertEqual([c["id"] for c in ctl.lines(
            self, self.daemon, "conversation", "list", *me, "--unread")], ["c"])
        ctl.text(self, self.daemon, "conversation", "read", *me, "c")
        self.assertEqual(ctl.lines(self, self.daemon, "conversation", "list", *me, "--unread"), [])
        ctl.text(self, self.daemon, "conversation", "unread", *me, "c")
        only = ctl.lines(self, self.daemon, "conversation", "list", *me, "--filter",
                         '{"any": [{"is_unread": true, "custom": {"k": {"exists": true}}}]}')
        self.assertEqual([c["id"] for c in only], ["c"])


if __name__ == "__main__":
    harness.main()
