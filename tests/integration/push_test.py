"""Push registrations and the check of the app's id."""

import ctl
import harness
from harness import KEY, expect_error, pb
from rest_api import RestApi


class Push(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.sessions = self.daemon.client.sessions
        self.rest = RestApi(self.daemon.emulator_host)

    def tokens(self, user="alice"):
        """What the emulator has, sorted."""
        return sorted(self.rest.user(user)["pushTokens"] or {})

    def set(self, session_id, **device):
        return self.sessions.SetPushRegistration(
            pb.SetPushRegistrationRequest(session_id=session_id, **device))

    def unset(self, session_id, **device):
        return self.sessions.UnsetPushRegistration(
            pb.UnsetPushRegistrationRequest(session_id=session_id, **device))

    def clear(self, session_id):
        return self.sessions.ClearPushRegistrations(
            pb.ClearPushRegistrationsRequest(session_id=session_id))

    def test_set_unset_and_clear(self):
        alice = self.daemon.connect("alice")
        fcm, apns = pb.PUSH_PROVIDER_FCM, pb.PUSH_PROVIDER_APNS
        self.set(alice, provider=fcm, push_registration_id="T:1")
        self.set(alice, provider=apns, push_registration_id="T2")
        self.assertEqual(self.tokens(), ["apns:T2", "fcm:T:1"])
        self.set(alice, provider=fcm, push_registration_id="T:1")
        self.assertEqual(self.tokens(), ["apns:T2", "fcm:T:1"])
        self.unset(alice, provider=fcm, push_registration_id="T:1")
        self.unset(alice, provider=fcm, push_registration_id="never")
        self.assertEqual(self.tokens(), ["apns:T2"])
        self.set(alice, provider=fcm, push_registration_id="T3")
        self.clear(alice)
        self.assertEqual(self.tokens(), [])
        self.clear(alice)
        # Other attributes are left alone, and nobody is shown the tokens.
        self.assertEqual(self.rest.user("alice")["name"], "Alice")

    def test_provider_and_id_are_both_or_neither_checked_before_all_else(self):
        for fields, missing in (({"provider": pb.PUSH_PROVIDER_FCM}, "push_registration_id"),
                                ({"push_registration_id": "x"}, "provider")):
            for call in (self.set, self.unset):
                error = expect_error(self, "INVALID_ARGUMENT", "INVALID_FIELD",
                                     lambda: call("ses_nobody", **fields))
                self.assertEqual([field for field, _ in error.field_violations], [missing])
        expect_error(self, "INVALID_ARGUMENT", "INVALID_FIELD", lambda: self.set(
            "s", provider=pb.PUSH_PROVIDER_UNSPECIFIED, push_registration_id="x"))
        expect_error(self, "INVALID_ARGUMENT", "INVALID_FIELD", lambda: self.set(
            "s", provider=pb.PUSH_PROVIDER_FCM, push_registration_id="x" * 4097))
        expect_error(self, "NOT_FOUND", "SESSION_NOT_FOUND", lambda: self.set("ses_nobody"))
        expect_error(self, "NOT_FOUND", "SESSION_NOT_FOUND", lambda: self.clear("ses_nobody"))

    def test_without_arguments_the_device_of_the_session_is_meant(self):
        alice = self.daemon.connect("alice", device_token=pb.PushRegistration(
            provider=pb.PUSH_PROVIDER_APNS, push_registration_id="own"))
        self.assertEqual(self.tokens(), [])  # absent enable_push_notifications leaves it alone
        self.set(alice)
        self.assertEqual(self.tokens(), ["apns:own"])
        self.unset(alice)
        self.assertEqual(self.tokens(), [])
        bob = self.daemon.connect("bob")
        for call in (self.set, self.unset):
            expect_error(self, "FAILED_PRECONDITION", "NO_DEVICE_TOKEN", lambda: call(bob))
        self.clear(bob)

    def test_enable_push_notifications_acts_at_the_first_login(self):
        device = pb.PushRegistration(provider=pb.PUSH_PROVIDER_FCM, push_registration_id="D")
        alice = self.daemon.connect("alice", device_token=device, enable_push_notifications=True)
        harness.wait_until(lambda: self.tokens() == ["fcm:D"], "the device is registered")
        # Not again at a later login.
        self.unset(alice)
        self.rest.fault("drop", on="request", method="GET", path="/me/conversations/x", times=1)
        with self.assertRaises(Exception):
            self.daemon.client.conversations.GetConversation(pb.GetConversationRequest(
                session_id=alice, conversation_id="x"), timeout=2)
        self.daemon.wait_state(alice, "CONNECTED", timeout=60)
        self.assertEqual(self.tokens(), [])

        two = ["fcm:D", "fcm:E"]
        self.rest.call("PUT", "/users/bob", {"name": "Bob", "pushTokens": {t: True for t in two}})
        bob = self.daemon.connect("bob", name=None, device_token=device,
                                  enable_push_notifications=False)
        harness.wait_until(lambda: self.tokens("bob") == ["fcm:E"], "the device is unregistered")
        self.rest.call("PUT", "/users/carol", {"name": "Carol", "pushTokens": {t: True for t in two}})
        self.daemon.connect("carol", name=None, device_token=device)
        self.daemon.connect("carol2", enable_push_notifications=False)
        self.assertEqual(self.tokens("carol"), two)
        self.sessions.DestroySession(pb.DestroySessionRequest(session_id=bob))
        self.assertEqual(self.tokens("bob"), ["fcm:E"])  # registrations survive
        error = expect_error(self, "INVALID_ARGUMENT", "INVALID_FIELD", lambda: self.daemon.create(
            "dora", enable_push_notifications=True))
        self.assertEqual(error.field_violations[0][0], "device_token")

    def test_what_talkjs_refuses(self):
        alice = self.daemon.connect("alice")
        self.rest.fault("status", on="request", method="PUT", path="/users/*", status=403,
                        error_code="UNAUTHORIZED")
        device = {"provider": pb.PUSH_PROVIDER_FCM, "push_registration_id": "canary-device"}
        for call in (lambda: self.set(alice, **device), lambda: self.unset(alice, **device),
                     lambda: self.clear(alice)):
            error = expect_error(self, "PERMISSION_DENIED", "PERMISSION_REFUSED", call)
            self.assertNotIn("canary-device", str(error))
        # At login it is a warning of the session, which lives.
        bob = self.daemon.connect("bob", name=None, enable_push_notifications=True,
                                  device_token=pb.PushRegistration(
                                      provider=pb.PUSH_PROVIDER_FCM,
                                      push_registration_id="canary-device"))
        session = harness.wait_until(
            lambda: self.daemon.session(bob).warnings and self.daemon.session(bob), "a warning")
        self.assertIn("push registration", " ".join(session.warnings))
        self.assertNotIn("canary-device", str(session))
        self.assertNotIn("canary-device", self.daemon.process.log())

    def test_talkjsctl_sets_unsets_and_clears(self):
        self.daemon.connect("alice")
        which = ("--session", "demo/alice", "--provider", "fcm", "--registration-id-file", "-")
        self.assertEqual(ctl.text(self, self.daemon, "push", "set", *which, given="tok\n"),
                         "registered\n")
        self.assertEqual(self.tokens(), ["fcm:tok"])
        ctl.text(self, self.daemon, "push", "unset", *which, given="tok")
        self.assertEqual(self.tokens(), [])
        ctl.text(self, self.daemon, "push", "set", *which, given="tok")
        ctl.text(self, self.daemon, "push", "clear", "--session", "demo/alice")
        self.assertEqual(self.tokens(), [])
        own = ctl.run(self.daemon, "push", "set", "--session", "demo/alice")
        self.assertEqual(own.returncode, 1)
        self.assertIn("(NO_DEVICE_TOKEN)", own.stderr)
        ctl.lines(self, self.daemon, "session", "create", "--app-id", "demo", "--user", "zoe", "--name",
                  "Zoe", "--push-provider", "apns", "--push-id-file", "-", "--enable-push", "--wait",
                  given="zoe-device\n")
        harness.wait_until(lambda: self.tokens("zoe") == ["apns:zoe-device"], "registered")


class ValidCredentials(harness.Case):

    def test_it_is_what_talkjs_says_of_the_app_id(self):
        emulator = self.start_emulator()
        daemon = self.start_daemon(upstream=emulator.host)
        rest = RestApi(emulator.host)

        def valid(session_id):
            return daemon.client.sessions.HasValidCredentials(
                pb.HasValidCredentialsRequest(session_id=session_id)).valid

        alice = daemon.connect("alice")
        self.assertTrue(valid(alice))
        # False also for a session that failed because of it.
        other = daemon.create("alice", app_id="nowhere", key=KEY).session.session_id
        daemon.wait_state(other, "FAILED", reason="APP_NOT_FOUND")
        self.assertFalse(valid(other))
        no_user = daemon.client.sessions.CreateSession(
            pb.CreateSessionRequest(app_id=harness.APP)).session.session_id
        expect_error(self, "FAILED_PRECONDITION", "ME_NOT_SET", valid, no_user)
        expect_error(self, "NOT_FOUND", "SESSION_NOT_FOUND", valid, "ses_nobody")
        self.assertEqual(ctl.text(self, daemon, "session", "valid", alice), "valid\n")
        refused = ctl.run(daemon, "session", "valid", other)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("not valid", refused.stdout)
        # What is not known is no false.
        rest.fault("status", on="http", method="GET", path="/**", status=503)
        expect_error(self, "UNAVAILABLE", "UPSTREAM_REFUSED", valid, alice)
        rest.clear_faults()
        self.assertTrue(valid(alice))
        emulator.process.stop()
        emulator.process.may_end = True
        expect_error(self, "UNAVAILABLE", "UPSTREAM_UNAVAILABLE", valid, alice)


if __name__ == "__main__":
    harness.main()
