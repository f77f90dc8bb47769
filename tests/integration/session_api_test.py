"""Every row of the Session API once from Python and once from talkjsctl, each with the unmodified SDK to say what arrived."""

import json
import os
import time

import ctl
import harness
from google.protobuf import json_format
from harness import KEY, expect_error, pb, signature, token
from rest_api import RestApi
from token_server import TokenServer

ME = ("--session", "demo/alice")


def plain(message):
    """A message of the API as JSON, without what has its default."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def parsed(line):
    """A message as talkjsctl prints it -> as plain() has it."""
    return plain(json_format.ParseDict(line, pb.Message()))


def snake(node):
    """A node of a text as the SDK has it -> as the API has it."""
    if isinstance(node, str):
        return {"text": node}
    kind = "".join("_" + c.lower() if c.isupper() else c for c in node["type"])
    if kind in ("code_span", "custom_emoji"):
        return {kind: node["text"]}
    fields = {name: value for name, value in node.items() if name not in ("type", "children")}
    if "children" in node:
        fields["children"] = [snake(child) for child in node["children"]]
    return {kind: fields}


def block(shown):
    """A block of content as the SDK has it -> as the API has it."""
    if shown["type"] == "text":
        return {"text": {"children": [snake(child) for child in shown["children"]]}}
    fields = {name: value for name, value in shown.items() if name != "type"}
    if shown["type"] == "location":
        return {"location": fields}
    return {"file": {"size_bytes": str(fields.pop("size")), "file_token": fields.pop("fileToken"), **fields}}


def as_message(shown):
    """A message as the SDK shows it -> the same fields of the API's JSON."""
    fields = {"id": shown["id"], "body": shown["plaintext"], "origin": shown["origin"],
              "content": [block(one) for one in shown["content"]]}
    if shown["custom"]:
        fields["custom"] = shown["custom"]
    if shown["sender"] is not None:
        fields["sender_id"] = shown["sender"]["id"]
    if shown["referencedMessage"] is not None:
        fields["referenced_message_id"] = shown["referencedMessage"]["id"]
    return fields


def millis(text):
    """A protobuf time in JSON -> milliseconds since 1970."""
    stamp = pb.Session().create_time
    json_format.Parse(json.dumps(text), stamp)
    return stamp.ToMilliseconds()


class Rows(harness.Case):
    """bob is a user of the SDK, and alice one of the daemon; both are in "c"."""

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.host = self.daemon.emulator_host
        self.rest = RestApi(self.host)
        self.sdk = harness.Sdk(self, self.host, ["bob", "alice"])

    def start(self):
        """Alice's session; both in the conversation."""
        self.alice = self.daemon.connect("alice")
        self.sdk.ask("prepare", conversations=["c"])

    def ctl(self, *arguments, given=""):
        return ctl.lines(self, self.daemon, *arguments, given=given)

    def shown(self, user):
        return self.sdk.ask("user", user="bob", id=user)["user"]

    def same(self, message, shown):
        """The API's JSON of a message against the SDK's snapshot."""
        expected = as_message(shown)
        self.assertEqual({name: message.get(name) for name in expected}, expected)
        self.assertEqual(millis(message["create_time"]), shown["createdAt"])
        self.assertEqual(message["message_kind"], {
            "UserMessage": "MESSAGE_KIND_USER", "SystemMessage": "MESSAGE_KIND_SYSTEM"}[shown["type"]])
        if shown["sender"] is not None:
            self.assertEqual(message["sender"]["name"], shown["sender"]["name"])

    # --- create, SetMe ---

    def test_create(self):
        attributes = {"name": "Name", "role": "agent", "locale": "nl-NL", "photoUrl": "https://x.example/p.jpg",
                      "welcomeMessage": "Hi!", "custom": {"k": "v"}}
        made = self.daemon.client.sessions.CreateSession(pb.CreateSessionRequest(
            app_id="demo", signing_key=pb.SigningKey(secret_key=KEY), user=pb.UserAttributes(
                id="py", name="Name", role="agent", locale="nl-NL", photo_url="https://x.example/p.jpg",
                welcome_message="Hi!", custom=pb.CustomUpdate(values={"k": "v"}))))
        self.daemon.wait_state(made.session.session_id, "CONNECTED")
        options = ("--name", "Name", "--role", "agent", "--locale", "nl-NL", "--photo-url",
                   "https://x.example/p.jpg", "--welcome-message", "Hi!", "--custom", "k=v")
        self.ctl("session", "create", "--app-id", "demo", "--user", "ctl", *options, "--secret-key-file", "-",
                 "--wait", given=KEY)
        # The same with a user who is given later.
        late = self.daemon.client.sessions.CreateSession(pb.CreateSessionRequest(
            app_id="demo", signing_key=pb.SigningKey(secret_key=KEY))).session.session_id
        self.daemon.client.sessions.SetMe(pb.SetMeRequest(session_id=late, user=pb.UserAttributes(
            id="py-late", name="Name", role="agent", locale="nl-NL", photo_url="https://x.example/p.jpg",
            welcome_message="Hi!", custom=pb.CustomUpdate(values={"k": "v"}))))
        later = self.ctl("session", "create", "--app-id", "demo", "--secret-key-file", "-",
                         given=KEY)[0]["session"]["session_id"]
        self.ctl("session", "set-me", later, "--user", "ctl-late", *options)
        for session_id in (late, later):
            self.daemon.wait_state(session_id, "CONNECTED")
        for user in ("py", "ctl", "py-late", "ctl-late"):
            with self.subTest(user):
                self.assertEqual(self.shown(user), {"id": user, **attributes})
                self.sdk.ask("online", user="bob", id=user, wanted=True)
        # By id alone nothing is written.
        unknown = self.daemon.create("py-nobody", key=KEY).session.session_id
        self.ctl("session", "create", "--app-id", "demo", "--user", "ctl-nobody", "--secret-key-file", "-",
                 given=KEY)
        self.daemon.wait_state(unknown, "CONNECTED", reason="USER_NOT_FOUND")
        for user in ("py-nobody", "ctl-nobody"):
            self.assertIsNone(self.shown(user))

    # --- authentication ---

    def test_every_kind_of_credentials(self):
        server = TokenServer(self)
        file = os.path.join(self.directory, "token")
        provider = self.spawn("provide", [
            os.path.join(harness.BIN, "talkjsctl"), "--address", self.daemon.address, "token", "provide",
            "--name", "p", "--", "sh", "-c", f'cat "{self.directory}/$TALKJS_USER_ID"'])
        kinds = {
            "token": (lambda user: {"token": token(user)}, ("--token-file", "-"), token),
            "key": (lambda user: {"key": KEY}, ("--secret-key-file", "-"), lambda user: KEY),
            "signature": (lambda user: {"signature": signature(user)}, ("--signature-file", "-"), signature),
            "none": (lambda user: {}, ("--no-credentials",), lambda user: ""),
            "http": (lambda user: {"token_fetcher": pb.TokenFetcher(http=pb.HttpTokenSource(url=server.url))},
                     ("--token-url", server.url), lambda user: ""),
            "file": (lambda user: {"token_fetcher": pb.TokenFetcher(file=pb.FileTokenSource(path=file + user))},
                     ("--watch-token-file", file + "ctl-file"), lambda user: ""),
            "provider": (lambda user: {"token_fetcher": pb.TokenFetcher(
                provider=pb.ProviderTokenSource(provider_name="p"))}, ("--token-provider", "p"),
                         lambda user: ""),
        }
        for kind, (fields, options, given) in kinds.items():
            py, by_ctl = f"py-{kind}", f"ctl-{kind}"
            for user in (py, by_ctl):
                for path in (file + user, os.path.join(self.directory, user)):
                    with open(path, "w", encoding="utf-8") as out:
                        out.write(token(user))
            self.daemon.create(py, name="Somebody", **fields(py))
            self.ctl("session", "create", "--app-id", "demo", "--user", by_ctl, "--name", "Somebody", *options,
                     given=given(by_ctl))
        users = [f"{who}-{kind}" for who in ("py", "ctl") for kind in kinds]
        for user in users:
            with self.subTest(user):
                self.sdk.ask("online", user="bob", id=user, wanted=True)
                session = self.ctl("session", "show", f"demo/{user}")[0]
                self.assertIn(session["state"], ("SESSION_STATE_CONNECTED", "SESSION_STATE_CONNECTING"))
        kinds_of = {pb.CredentialKind.Name(session.credential_kind) for session in
                    self.daemon.client.sessions.ListSessions(pb.ListSessionsRequest()).sessions}
        self.assertEqual(len(kinds_of), len(kinds))
        provider.stop()
        provider.may_end = True

    # --- refresh ---

    def test_a_token_replaced_by_hand_and_logins_that_end(self):
        self.sdk.ask("prepare", conversations=["c"])
        session_id = self.daemon.connect("alice", name=None, key=None, token=token("alice"))
        expiry = int(time.time()) + 7200
        replaced = (
            lambda: self.daemon.client.sessions.SetToken(pb.SetTokenRequest(
                session_id=session_id, token=token("alice", exp=expiry))),
            lambda: self.ctl("session", "set-token", *ME, "--token-file", "-",
                             given=token("alice", exp=expiry + 1)))
        for number, replace in enumerate(replaced):
            replace()
            self.rest._call("POST", "/_emulator/v1/connections/expire", {"user": "alice"}, {})
            self.daemon.client.send(session_id, "c", f"after {number}")
            shown = self.sdk.ask("messages", user="bob", id="c", complete=number + 1)["messages"][0]
            self.assertEqual((shown["plaintext"], shown["sender"]["id"]), (f"after {number}", "alice"))
            harness.wait_until(lambda number=number: self.daemon.session(session_id)
                               .token_expire_time.seconds == expiry + number, "its expiry")

    # --- getUser, getUserById ---

    def test_users(self):
        self.start()
        written = self.daemon.client.users.GetUser(pb.GetUserRequest(
            session_id=self.alice, user=pb.UserAttributes(
                id="py", name="Name", role="agent", locale="en", photo_url="", welcome_message="*hi*",
                custom=pb.CustomUpdate(values={"k": "v", "gone": "x"})))).user
        self.daemon.client.users.GetUser(pb.GetUserRequest(
            session_id=self.alice, user=pb.UserAttributes(
                id="py", name="Name", custom=pb.CustomUpdate(deleted_keys=["gone"]), null_fields=["locale"])))
        self.assertEqual(written.locale, "en")
        self.ctl("user", "get", *ME, "ctl", "--name", "Name", "--role", "agent", "--locale", "en", "--photo-url",
                 "", "--welcome-message", "*hi*", "--custom", "k=v", "--custom", "gone=x")
        self.ctl("user", "get", *ME, "ctl", "--name", "Name", "--delete-custom", "gone", "--null", "locale")
        for user in ("py", "ctl"):
            self.assertEqual(self.shown(user), {
                "id": user, "name": "Name", "role": "agent", "locale": None, "photoUrl": "",
                "welcomeMessage": "*hi*", "custom": {"k": "v"}})
        # By id: what the SDK shows is what both get.
        self.rest.call("PUT", "/users/carol", {"name": "Carol", "photoUrl": "https://x.example/c",
                                               "custom": {"a": "b"}, "role": "r", "locale": "nl"})
        shown = self.shown("carol")
        for got in (plain(self.daemon.client.users.GetUserById(pb.GetUserByIdRequest(
                session_id=self.alice, user_id="carol")).user),
                    self.ctl("user", "get", *ME, "carol")[0]["user"]):
            self.assertEqual(got, {"id": "carol", "name": shown["name"], "photo_url": shown["photoUrl"],
                                   "custom": shown["custom"], "role": shown["role"], "locale": shown["locale"]})
        expect_error(self, "NOT_FOUND", "USER_NOT_FOUND", self.daemon.client.users.GetUserById,
                     pb.GetUserByIdRequest(session_id=self.alice, user_id="nobody"))
        self.assertIn("(USER_NOT_FOUND)", ctl.run(self.daemon, "user", "get", *ME, "nobody").stderr)
        self.assertIsNone(self.shown("nobody"))

    # --- getConversation, ListConversations ---

    def test_conversations(self):
        self.start()
        self.daemon.client.conversations.GetConversation(pb.GetConversationRequest(
            session_id=self.alice, conversation_id="py", attributes=pb.ConversationAttributes(
                subject="Order", photo_url="https://x.example/p", custom=pb.CustomUpdate(values={"k": "v"}),
                welcome_messages=pb.StringList(values=["Hi", "there"])),
            participants=[pb.Participant(user_id="bob", access=pb.ACCESS_READ, notify=pb.NOTIFY_OFF)]))
        self.ctl("conversation", "create", *ME, "ctl", "--subject", "Order", "--photo-url", "https://x.example/p",
                 "--custom", "k=v", "--welcome-message", "Hi", "--welcome-message", "there", "--participant",
                 "bob", "--access", "read", "--notify", "off")
        for name in ("py", "ctl"):
            shown = self.sdk.ask("conversation", user="bob", id=name)["conversation"]
            self.assertEqual(
                {field: shown[field] for field in ("id", "subject", "photoUrl", "custom", "welcomeMessages",
                                                   "access", "notify")},
                {"id": name, "subject": "Order", "photoUrl": "https://x.example/p", "custom": {"k": "v"},
                 "welcomeMessages": ["Hi", "there"], "access": "Read", "notify": False})
            there = self.sdk.ask("participants", user="bob", id=name, complete=2)["participants"]
            self.assertEqual(there["alice"]["access"], "ReadWrite")
        # As I see it: what the SDK shows me is what both get.
        for name in ("py", "ctl"):
            shown = self.sdk.ask("conversation", user="alice", id=name)["conversation"]
            for got in (plain(self.daemon.client.conversations.GetConversation(pb.GetConversationRequest(
                    session_id=self.alice, conversation_id=name)).conversation),
                        self.ctl("conversation", "get", *ME, name)[0]["conversation"]):
                self.assertEqual((got["subject"], got["photo_url"], got["custom"], got["welcome_messages"]["values"]),
                                 (shown["subject"], shown["photoUrl"], shown["custom"], shown["welcomeMessages"]))
                for time_field, shown_field in (("create_time", "createdAt"), ("join_time", "joinedAt"),
                                                ("read_until_time", "readUntil"),
                                                ("everyone_read_until_time", "everyoneReadUntil")):
                    self.assertEqual(millis(got[time_field]), shown[shown_field], time_field)
        # Joining.
        for name in ("py-joined", "ctl-joined"):
            self.rest.call("PUT", f"/conversations/{name}", {"participants": ["bob"]})
        self.daemon.client.conversations.GetConversation(pb.GetConversationRequest(
            session_id=self.alice, conversation_id="py-joined", join=True))
        self.ctl("conversation", "get", *ME, "ctl-joined", "--join")
        for name in ("py-joined", "ctl-joined"):
            self.assertIn("alice", self.sdk.ask("participants", user="bob", id=name, complete=2)["participants"])
        # The list, and with a filter.
        shown = [one["id"] for one in self.sdk.ask("view", user="alice", complete=5)["list"]]
        listed = self.daemon.client.conversations.ListConversations(
            pb.ListConversationsRequest(session_id=self.alice))
        self.assertEqual([one.id for one in listed.conversations], shown)
        self.assertEqual([one["id"] for one in self.ctl("conversation", "list", *ME)], shown)
        match = pb.ConversationMatch(subject=pb.StringPredicate(values=["Order"]))
        wanted = [name for name in shown if name in ("py", "ctl")]
        listed = self.daemon.client.conversations.ListConversations(pb.ListConversationsRequest(
            session_id=self.alice, filter=pb.ConversationFilter(any=[match])))
        self.assertEqual([one.id for one in listed.conversations], wanted)
        self.assertEqual([one["id"] for one in self.ctl(
            "conversation", "list", *ME, "--filter", '{"any": [{"subject": {"values": ["Order"]}}]}')], wanted)

    # --- hasValidCredentials ---

    def test_valid_credentials(self):
        emulator = self.start_emulator()
        daemon = self.start_daemon(upstream=emulator.host)
        sdk = harness.Sdk(self, emulator.host, ["bob"])
        for app, valid in (("demo", True), ("nowhere", False)):
            session_id = daemon.create("alice", app_id=app, key=KEY).session.session_id
            self.assertEqual(daemon.client.sessions.HasValidCredentials(
                pb.HasValidCredentialsRequest(session_id=session_id)).valid, valid)
            self.assertEqual(ctl.run(daemon, "session", "valid", session_id).returncode, 0 if valid else 1)
            self.assertEqual(sdk.ask("tryApp", user="bob", appId=app)["outcome"] == "works", valid)

    # --- push ---

    def test_push(self):
        self.start()

        def tokens():
            return self.rest.user("alice")["pushTokens"]
        device = {"provider": pb.PUSH_PROVIDER_FCM, "push_registration_id": "d"}
        which = (*ME, "--provider", "fcm", "--registration-id-file", "-")
        sessions = self.daemon.client.sessions
        before = self.shown("alice")
        steps = (
            (lambda: sessions.SetPushRegistration(
                pb.SetPushRegistrationRequest(session_id=self.alice, **device)),
             lambda: self.ctl("push", "set", *which, given="d"), {"fcm:d": True}),
            (lambda: sessions.UnsetPushRegistration(
                pb.UnsetPushRegistrationRequest(session_id=self.alice, **device)),
             lambda: self.ctl("push", "unset", *which, given="d"), None),
            (lambda: sessions.ClearPushRegistrations(pb.ClearPushRegistrationsRequest(session_id=self.alice)),
             lambda: self.ctl("push", "clear", *ME), None))
        for caller in (0, 1):
            for step in steps:
                step[caller]()
                self.assertEqual(tokens() or None, step[2])
                # Nobody is shown them.
                self.assertEqual(self.shown("alice"), before)

    # --- onMessage ---

    def test_messages_that_come(self):
        self.start()
        stream = self.daemon.messages(self.alice).wait_open()
        printed = self.spawn("messages", [
            os.path.join(harness.BIN, "talkjsctl"), "--address", self.daemon.address, "--json", "-v", "messages",
            *ME, "--count", "5"], may_end=True)
        harness.wait_until(lambda: "open" in printed.log(), "talkjsctl has its stream")
        first = self.sdk.ask("say", user="bob", id="c", params="*bold* _it_ ~no~ ```code``` see https://x.example")
        self.sdk.ask("say", user="bob", id="c", params={
            "text": "hi <!!mention:alice|Alice>", "custom": {"k": "v"}, "referencedMessage": first["id"]})
        self.sdk.ask("say", user="bob", id="c", params={
            "content": [{"type": "location", "latitude": 51.5, "longitude": -3.25}]})
        picture = self.sdk.ask("upload", user="bob", text="no cat", filename="cat.png", width=640, height=480)
        self.sdk.ask("say", user="bob", id="c", params={
            "content": [{"type": "file", "fileToken": picture["fileToken"]}]})
        self.sdk.ask("say", user="alice", id="c", params="by me, on another device")
        shown = self.sdk.ask("messages", user="alice", id="c", complete=5)["messages"][::-1]
        streamed = [plain(message) for message in stream.wait_count(5)]
        self.assertEqual(printed.wait(), 0)
        lines = [parsed(json.loads(line)["sent"]) for line in printed.output().splitlines()]
        self.assertEqual(lines, streamed)
        for message, snapshot in zip(streamed, shown, strict=True):
            self.same(message, snapshot)
            self.assertEqual(message["conversation"]["id"], "c")
            self.assertEqual(message["conversation"]["subject"], "about c")
            self.assertEqual(message.get("is_by_me", False), snapshot["sender"]["id"] == "alice")
        self.assertEqual([message["type"][len("MESSAGE_TYPE_"):] for message in streamed],
                         ["TEXT", "TEXT", "LOCATION", "MEDIA", "TEXT"])
        self.assertEqual(streamed[2]["location"], {"latitude": 51.5, "longitude": -3.25})
        block_shown = shown[3]["content"][0]
        self.assertEqual(streamed[3]["attachment"],
                         {"url": block_shown["url"], "size_bytes": str(block_shown["size"])})

    # --- onUnreadsChange ---

    def test_unreads(self):
        self.start()
        unreads = self.daemon.unreads(self.alice)
        unreads.wait_counts({})

        def by_ctl():
            line = self.ctl("unreads", *ME, "--count", "1")[0]
            return {one["conversation"]["id"]: int(one.get("unread_message_count", 0))
                    for one in line.get("conversations", [])}

        def shown():
            return {one["id"]: one["unreadMessageCount"] for one in
                    self.sdk.ask("view", user="alice", complete=1)["list"] if one["isUnread"]}
        self.sdk.ask("say", user="bob", id="c", params="one")
        self.sdk.ask("say", user="bob", id="c", params="two")
        steps = ((lambda: None, {"c": 2}),
                 (lambda: self.sdk.ask("read", user="alice", conversation="c"), {}),
                 (lambda: self.sdk.ask("unread", user="alice", conversation="c"), {"c": 0}),
                 (lambda: self.daemon.client.conversations.MarkConversationRead(
                     pb.MarkConversationReadRequest(session_id=self.alice, conversation_id="c")), {}),
                 (lambda: self.daemon.client.conversations.MarkConversationUnread(
                     pb.MarkConversationUnreadRequest(session_id=self.alice, conversation_id="c")), {"c": 0}),
                 (lambda: self.ctl("conversation", "read", *ME, "c"), {}),
                 (lambda: self.ctl("conversation", "unread", *ME, "c"), {"c": 0}))
        for step, expected in steps:
            step()
            unreads.wait_counts(expected)
            self.assertEqual(by_ctl(), expected)
            self.assertEqual(shown(), expected)
        last = unreads.last.conversations[0].last_message
        self.same(plain(last), self.sdk.ask("messages", user="alice", id="c", complete=2)["messages"][0])

    # --- destroy ---

    def test_destroy(self):
        made = {user: self.daemon.connect(user) for user in ("py", "ctl")}
        for user in made:
            self.sdk.ask("online", user="bob", id=user, wanted=True)
        self.daemon.client.sessions.DestroySession(pb.DestroySessionRequest(session_id=made["py"]))
        ctl.text(self, self.daemon, "session", "destroy", "demo/ctl")
        for user, session_id in made.items():
            self.sdk.ask("online", user="bob", id=user, wanted=False)
            expect_error(self, "FAILED_PRECONDITION", "SESSION_DESTROYED", self.daemon.client.send,
                         session_id, "c", "x")
            self.assertIn("(SESSION_DESTROYED)", ctl.run(
                self.daemon, "session", "show", session_id).stderr)
            self.daemon.client.sessions.DestroySession(pb.DestroySessionRequest(session_id=session_id))
            ctl.text(self, self.daemon, "session", "destroy", session_id)

    # --- messages ---

    def test_messages_sent_and_listed(self):
        self.start()
        send = self.daemon.client.message_service.SendMessage
        picture = self.sdk.ask("upload", user="alice", text="no cat", filename="c.png", width=1, height=1)
        here = {"session_id": self.alice, "conversation_id": "c"}
        text = "*a _b_* ```c``` see talkjs.com <!!mention:bob|Bob>"
        first = send(pb.SendMessageRequest(**here, text=text, custom={"k": "v"})).message_id
        send(pb.SendMessageRequest(**here, text="reply", referenced_message_id=first))
        send(pb.SendMessageRequest(**here, location=pb.Location(latitude=1.5, longitude=2)))
        send(pb.SendMessageRequest(**here, file_token=picture["fileToken"], request_id="r"))
        to = (*ME, "--conversation", "c")
        own = self.ctl("message", "send", *to, text, "--custom", "k=v")[0]["message_id"]
        self.ctl("message", "send", *to, "reply", "--reply-to", own)
        self.ctl("message", "send", *to, "--location", "1.5,2")
        for _ in range(2):  # a repeat sends nothing
            self.ctl("message", "send", *to, "--file-token", picture["fileToken"], "--request-id", "s")
        send(pb.SendMessageRequest(session_id=self.alice, conversation_id="py-new", text="hello",
                                   ensure_participant=True))
        self.ctl("message", "send", *ME, "--conversation", "ctl-new", "hello", "--ensure-participant")
        shown = self.sdk.ask("messages", user="bob", id="c", complete=8)["messages"]
        listed = [plain(message) for message in self.daemon.client.message_service.ListMessages(
            pb.ListMessagesRequest(**here)).messages]
        self.assertEqual([parsed(line) for line in self.ctl("message", "list", *ME, "c")], listed)
        for message, snapshot in zip(listed, shown, strict=True):
            self.same(message, snapshot)
        # Sent by either, the same arrives.
        for by_ctl, by_python in zip(shown[:4], shown[4:], strict=True):
            for field in ("content", "custom", "plaintext", "type", "origin"):
                self.assertEqual(by_ctl[field], by_python[field])
        self.assertEqual(shown[3]["content"], [{"type": "text", "children": [
            {"type": "bold", "children": ["a ", {"type": "italic", "children": ["b"]}]}, " ",
            {"type": "codeSpan", "text": "c"}, " see ",
            {"type": "autoLink", "url": "http://talkjs.com", "text": "talkjs.com"}, " ",
            {"type": "mention", "id": "bob", "text": "Bob"}]}])
        for name in ("py-new", "ctl-new"):
            arrived = self.sdk.ask("messages", user="alice", id=name, complete=1)["messages"][0]
            self.assertEqual(arrived["plaintext"], "hello")
        # Pages end where the SDK's list ends.
        page = self.daemon.client.message_service.ListMessages(pb.ListMessagesRequest(**here, page_size=5))
        rest = self.daemon.client.message_service.ListMessages(
            pb.ListMessagesRequest(**here, page_token=page.next_page_token))
        self.assertEqual([message.id for message in (*page.messages, *rest.messages)],
                         [snapshot["id"] for snapshot in shown])


if __name__ == "__main__":
    harness.main()
