"""What the tests of access share: daemons with a configuration file, other users, certificates."""

import json
import os
import signal
import subprocess
import sys

import grpc
import harness
import talkjsd
from harness import pb

NOBODY = 65534
OTHER = 12345

# A pipe to a Unix socket: whoever connects to it is its user there.
RELAY = """
import socket, sys, threading
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(64)
print("ready", flush=True)

def pump(a, b):
    try:
        while True:
            data = a.recv(65536)
            if not data:
                break
            b.sendall(data)
    except OSError:
        pass
    for end in (a, b):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

while True:
    near, _ = listener.accept()
    far = socket.socket(socket.AF_UNIX)
    try:
        far.connect(sys.argv[2])
    except OSError:
        near.close()
        continue
    for ends in ((near, far), (far, near)):
        threading.Thread(target=pump, args=ends, daemon=True).start()
"""


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, **options)


class Authority:
    """A certificate authority of its own, and what it signs."""

    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        self.cert, self.key = self.path("ca.pem"), self.path("ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert)

    def path(self, file):
        return os.path.join(self.directory, f"{self.name}-{file}")

    def sign(self, name, sans, days=2):
        """(certificate, key): the paths of a new pair; days=-1: it has expired."""
        cert, key, request = (self.path(f"{name}.{end}") for end in ("pem", "key", "csr"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        os.chmod(key, 0o600)
        extensions = self.path(f"{name}.ext")
        with open(extensions, "w", encoding="utf-8") as file:
            file.write(f"subjectAltName={sans}\n")
        serial = str(int.from_bytes(os.urandom(8), "big") | 1)
        if days > 0:
            openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key,
                    "-set_serial", serial, "-days", str(days), "-extfile", extensions, "-out", cert)
        else:
            self._sign_expired(request, extensions, cert)
        return cert, key

    def _sign_expired(self, request, extensions, cert):
        config, index = self.path("ca.cnf"), self.path("index")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[ca]\ndefault_ca=c\n[c]\ndatabase={index}\nnew_certs_dir={self.directory}\n"
                       "rand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        with open(index, "w", encoding="utf-8"):
            pass
        openssl("ca", "-batch", "-config", config, "-cert", self.cert, "-keyfile", self.key,
                "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-notext",
                "-extfile", extensions, "-in", request, "-out", cert)


class Case(harness.Case):

    def setUp(self):
        super().setUp()
        os.chmod(self.directory, 0o755)  # other users connect to sockets in it
        self.config_path = os.path.join(self.directory, "config.yaml")

    def write_config(self, listeners, **more):
        # JSON is YAML, too.
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump({"listeners": listeners, **more}, file)

    def start_configured(self, listeners, wait=True, environment=None, wrapper=(), **more):
        """A daemon with its own emulator and these listeners; .address is the first one's.

        wrapper: a command that becomes the daemon's (prlimit ...)."""
        self.write_config(listeners, **more)
        return Daemon(self, wait, environment, wrapper)

    def socket(self, name="d"):
        return f"unix://{self.directory}/{name}.sock"

    def reload(self, daemon, listeners, **more):
        before = daemon.process.log().count("configuration reloaded")
        self.write_config(listeners, **more)
        daemon.process.popen.send_signal(signal.SIGHUP)
        harness.wait_until(
            lambda: daemon.process.log().count("configuration reloaded") > before, "reloaded")

    def client(self, address, channel=None):
        client = talkjsd.Client(address, timeout=harness.PATIENCE, channel=channel,
                                connect_timeout=harness.PATIENCE)
        self.addCleanup(client.close)
        return client

    def as_uid(self, uid, address, gid=None):
        """The address at which the daemon takes whoever connects for this user."""
        directory = os.path.join(self.directory, f"relay-{uid}-{gid}")
        os.mkdir(directory, mode=0o755)
        os.chown(directory, uid, -1)
        path = os.path.join(directory, "s")
        relay = subprocess.Popen(
            [sys.executable, "-c", RELAY, path, address[len("unix://"):]], stdout=subprocess.PIPE,
            user=uid, group=uid if gid is None else gid, extra_groups=[], cwd="/")
        self.addCleanup(relay.stdout.close)
        self.addCleanup(relay.wait)
        self.addCleanup(relay.kill)
        self.assertEqual(relay.stdout.readline(), b"ready\n")
        return "unix://" + path

    def expect_denied(self, call, *arguments):
        return harness.expect_error(self, "PERMISSION_DENIED", "ACCESS_DENIED", call, *arguments)


class Daemon(harness.Daemon):
    """A talkjsd of a configuration file, with an emulator inside."""

    def __init__(self, case, wait, environment, wrapper=()):  # pylint: disable=super-init-not-called
        self.case = case
        self.state_dir = os.path.join(case.directory, "state")
        os.makedirs(self.state_dir, mode=0o700, exist_ok=True)
        self.metrics_port = harness.free_port()
        self.process = case.spawn("talkjsd", [
            *wrapper, os.path.join(harness.BIN, "talkjsd"), "--config", case.config_path, "--state-dir",
            self.state_dir, "--metrics", f"127.0.0.1:{self.metrics_port}", "--emulator"],
            environment)
        self._client = None
        self.addresses = []
        if wait:
            self.process.wait_ready(r"^talkjsd listening on ")
            said = self.process.output()
            self.addresses = [line.split()[-1] for line in said.splitlines()
                              if line.startswith("talkjsd listening on ")]
            self.address = self.addresses[0]
            self.socket = self.address[len("unix://"):]


def session_request(app=harness.APP, user="alice", **fields):
    request = pb.CreateSessionRequest(app_id=app, user_id=user, **fields)
    request.signing_key.secret_key = harness.KEY
    return request


def bearer_channel(address, token=None, credentials=None):
    """A channel that sends the token with every call; credentials: of TLS, None = plaintext."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channel = (grpc.insecure_channel(address, options=options) if credentials is None
               else grpc.secure_channel(address, credentials, options=options))
    if token is None:
        return channel
    return grpc.intercept_channel(channel, _Bearer(token))


class _Details(grpc.ClientCallDetails):
    def __init__(self, details, metadata):
        self.method, self.timeout, self.metadata = details.method, details.timeout, metadata
        self.credentials, self.wait_for_ready = details.credentials, details.wait_for_ready
        self.compression = None


class _Bearer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    def __init__(self, token):
        self._metadata = ("authorization", f"Bearer {token}")

    def _with(self, details):
        return _Details(details, [*(details.metadata or ()), self._metadata])

    def intercept_unary_unary(self, continuation, client_call_details, request):
        return continuation(self._with(client_call_details), request)

    def intercept_unary_stream(self, continuation, client_call_details, request):
        return continuation(self._with(client_call_details), request)
