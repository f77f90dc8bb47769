"""SIGHUP: what changes live, what waits for a restart, and a file that makes no sense."""

import os

import harness
from harness import pb, token


class Reloads(harness.Case):

    def setUp(self):
        super().setUp()
        self.emulator = self.start_emulator()
        self.file = os.path.join(self.directory, "config.yaml")
        self.key = os.path.join(self.directory, "key")
        self.write(harness.KEY, self.key)

    def write(self, text, path=None):
        with open(path or self.file, "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, text):
        self.write(text)
        return self.start_daemon("--config", self.file, upstream=self.emulator.host)

    def declare(self, *users, rest=""):
        entries = "".join(
            f"  - {{app_id: demo, user_id: {user}, user_name: {user}, signing_key_file: {self.key}}}\n"
            for user in users)
        return f"{rest}\nsessions:\n{entries}"

    def sessions(self, daemon):
        """{user: session}"""
        found = daemon.client.sessions.ListSessions(pb.ListSessionsRequest()).sessions
        return {session.user_id: session for session in found}

    def test_sessions_come_and_go_and_the_rest_is_left_alone(self):
        daemon = self.start(self.declare("alice", "bob"))
        before = self.sessions(daemon)
        alice = daemon.wait_state(before["alice"].session_id, "CONNECTED")
        bob = before["bob"].session_id
        daemon.wait_state(bob, "CONNECTED")
        connects = daemon.metric("talkjsd_upstream_connects_total")
        reader = daemon.messages(bob).wait_open()
        self.write(self.declare("alice", "carol"))
        said = daemon.reload()
        self.assertIn("sessions[demo/bob], sessions[demo/carol]", said)
        after = self.sessions(daemon)
        self.assertEqual(set(after), {"alice", "carol"})
        self.assertEqual(reader.wait_end().reason, "SESSION_DESTROYED")
        daemon.wait_state(after["carol"].session_id, "CONNECTED")
        self.assertEqual(after["alice"].session_id, alice.session_id)
        self.assertEqual(after["alice"].state_since_time, alice.state_since_time)
        self.assertEqual(daemon.metric("talkjsd_upstream_connects_total"), connects + 1)
        self.assertIn("changed=nothing", daemon.reload())
        self.assertEqual(self.sessions(daemon)["alice"].state_since_time, alice.state_since_time)

    def test_credentials_that_changed_are_replaced(self):
        self.write("not-the-key", self.key)
        daemon = self.start(self.declare("alice"))
        alice = self.sessions(daemon)["alice"].session_id
        daemon.wait_state(alice, "FAILED", "WAITING_FOR_TOKEN")
        self.write(harness.KEY, self.key)
        daemon.reload()
        daemon.wait_state(alice, "CONNECTED")
        # Of another kind, too.
        jwt = os.path.join(self.directory, "jwt")
        self.write(token("alice"), jwt)
        self.write(f"sessions: [{{app_id: demo, user_id: alice, token_file: {jwt}}}]\n")
        daemon.reload()
        session = self.sessions(daemon)["alice"]
        self.assertEqual(session.session_id, alice)
        self.assertEqual(pb.CredentialKind.Name(session.credential_kind), "CREDENTIAL_KIND_FILE_FETCHER")
        daemon.wait_state(alice, "CONNECTED")
        self.assertNotIn(harness.KEY, daemon.process.log())

    def test_a_file_that_makes_no_sense_changes_nothing(self):
        daemon = self.start(self.declare("alice"))
        alice = self.sessions(daemon)["alice"].session_id
        daemon.wait_state(alice, "CONNECTED")
        self.write("sessions: []\nshards: 0\nlimits: {streams: x}\n")
        daemon.reload()
        said = harness.wait_until(lambda: "limits.streams" in daemon.process.log() and daemon.process.log(),
                                  "both problems")
        self.assertIn(f"{self.file}:2: shards: must be a number from 1 to 64", said)
        self.assertIn(f"{self.file}:3: limits.streams: must be a number", said)
        os.remove(self.file)
        self.assertIn("No such file", daemon.reload())
        self.assertEqual(daemon.session(alice).state, pb.SESSION_STATE_CONNECTED)

    def test_what_waits_for_a_restart_is_named(self):
        daemon = self.start("shards: 1\n")
        self.write("shards: 2\nstate: {journal_retention_age: 8d}\n")
        for _ in range(2):  # still so the second time
            said = daemon.reload()
            self.assertRegex(said, r"wait for a restart.*state\.journal_retention_age, shards")
        self.write("shards: 1\n")
        self.assertNotIn("wait for a restart", daemon.reload())

    def test_the_log_level_changes(self):
        self.write("log: {level: error}\n")
        daemon = harness.Daemon(self, ("--config", self.file), upstream=self.emulator.host, log_level=None)
        self.assertEqual(daemon.process.log(), "")
        self.write("log: {level: info}\n")
        self.assertIn("changed=log.level", daemon.reload())


if __name__ == "__main__":
    harness.main()
