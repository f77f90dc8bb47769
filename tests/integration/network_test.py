"""The way to TalkJS: a proxy in between, a private CA, and certificates that are not right."""

import os
import subprocess

import harness
from connect_proxy import Authority, ConnectProxy, TlsFront
from harness import expect_error, pb

HOST = "chat.example"  # a name that only the proxy can find
# Whatever this machine has: empty variables count as not set.
NO_PROXIES = {"https_proxy": "", "HTTPS_PROXY": "", "no_proxy": "", "NO_PROXY": ""}


class Networks(harness.Case):

    def setUp(self):
        super().setUp()
        self.emulator = self.start_emulator()
        self.authority = Authority(self.directory)
        self.good = self.authority.server("good", f"DNS:{HOST}")
        self.front = TlsFront(self, self.good, self.emulator.host)
        self.proxy = ConnectProxy(self, self.front.port)

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def start(self, config="", environment=None, ca_file=None):
        path = self.write("config.yaml", f"upstream:\n  ca_file: {ca_file or self.authority.file}\n{config}")
        return self.start_daemon("--config", path, upstream=HOST,
                                 environment=environment or NO_PROXIES)

    def ask(self, daemon, session_id):
        """A call that is one HTTP request of curl's."""
        return daemon.client.sessions.HasValidCredentials(
            pb.HasValidCredentialsRequest(session_id=session_id))

    def through_proxy(self):
        return {**NO_PROXIES, "HTTPS_PROXY": f"http://127.0.0.1:{self.proxy.port}"}

    def test_http_and_websocket_go_through_the_proxy_of_the_environment(self):
        daemon = self.start(environment=self.through_proxy())
        alice = daemon.connect("alice")
        self.assertTrue(self.ask(daemon, alice).valid)
        # The WebSocket's, and those that curl uses again and again.
        self.assertGreaterEqual(len(self.proxy.tunnels), 2)
        self.assertEqual(set(self.proxy.tunnels), {f"{HOST}:443"})

    def test_the_file_names_proxy_and_credentials(self):
        self.proxy.credentials = "user:canary-proxy-password"
        wrong = self.write("credentials", "user:canary-wrong\n")
        config = (f"  proxy: http://127.0.0.1:{self.proxy.port}\n"
                  f"  proxy_credentials_file: {wrong}\n")
        daemon = self.start(config)
        made = daemon.create("alice", name="Alice", key=harness.KEY)
        refused = daemon.wait_state(made.session.session_id, "CONNECTING", "RECONNECTING",
                                    reason="UPSTREAM_UNAVAILABLE")
        self.assertIn("refused its credentials (407)", refused.reason_message)
        self.assertIn(f"the proxy 127.0.0.1:{self.proxy.port}", refused.reason_message)
        failed = expect_error(self, "UNAVAILABLE", "UPSTREAM_UNAVAILABLE", self.ask, daemon,
                              made.session.session_id)
        self.assertIn("(407)", failed.message)
        self.assertNotIn("canary", daemon.process.log() + refused.reason_message + daemon.metrics())
        self.assertEqual(daemon.stop()[0], 0)
        self.write("credentials", self.proxy.credentials + "\n")
        daemon = self.start(config)
        daemon.connect("alice")
        self.assertNotIn("canary", daemon.process.log())

    def test_a_proxy_in_trouble_is_named(self):
        self.proxy.status = "502 Bad Gateway"
        daemon = self.start(environment=self.through_proxy())
        made = daemon.create("alice", name="Alice", key=harness.KEY)
        refused = daemon.wait_state(made.session.session_id, "CONNECTING", "RECONNECTING",
                                    reason="UPSTREAM_UNAVAILABLE")
        self.assertIn("answered HTTP status 502", refused.reason_message)
        self.proxy.status = None
        daemon.wait_state(made.session.session_id, "CONNECTED", timeout=60)

    def test_what_is_listed_or_loopback_is_reached_directly(self):
        environment = {**self.through_proxy(), "NO_PROXY": "other.example, .example"}
        daemon = self.start(environment=environment)
        made = daemon.create("alice", name="Alice", key=harness.KEY)
        refused = daemon.wait_state(made.session.session_id, "CONNECTING", "RECONNECTING",
                                    reason="UPSTREAM_UNAVAILABLE")
        self.assertIn("its name was not found", refused.reason_message)
        local = self.start_daemon(upstream=self.emulator.host, environment=self.through_proxy())
        local.connect("bob")
        self.assertEqual(self.proxy.tunnels, [])
        self.assertEqual(self.proxy.refused, 0)

    def test_only_the_right_certificate_is_accepted(self):
        other = Authority(self.directory, "other-ca")
        bad = {
            "hostname mismatch": self.authority.server("wrong-host", "DNS:other.example"),
            "certificate has expired": self.authority.server("expired", f"DNS:{HOST}", days="-1"),
            "self-signed certificate": self.authority.self_signed("self-signed", f"DNS:{HOST}"),
            "unable to get local issuer certificate": other.server("stranger", f"DNS:{HOST}"),
        }
        environment = self.through_proxy()
        for error, certificate in bad.items():
            with self.subTest(error):
                self.front.use(certificate)
                daemon = self.start(environment=environment)
                made = daemon.create("alice", name="Alice", key=harness.KEY)
                refused = daemon.wait_state(made.session.session_id, "CONNECTING", "RECONNECTING",
                                            reason="UPSTREAM_UNAVAILABLE")
                self.assertIn(error, refused.reason_message)
                failed = expect_error(self, "UNAVAILABLE", "UPSTREAM_UNAVAILABLE", self.ask, daemon,
                                      made.session.session_id)
                self.assertIn("certificate", failed.message)
        self.front.use(self.good)
        self.start(environment=environment).connect("bob")

    def test_a_new_ca_is_trusted_after_a_reload(self):
        other = Authority(self.directory, "other-ca")
        daemon = self.start(environment=self.through_proxy(), ca_file=other.file)
        made = daemon.create("alice", name="Alice", key=harness.KEY)
        daemon.wait_state(made.session.session_id, "CONNECTING", "RECONNECTING",
                          reason="UPSTREAM_UNAVAILABLE")
        self.write("config.yaml", f"upstream:\n  ca_file: {self.authority.file}\n")
        daemon.reload()
        daemon.wait_state(made.session.session_id, "CONNECTED", timeout=60)

    def test_what_cannot_be_is_refused_at_the_start(self):
        for environment, flags, error in (
                ({"HTTPS_PROXY": "socks5://u:canary@127.0.0.1:1"}, (), "$HTTPS_PROXY: must be http://host:port"),
                ({}, ("--upstream-host", "192.0.2.1:80"), "without TLS"),
                ({}, ("--upstream-host", "localhost.example"), "without TLS")):
            run = subprocess.run([os.path.join(harness.BIN, "talkjsd"), "--listen", f"unix://{self.directory}/x.sock",
                                  "--state-dir", f"{self.directory}/x", *flags], env={**os.environ, **NO_PROXIES, **environment},
                                 capture_output=True, text=True, timeout=harness.PATIENCE)
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn(error, run.stderr)
            self.assertNotIn("canary", run.stderr)


if __name__ == "__main__":
    harness.main()
