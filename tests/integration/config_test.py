"""The configuration file: what is refused, the example, and sessions that the file declares."""

import os
import re
import subprocess

import harness
from harness import pb, token

EXAMPLE = os.path.join(harness.ROOT, "deploy", "config.example.yaml")


class Configuration(harness.Case):

    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.directory, "config.yaml")

    def write(self, text, path=None):
        with open(path or self.file, "w", encoding="utf-8") as file:
            file.write(text)
        return path or self.file

    def run_talkjsd(self, *flags, environment=None):
        return subprocess.run([os.path.join(harness.BIN, "talkjsd"), *flags], capture_output=True, text=True,
                              env={**os.environ, **(environment or {})}, timeout=harness.PATIENCE)

    def test_check_config_tells_all_problems(self):
        self.write("shards: 0\nlimits:\n  session: 4\nlog: {level: loud}\n")
        run = self.run_talkjsd("--check-config", "--config", self.file)
        self.assertEqual(run.returncode, 2)
        self.assertEqual(run.stdout, "")
        self.assertEqual(run.stderr.splitlines(), [
            f"talkjsd: {self.file}:1: shards: must be a number from 1 to 64 (INVALID_FIELD)",
            f"talkjsd: {self.file}:3: limits.session: unknown key; did you mean sessions? (INVALID_FIELD)",
            f"talkjsd: {self.file}:4: log.level: must be debug, info, warning or error (INVALID_FIELD)"])
        # The same, when it is to run.
        self.assertEqual(self.run_talkjsd("--config", self.file).stderr, run.stderr)

    def test_the_example_is_right_as_it_is_and_with_every_key(self):
        run = self.run_talkjsd("--check-config", "--config", EXAMPLE)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        with open(EXAMPLE, encoding="utf-8") as file:
            example = file.read()
        # Keys begin right behind the '#', remarks behind a space.
        uncommented = re.sub(r"(?m)^#(?=[a-z]|  )", "", example)
        proto = os.path.join(harness.ROOT, "proto", "talkjs", "sidecar", "config", "v1", "config.proto")
        with open(proto, encoding="utf-8") as file:
            keys = set(re.findall(r"(?m)^ +[\w.]+(?: \w+)? (\w+) = \d+;", file.read()))
        self.assertGreater(len(keys), 50)
        self.assertEqual(keys, set(re.findall(r"(?m)^[ -]*(\w+):", re.sub(r"\{.*\}", "", uncommented))))
        # Files and paths that this machine has.
        for path in set(re.findall(r"(?<=_file: )\S+", uncommented)):
            here = os.path.join(self.directory, os.path.basename(path))
            self.write("user:0123456789abcdef\n", here)
            os.chmod(here, 0o600)
            uncommented = uncommented.replace(path, here)
        self.write(uncommented)
        run = self.run_talkjsd("--check-config", "--config", self.file)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn("no problems", run.stdout)

    def test_flags_win_over_variables_and_these_over_the_file(self):
        self.write("log: {level: error, format: json}\nlimits: {sessions: 1}\n")
        daemon = self.start_daemon("--config", self.file, environment={"TALKJSD_LOG_FORMAT": "text"})
        # The harness gives --log-level debug.
        self.assertIn("talkjsd started", daemon.process.log())
        self.assertNotIn("{", daemon.process.log().splitlines()[0])
        daemon.create("alice", key=harness.KEY)
        harness.expect_error(self, "RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED",
                             lambda: daemon.create("bob", key=harness.KEY))

    def declared(self, *entries):
        return self.write("sessions:\n" + "".join(f"  - {entry}\n" for entry in entries))

    def sessions(self, daemon):
        """{user: session}"""
        found = daemon.client.sessions.ListSessions(pb.ListSessionsRequest()).sessions
        return {session.user_id: session for session in found}

    def test_declared_sessions_are_there_and_remembered(self):
        emulator = self.start_emulator()
        key = self.write(harness.KEY + "\n", os.path.join(self.directory, "key"))
        jwt = self.write(token("bob") + "\n", os.path.join(self.directory, "jwt"))
        alice = f"{{app_id: demo, user_id: alice, user_name: Alice, signing_key_file: {key}}}"
        bob = f"{{app_id: demo, user_id: bob, user_name: Bob, user_role: bot, token_file: {jwt}}}"
        carol = f"{{app_id: demo, user_id: carol, signing_key_file: {self.directory}/missing}}"
        self.declared(alice, bob, carol)
        daemon = self.start_daemon("--config", self.file, upstream=emulator.host)
        first = self.sessions(daemon)
        self.assertEqual(set(first), {"alice", "bob"})  # carol's trouble is logged
        self.assertRegex(daemon.process.log(), r"declared session is in trouble.*user=carol.*missing")
        self.assertNotIn(harness.KEY, daemon.process.log())
        for user in first:
            daemon.wait_state(first[user].session_id, "CONNECTED")
        dave = daemon.connect("dave")
        # The same ones after a restart, and one is taken out while the daemon is down.
        self.assertEqual(daemon.stop()[0], 0)
        self.declared(alice)
        daemon = self.start_daemon("--config", self.file, upstream=emulator.host, state_dir=daemon.state_dir)
        second = self.sessions(daemon)
        self.assertEqual(set(second), {"alice", "dave"})
        self.assertEqual(second["alice"].session_id, first["alice"].session_id)
        self.assertEqual(second["dave"].session_id, dave)
        daemon.wait_state(second["alice"].session_id, "CONNECTED")


if __name__ == "__main__":
    harness.main()
