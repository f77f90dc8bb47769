"""TCP listeners: TLS, client certificates, bearer tokens; and what is refused there."""

import os
import re
import shutil
import ssl
import subprocess
import time

import grpc
import harness
import listeners
from harness import pb
from listeners import Authority, bearer_channel, openssl

ALL = {"name": "all", "admin": True}
SHOP = "shop-canary-token-0123456789"
BANK = "bank-canary-token-0123456789"


class Tls(listeners.Case):

    def setUp(self):
        super().setUp()
        self.servers = Authority(self.directory, "servers")
        self.clients = Authority(self.directory, "clients")
        self.cert, self.key = self.servers.sign("server", "IP:127.0.0.1,DNS:localhost")
        self.tokens = os.path.join(self.directory, "tokens")
        self.write_tokens(f"shop:{SHOP}\nbank:{BANK}\n")

    def write_tokens(self, text, mode=0o600):
        temporary = self.tokens + ".new"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, mode)
        os.rename(temporary, self.tokens)

    def mtls(self, *policies):
        return {"address": "127.0.0.1:0", "policies": list(policies) or [ALL], "tls": {
            "certificate_file": self.cert, "key_file": self.key,
            "client_ca_file": self.clients.cert}}

    def bearers(self, *policies):
        return {"address": "127.0.0.1:0", "policies": list(policies) or [ALL],
                "bearer_tokens_file": self.tokens,
                "tls": {"certificate_file": self.cert, "key_file": self.key}}

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def credentials(self, pair=None, authority=None):
        cert, key = pair or (None, None)
        return grpc.ssl_channel_credentials(
            self.read((authority or self.servers).cert), key and self.read(key),
            cert and self.read(cert))

    def info(self, daemon, credentials, token=None, timeout=harness.PATIENCE):
        channel = bearer_channel(daemon.address, token, credentials)
        try:
            client = harness.talkjsd.Client(daemon.address, channel=channel, timeout=timeout,
                                            connect_timeout=timeout)
            return client.daemon.GetInfo(pb.GetInfoRequest())
        finally:
            channel.close()

    def expect_no_connection(self, daemon, credentials):
        with self.assertRaises(harness.talkjsd.Error) as caught:
            self.info(daemon, credentials, timeout=2.0)
        self.assertTrue(caught.exception.unreachable, caught.exception)

    def test_client_certificates(self):
        daemon = self.start_configured([self.mtls(
            {"name": "web", "sans": ["spiffe://shop/*"]},
            {"name": "readers", "sans": ["*.readers.shop"], "read_only": True})])
        good = self.clients.sign("web", "URI:spiffe://shop/web")
        self.info(daemon, self.credentials(good))
        reader = self.clients.sign("reader", "DNS:a.readers.shop,IP:10.0.0.1")
        client = self.client(daemon.address,
                             bearer_channel(daemon.address, None, self.credentials(reader)))
        client.daemon.GetInfo(pb.GetInfoRequest())
        denied = self.expect_denied(client.sessions.CreateSession, listeners.session_request())
        self.assertEqual(denied.metadata["policy"], "readers")
        self.assertIn("peer=san:", daemon.process.log())
        stranger = self.clients.sign("stranger", "DNS:a.b.readers.shop,URI:spiffe://shop/a/b")
        with self.assertRaises(harness.talkjsd.Error) as caught:
            self.info(daemon, self.credentials(stranger))
        self.assertEqual(caught.exception.reason, "ACCESS_DENIED")

    def test_certificates_that_do_not_count(self):
        daemon = self.start_configured([self.mtls()])
        self.info(daemon, self.credentials(self.clients.sign("good", "DNS:good")))
        self.expect_no_connection(daemon, self.credentials())  # missing
        expired = self.clients.sign("expired", "DNS:expired", days=-1)
        self.expect_no_connection(daemon, self.credentials(expired))
        other = Authority(self.directory, "others")
        self.expect_no_connection(daemon, self.credentials(other.sign("other", "DNS:good")))
        self.expect_no_connection(daemon, self.credentials((other.cert, other.key)))  # self-signed
        # And from the other side: a client that does not trust the server.
        self.expect_no_connection(
            daemon, self.credentials(self.clients.sign("good2", "DNS:good"), authority=other))
        self.info(daemon, self.credentials(self.clients.sign("good3", "DNS:good")))

    def test_the_servers_name_is_checked_and_its_expiry(self):
        self.cert, self.key = self.servers.sign("wrong", "DNS:elsewhere.example")
        daemon = self.start_configured([self.bearers()])
        self.expect_no_connection(daemon, self.credentials())
        daemon.process.stop()
        daemon.process.may_end = True
        self.cert, self.key = self.servers.sign("late", "IP:127.0.0.1", days=-1)
        daemon = self.start_configured([self.bearers()])
        self.expect_no_connection(daemon, self.credentials())

    def test_tls_1_2_at_least(self):
        daemon = self.start_configured([self.bearers()])
        host, port = daemon.address.split(":")

        def handshake(*flags):
            return subprocess.run(
                ["openssl", "s_client", "-connect", f"{host}:{port}", "-alpn", "h2", "-CAfile",
                 self.servers.cert, "-verify_return_error", *flags], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, errors="replace", check=False,
                timeout=harness.PATIENCE)
        # At security level 0 the client would speak it.
        old = handshake("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        self.assertNotEqual(old.returncode, 0)
        self.assertIn("no peer certificate available", old.stdout)
        harness.wait_until(lambda: "unsupported protocol" in daemon.process.log(), "its cause")
        for flag in ("-tls1_2", "-tls1_3"):
            new = handshake(flag)
            self.assertIn("Verify return code: 0 (ok)", new.stdout, new.stderr)

    def test_bearer_tokens(self):
        daemon = self.start_configured([self.bearers(
            {"name": "shop", "bearers": ["shop"]},
            {"name": "bank", "bearers": ["bank"], "read_only": True})])
        credentials = self.credentials()
        self.info(daemon, credentials, SHOP)
        for token in (None, SHOP + "x", SHOP[:-1], "", "shop"):
            with self.assertRaises(harness.talkjsd.Error) as caught:
                self.info(daemon, credentials, token)
            self.assertEqual((caught.exception.code.name, caught.exception.reason),
                             ("UNAUTHENTICATED", "ACCESS_DENIED"))
            self.assertNotIn(SHOP[:-1], caught.exception.message)
        bank = self.client(daemon.address, bearer_channel(daemon.address, BANK, credentials))
        self.expect_denied(bank.sessions.CreateSession, listeners.session_request())
        log = daemon.process.log()
        self.assertIn("peer=bearer:bank", log)
        for secret in (SHOP[:-1], BANK):
            self.assertNotIn(secret, log)

    def test_a_token_is_revoked(self):
        daemon = self.start_configured([self.bearers()])
        credentials = self.credentials()

        def stream(token):
            return harness.MessageReader(
                daemon, pb.StreamMessagesRequest(),
                bearer_channel(daemon.address, token, credentials)).wait_open()
        shop, bank = stream(SHOP), stream(BANK)
        start = time.monotonic()
        self.write_tokens(f"bank:{BANK}\n")
        error = shop.wait_end()
        self.assertEqual((error.code.name, error.reason), ("PERMISSION_DENIED", "ACCESS_DENIED"))
        self.assertLess(shop.ended_at - start, 5.0 if harness.SANITIZED else 1.5)
        self.assertIsNone(bank.error)
        with self.assertRaises(harness.talkjsd.Error):
            self.info(daemon, credentials, SHOP)
        # A file that is wrong changes nothing, by itself or at a reload.
        self.write_tokens("bank\n")
        self.reload(daemon, [self.bearers()])
        self.assertIn("line 1", daemon.process.log())
        self.assertIsNone(bank.error)
        self.write_tokens(f"shop:{SHOP}\n")
        self.reload(daemon, [self.bearers()])
        self.assertEqual(bank.wait_end().reason, "ACCESS_DENIED")
        self.info(daemon, credentials, SHOP)

    def test_a_new_certificate_is_used_without_a_restart(self):
        daemon = self.start_configured([self.bearers()])
        host, port = daemon.address.split(":")

        def served():
            # Python's ssl knows no ALPN-less HTTP/2, but the handshake is enough.
            pem = ssl.get_server_certificate((host, int(port)))
            return openssl("x509", "-noout", "-subject", input=pem.encode()).stdout.decode()
        self.assertIn("server", served())
        cert, key = self.servers.sign("renewed", "IP:127.0.0.1")
        shutil.copy(key, self.key)
        shutil.copy(cert, self.cert)
        harness.wait_until(lambda: "renewed" in served(), "the new certificate")
        self.info(daemon, self.credentials(), SHOP)

    def test_what_is_no_listener_is_refused_at_start(self):
        os.chmod(self.key, 0o644)
        self.expect_no_start("chmod", self.bearers())
        os.chmod(self.key, 0o600)
        self.write_tokens(f"shop:{SHOP}\n", mode=0o644)
        self.expect_no_start("chmod", self.bearers())
        self.write_tokens("shop:short\n")
        self.assertNotIn("short", self.expect_no_start("line 1", self.bearers()))
        self.write_tokens(f"shop:{SHOP}\n")
        mixed = self.bearers()
        mixed["tls"]["key_file"] = self.clients.sign("x", "DNS:x")[1]
        self.expect_no_start("private key", mixed)
        for address, more, says in (
                ("127.0.0.1:0", {}, "plaintext_on_loopback"),
                ("0.0.0.0:0", {"plaintext_on_loopback": True}, "loopback"),
                ("example.org:80", {}, "address")):
            self.expect_no_start(says, {"address": address, "policies": [ALL], **more})

    def expect_no_start(self, says, listener):
        daemon = self.start_configured([listener], wait=False)
        daemon.process.may_end = True
        self.assertIn(daemon.process.wait(), (1, 2))
        self.assertRegex(daemon.process.log(), re.compile(says, re.IGNORECASE))
        return daemon.process.log()

    def test_plaintext_on_loopback_when_it_is_asked_for(self):
        daemon = self.start_configured([
            {"address": "127.0.0.1:0", "plaintext_on_loopback": True,
             "policies": [{"name": "readers", "read_only": True}]},
            {"address": "127.0.0.1:0", "plaintext_on_loopback": True,
             "bearer_tokens_file": self.tokens, "policies": [ALL]}])
        client = self.client(daemon.addresses[0])
        client.daemon.GetInfo(pb.GetInfoRequest())
        self.expect_denied(client.sessions.CreateSession, listeners.session_request())
        second = daemon.addresses[1]
        self.client(second, bearer_channel(second, SHOP)).daemon.GetInfo(pb.GetInfoRequest())
        harness.expect_error(self, "UNAUTHENTICATED", "ACCESS_DENIED",
                             self.client(second).daemon.GetInfo, pb.GetInfoRequest())

    def test_talkjsctl(self):
        daemon = self.start_configured([self.mtls(), self.bearers()])
        token_file = os.path.join(self.directory, "token")
        with open(token_file, "w", encoding="utf-8") as file:
            file.write(SHOP + "\n")
        cert, key = self.clients.sign("ctl", "DNS:ctl")

        def ctl(address, *flags, **environment):
            return subprocess.run(
                [os.path.join(harness.BIN, "talkjsctl"), "--address", address, "--timeout", "3",
                 *flags, "status"], capture_output=True, text=True, check=False,
                env={**os.environ, **environment}, timeout=harness.PATIENCE)
        mtls, bearers = daemon.addresses
        ca = ("--ca-file", self.servers.cert)
        for address, flags, environment, code in (
                (mtls, (*ca, "--cert-file", cert, "--key-file", key), {}, 0),
                (bearers, (*ca, "--bearer-token-file", token_file), {}, 0),
                (bearers, ca, {"TALKJSD_BEARER_TOKEN_FILE": token_file}, 0),
                (bearers, ca, {}, 1),  # no token
                (mtls, ca, {}, 3),  # no certificate
                (bearers, ("--tls",), {}, 3),  # the authority is not one of the system's
                (bearers, (), {}, 3),  # no TLS
                (mtls, (*ca, "--cert-file", cert), {}, 2),
                (mtls, ("--ca-file", "/gone"), {}, 2),
                ("10.1.2.3:4", ("--bearer-token-file", token_file), {}, 2)):
            done = ctl(address, *flags, **environment)
            self.assertEqual(done.returncode, code, f"{flags}: {done.stdout}{done.stderr}")
            self.assertNotIn(SHOP, done.stdout + done.stderr)


if __name__ == "__main__":
    harness.main()
