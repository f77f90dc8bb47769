"""getUser and getUserById: what is written, what TalkJS then has, what comes back."""

import random

import ctl
import harness
from harness import expect_error, pb
from rest_api import RestApi


class Users(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.users = self.daemon.client.users
        self.rest = RestApi(self.daemon.emulator_host)
        self.session = self.daemon.connect("alice")

    def get_user(self, user):
        return self.users.GetUser(pb.GetUserRequest(session_id=self.session, user=user))

    def by_id(self, user_id, session_id=None):
        return self.users.GetUserById(pb.GetUserByIdRequest(
            session_id=session_id or self.session, user_id=user_id)).user

    def test_a_user_is_created_with_everything_and_comes_back_as_talkjs_shows_it(self):
        answer = self.get_user(pb.UserAttributes(
            id="b/ö b", name="Bob", role="agent", locale="nl-NL", photo_url="https://x.example/b.jpg",
            welcome_message="Hi!", availability_text="office hours",
            custom=pb.CustomUpdate(values={"k": "v", "empty": ""}),
            email=pb.StringList(values=["bob@example.com"]),
            phone=pb.StringList(values=["+31612345678"])))
        self.assertEqual(list(answer.warnings), [])
        user = answer.user
        self.assertEqual((user.id, user.name, user.role, user.locale), ("b/ö b", "Bob", "agent", "nl-NL"))
        self.assertEqual((user.photo_url, user.welcome_message), ("https://x.example/b.jpg", "Hi!"))
        self.assertEqual(dict(user.custom), {"k": "v", "empty": ""})
        self.assertEqual(user.availability_text, "office hours")
        # Private: TalkJS does not show them to sessions, but has them.
        self.assertFalse(user.HasField("email") or user.HasField("phone"))
        stored = self.rest.user("b/ö b")
        self.assertEqual(stored["email"], ["bob@example.com"])
        self.assertEqual(stored["phone"], ["+31612345678"])
        self.assertEqual(stored["custom"], {"k": "v", "empty": ""})
        self.assertIsNone(stored["availabilityText"])
        self.assertEqual(self.by_id("b/ö b"), user)
        # Of another session: the availability was given to this one.
        carol = self.daemon.connect("carol")
        self.assertFalse(self.by_id("b/ö b", carol).HasField("availability_text"))

    def test_absent_stays_null_resets_empty_is_empty(self):
        full = pb.UserAttributes(
            id="bob", name="Bob", role="agent", locale="nl-NL", photo_url="https://x.example/b.jpg",
            welcome_message="Hi!", availability_text="late",
            custom=pb.CustomUpdate(values={"k": "v", "l": "w"}),
            email=pb.StringList(values=["bob@example.com"]), phone=pb.StringList(values=["+31"]))
        before = self.get_user(full).user
        stored = self.rest.user("bob")
        # Absent: nothing but the name.
        after = self.get_user(pb.UserAttributes(id="bob", name="Bob")).user
        self.assertEqual(after, before)
        self.assertEqual(self.rest.user("bob"), stored)
        # Empty is no null.
        empty = self.get_user(pb.UserAttributes(
            id="bob", name="Bob", photo_url="", welcome_message="", availability_text="",
            custom=pb.CustomUpdate(), email=pb.StringList())).user
        for field in ("photo_url", "welcome_message", "availability_text"):
            self.assertTrue(empty.HasField(field), field)
            self.assertEqual(getattr(empty, field), "")
        self.assertEqual(dict(empty.custom), {"k": "v", "l": "w"})
        # Null: email so that no e-mail is sent; a key of the custom data is deleted.
        null = self.get_user(pb.UserAttributes(
            id="bob", name="Bob", custom=pb.CustomUpdate(deleted_keys=["k", "never"]),
            null_fields=["email", "phone", "photo_url", "locale", "role", "welcome_message",
                         "availability_text"])).user
        for field in ("photo_url", "welcome_message", "locale", "availability_text"):
            self.assertFalse(null.HasField(field), field)
        self.assertEqual(null.role, "default")
        self.assertEqual(dict(null.custom), {"l": "w"})
        stored = self.rest.user("bob")
        self.assertEqual((stored["email"], stored["phone"]), (None, None))
        gone = self.get_user(pb.UserAttributes(id="bob", name="Bob", null_fields=["custom"])).user
        self.assertEqual(dict(gone.custom), {})

    def test_any_order_of_writes_leaves_what_a_model_says(self):
        seed = random.randrange(1 << 30)
        draw = random.Random(seed)
        # Property of TalkJS -> its value; the model of one user.
        model = {"photoUrl": None, "welcomeMessage": None, "locale": None, "role": "default",
                 "email": None, "phone": None, "custom": {}}
        fields = {"photoUrl": ("photo_url", ["", "https://x.example/1", "http://y.example"]),
                  "welcomeMessage": ("welcome_message", ["", "Hi", "*bold*"]),
                  "locale": ("locale", ["en", "nl-NL", "zh-Hant-TW"]),
                  "role": ("role", ["agent", "buyer"]),
                  "email": ("email", [["a@x.example"], ["a@x.example", "b@x.example"]]),
                  "phone": ("phone", [["+31"], ["+31", "+32"]])}
        for step in range(300):
            user = pb.UserAttributes(id="model", name=f"Name {step}")
            for name, (field, values) in fields.items():
                choice = draw.randrange(3)
                if choice == 0:
                    user.null_fields.append(field)
                    model[name] = "default" if name == "role" else None
                elif choice == 1:
                    value = draw.choice(values)
                    model[name] = value
                    if isinstance(value, list):
                        getattr(user, field).values.extend(value)
                    else:
                        setattr(user, field, value)
            if draw.randrange(10) == 0:
                user.null_fields.append("custom")
                model["custom"] = {}
            else:
                for key in draw.sample("abcd", 2):
                    if draw.randrange(2):
                        user.custom.deleted_keys.append(key)
                        model["custom"].pop(key, None)
                    else:
                        model["custom"][key] = user.custom.values[key] = draw.choice(["", "x", "y"])
            shown = self.get_user(user).user
            stored = self.rest.user("model")
            self.assertEqual({name: stored[name] for name in model}, model, f"seed {seed}, {step}")
            self.assertEqual(dict(shown.custom), model["custom"], f"seed {seed}, {step}")
            self.assertEqual(shown.HasField("photo_url"), model["photoUrl"] is not None)

    def test_a_missing_role_is_a_warning_in_answer_and_log(self):
        answer = self.get_user(pb.UserAttributes(id="bob", name="Bob"))
        self.assertEqual(len(answer.warnings), 1)
        self.assertIn("user.role", answer.warnings[0])
        self.assertIn("without a role", self.daemon.process.log())
        default = self.get_user(pb.UserAttributes(id="bob", name="Bob", null_fields=["role"]))
        self.assertEqual(list(default.warnings), [])

    def test_a_user_that_is_not_there_is_not_found(self):
        expect_error(self, "NOT_FOUND", "USER_NOT_FOUND", lambda: self.by_id("nobody"))
        self.assertIsNone(self.rest.user("nobody"))
        self.assertEqual(self.by_id("alice").name, "Alice")

    def test_user_syncing_that_is_switched_off_is_permission_denied(self):
        self.rest.fault("status", on="request", method="PUT", path="/users/*", status=403,
                        error_code="UNAUTHORIZED")
        expect_error(self, "PERMISSION_DENIED", "PERMISSION_REFUSED",
                     lambda: self.get_user(pb.UserAttributes(id="bob", name="Bob")))

    def test_attributes_of_me_are_written_at_login_with_the_availability_kept(self):
        request = pb.CreateSessionRequest(app_id=harness.APP)
        request.user.MergeFrom(pb.UserAttributes(
            id="dave", name="Dave", availability_text="never", role="agent",
            email=pb.StringList(values=["d@x.example"])))
        made = self.daemon.client.sessions.CreateSession(request)
        self.assertEqual(list(made.warnings), [])
        session_id = made.session.session_id
        self.daemon.wait_state(session_id, "CONNECTED")
        user = self.by_id("dave", session_id)
        self.assertEqual((user.name, user.role, user.availability_text), ("Dave", "agent", "never"))
        self.assertEqual(self.rest.user("dave")["email"], ["d@x.example"])

    def test_availability_and_device_survive_a_restart(self):
        emulator = self.start_emulator()
        daemon = self.start_daemon(upstream=emulator.host)
        rest = RestApi(emulator.host)
        session_id = daemon.connect("alice", device_token=pb.PushRegistration(
            provider=pb.PUSH_PROVIDER_FCM, push_registration_id="own"), enable_push_notifications=True)
        harness.wait_until(lambda: rest.user("alice")["pushTokens"], "the device is registered")
        daemon.client.users.GetUser(pb.GetUserRequest(session_id=session_id, user=pb.UserAttributes(
            id="bob", name="Bob", availability_text="office hours")))
        daemon.client.sessions.UnsetPushRegistration(
            pb.UnsetPushRegistrationRequest(session_id=session_id))
        daemon.process.stop()
        daemon.process.may_end = True
        again = self.start_daemon(upstream=emulator.host, state_dir=daemon.state_dir)
        again.wait_state(session_id, "CONNECTED")
        user = again.client.users.GetUserById(pb.GetUserByIdRequest(
            session_id=session_id, user_id="bob")).user
        self.assertEqual(user.availability_text, "office hours")
        # The first login is over: it is not registered again by itself.
        self.assertIsNone(rest.user("alice")["pushTokens"])
        again.client.sessions.SetPushRegistration(
            pb.SetPushRegistrationRequest(session_id=session_id))
        self.assertEqual(rest.user("alice")["pushTokens"], {"fcm:own": True})

    def test_bad_input_names_its_fields(self):
        long_text = "x" * 10_001
        table = [
            ("user.name", pb.UserAttributes(id="bob")),
            ("user.id", pb.UserAttributes(name="Bob")),
            ("user.id", pb.UserAttributes(id="x" * 256, name="Bob")),
            ("user.name", pb.UserAttributes(id="bob", name="x" * 1001)),
            ("user.locale", pb.UserAttributes(id="bob", name="B", locale="no language")),
            ("user.photo_url", pb.UserAttributes(id="bob", name="B", photo_url="javascript:x")),
            ("user.welcome_message", pb.UserAttributes(id="bob", name="B", welcome_message=long_text)),
            ("user.email", pb.UserAttributes(id="bob", name="B",
                                             email=pb.StringList(values=["e"] * 21))),
            ("user.phone[0]", pb.UserAttributes(id="bob", name="B",
                                                phone=pb.StringList(values=["1" * 33]))),
            ("user.custom.values", pb.UserAttributes(
                id="bob", name="B", custom=pb.CustomUpdate(values={"k": long_text}))),
            ("user.null_fields[0]", pb.UserAttributes(id="bob", name="B", null_fields=["id"])),
        ]
        for field, user in table:
            with self.subTest(field):
                error = expect_error(self, "INVALID_ARGUMENT", "INVALID_FIELD",
                                     lambda: self.get_user(user))
                self.assertIn(field, [field for field, _ in error.field_violations])

    def test_talkjsctl_shows_and_writes(self):
        name = "demo/alice"
        written = ctl.lines(self, self.daemon, "user", "get", "--session", name, "erin", "--name", "Erin",
                            "--photo-url", "", "--custom", "k=v", "--role", "agent",
                            "--availability-text", "soon", "--email", "e@x.example")[0]
        self.assertEqual(written["user"]["name"], "Erin")
        self.assertEqual(written["user"]["photo_url"], "")
        self.assertEqual(self.rest.user("erin")["email"], ["e@x.example"])
        reset = ctl.run(self.daemon, "user", "get", "--session", name, "erin", "--name", "Erin",
                        "--null", "email", "--delete-custom", "k")
        self.assertEqual(reset.returncode, 0, reset.stderr)
        self.assertIn("user.role is not set", reset.stderr)
        self.assertIsNone(self.rest.user("erin")["email"])
        shown = ctl.text(self, self.daemon, "user", "get", "--session", name, "erin")
        self.assertIn("availability  soon", shown)
        self.assertNotIn("custom", shown)
        missing = ctl.run(self.daemon, "user", "get", "--session", name, "nobody")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("(USER_NOT_FOUND)", missing.stderr)


if __name__ == "__main__":
    harness.main()
