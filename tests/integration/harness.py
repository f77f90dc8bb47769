"""What the integration tests share: the programs as real processes, tokens, gRPC, and waiting.

The programs are those in $TALKJSD_BIN (build/dev/bin when unset); the Python stubs are the ones the
build has put beside them, or are generated anew. Nothing here sleeps and hopes: every wait has a
condition and a deadline. Deadlines are generous, because a sanitizer's build on a busy machine must
pass, too.
"""

import base64
import hashlib
import hmac
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("TALKJSD_BIN") or os.path.join(ROOT, "build", "dev", "bin")
APP = "demo"
KEY = "sk_test_demo"
SANITIZED = bool(os.environ.get("TALKJSD_SANITIZE"))  # the programs are a sanitizer's build
PATIENCE = 30.0  # seconds for whatever should happen at once


def _python_stubs():
    built = os.path.join(os.path.dirname(BIN), "python")
    if os.path.exists(os.path.join(built, "talkjsd", "__init__.py")):
        return built
    made = tempfile.mkdtemp(prefix="talkjsd-stubs-")
    subprocess.run([os.path.join(ROOT, "client", "python", "generate"), made], check=True)
    unittest.addModuleCleanup(shutil.rmtree, made, ignore_errors=True)
    return made


sys.path.insert(0, _python_stubs())

import grpc  # noqa: E402  pylint: disable=wrong-import-position
import talkjsd  # noqa: E402  pylint: disable=wrong-import-position
from talkjsd import pb  # noqa: E402  pylint: disable=wrong-import-position

STATES = pb.SessionState


def wait_until(condition, what, timeout=PATIENCE):
    """Polls until condition() is truthy and returns that; what: for the failure's message."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what() if callable(what) else what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(user, key=KEY, header=None, **claims):
    """A JWT for the user, valid for a day; claims override, None leaves one out."""
    body = {"tokenType": "user", "iss": APP, "sub": user, "exp": int(time.time()) + 86400, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    head = header or {"alg": "HS256", "typ": "JWT"}
    signed = ".".join(_base64url(json.dumps(part).encode()) for part in (head, body))
    mac = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64url(mac)}"


def signature(user, key=KEY):
    return hmac.new(key.encode(), user.encode(), hashlib.sha256).hexdigest()


class Process:
    """A program with its output in files. ready: a regular expression for a line on stdout."""

    def __init__(self, name, command, directory, environment=None):
        self.name, self.command = name, command
        self.out_path = os.path.join(directory, f"{name}.out")
        self.log_path = os.path.join(directory, f"{name}.log")
        with open(self.out_path, "wb") as out, open(self.log_path, "wb") as log:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                env={**os.environ, **(environment or {})})

    def output(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_ready(self, pattern):
        def ready():
            if self.popen.poll() is not None:
                raise AssertionError(
                    f"{self.name} ended with {self.popen.returncode}:\n{self.log()[-4000:]}")
            return re.search(pattern, self.output(), re.MULTILINE)
        return wait_until(ready, lambda: f"{self.name} is ready:\n{self.log()[-4000:]}")

    def wait(self, timeout=PATIENCE):
        """The exit code."""
        return self.popen.wait(timeout)

    def stop(self):
        """SIGTERM; returns the exit code and how many seconds it took."""
        start = time.monotonic()
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            code = self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end on SIGTERM:\n{self.log()[-4000:]}") from None
        return code, time.monotonic() - start

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()

    def complaints(self):
        """What no program may ever write; empty = nothing."""
        said = self.log()
        found = re.search(r".*(Sanitizer|runtime error:|terminate called|Assertion).*", said)
        return said[max(0, found.start() - 200):found.start() + 6000] if found else ""


class Case(unittest.TestCase):
    """A test case that owns processes: started with start_*, checked and ended after the test."""

    def setUp(self):
        # Short: a socket's path has 107 characters at most.
        self.directory = tempfile.mkdtemp(prefix="talkjsd-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.processes = []
        self._names = 0
        self.addCleanup(self._end_processes)

    def _end_processes(self):
        try:
            for process in reversed(self.processes):
                died = process.popen.poll()
                if died is not None and not process.may_end:
                    self.fail(f"{process.name} died with {died}:\n{process.log()[-6000:]}")
                if died is None:
                    code, _ = process.stop()
                    self.assertEqual(code, 0, f"{process.name}:\n{process.log()[-6000:]}")
                self.assertEqual(process.complaints(), "", process.name)
        finally:
            for process in self.processes:
                process.kill()

    def spawn(self, name, command, environment=None, may_end=False):
        self._names += 1
        process = Process(f"{name}-{self._names}", command, self.directory, environment)
        process.may_end = may_end
        self.processes.append(process)
        return process

    def start_emulator(self, *flags):
        return Emulator(self, flags)

    def start_daemon(self, *flags, **options):
        return Daemon(self, flags, **options)


class KeptStateCase(Case):
    """Daemons one after the other on one state directory, with one emulator as TalkJS."""

    def setUp(self):
        super().setUp()
        self.emulator = self.start_emulator()
        self.state_dir = os.path.join(self.directory, "state")

    def start(self, *flags, **options):
        return self.start_daemon(*flags, upstream=self.emulator.host, state_dir=self.state_dir,
                                 **options)


class Emulator:
    """A running talkjs-emulator; host is what the SDK's `host` option takes."""

    def __init__(self, case, flags):
        self.process = case.spawn(
            "emulator",
            [os.path.join(BIN, "talkjs-emulator"), "--listen", "127.0.0.1:0", "--app-id", APP, *flags],
            {"TALKJS_SECRET_KEY": KEY})
        found = self.process.wait_ready(r"^talkjs-emulator listening on (127\.0\.0\.1:\d+)$")
        self.host = found.group(1)


class Daemon:
    """A running talkjsd. upstream: a host, or None for the emulator inside."""

    def __init__(self, case, flags=(), upstream=None, state_dir=None, listen=None, wait=True,
                 environment=None, log_level="debug"):
        self.case = case
        case._names += 1
        self.state_dir = state_dir or os.path.join(case.directory, f"state-{case._names}")
        os.makedirs(self.state_dir, mode=0o700, exist_ok=True)
        self.socket = listen or os.path.join(case.directory, f"d{case._names}.sock")
        self.address = "unix://" + self.socket
        self.metrics_port = free_port()
        upstream_flags = ["--upstream-host", upstream] if upstream else ["--emulator"]
        self.process = case.spawn("talkjsd", [
            os.path.join(BIN, "talkjsd"), "--listen", self.address, "--state-dir", self.state_dir,
            "--metrics", f"127.0.0.1:{self.metrics_port}",
            *(["--log-level", log_level] if log_level else []), *upstream_flags, *flags], environment)
        self._client = None
        if wait:
            self.process.wait_ready(r"^talkjsd listening on unix:///")
            said = self.process.output()
            found = re.search(r"^talkjs-emulator listening on (\S+)$", said, re.MULTILINE)
            self.emulator_host = found.group(1) if found else None

    def kill(self):
        """SIGKILL, as planned."""
        self.process.may_end = True
        self.process.kill()

    @property
    def client(self):
        """A talkjsd.Client for the test's own calls."""
        if self._client is None:
            # Not the connection to the daemon that was killed at this address before.
            self._client = talkjsd.Client(self.address, timeout=PATIENCE, connect_timeout=PATIENCE,
                                          channel=make_channel(self.address))
            self.case.addCleanup(self._client.close)
        return self._client

    def reload(self):
        """SIGHUP; returns the lines that the log has of it."""
        before = len(self.process.log())
        self.process.popen.send_signal(signal.SIGHUP)
        return wait_until(
            lambda: re.search(r"(?s)^.*(configuration reloaded|reload refused)[^\n]*\n",
                              self.process.log()[before:]), "the reload is over").group(0)

    def stop(self):
        """SIGTERM; returns the exit code and how many seconds it took."""
        self.process.may_end = True
        return self.process.stop()

    def metrics(self):
        import urllib.request
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def metric(self, name):
        """The value of one sample, such as 'talkjsd_sessions{state="connected"}'."""
        for line in self.metrics().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        raise AssertionError(f"no metric {name}")

    # --- sessions ---

    def create(self, user, name=None, **fields):
        """CreateSession; credentials by keyword: token=, signature=, key=. Returns the response."""
        key = fields.pop("key", None)
        request = pb.CreateSessionRequest(app_id=fields.pop("app_id", APP), **fields)
        if name is None:
            request.user_id = user
        else:
            request.user.id = user
            request.user.name = name
        if key is not None:
            request.signing_key.secret_key = key
        return self.client.sessions.CreateSession(request)

    def session(self, session_id):
        return self.client.sessions.GetSession(pb.GetSessionRequest(session_id=session_id)).session

    def wait_state(self, session_id, *states, timeout=PATIENCE, reason=None):
        """The session, once it is in one of the states (names without prefix)."""
        wanted = {STATES.Value("SESSION_STATE_" + state) for state in states}
        last = []

        def there():
            last[:] = [self.session(session_id)]
            if last[0].state not in wanted:
                return None
            if reason is not None and reason_of(last[0]) != reason:
                return None
            return last[0]
        return wait_until(there, lambda: f"{states} {reason or ''}: {last}", timeout)

    def connect(self, user, name="", **fields):
        """The id of a session that is CONNECTED; name: written to TalkJS, None leaves it."""
        fields.setdefault("key", KEY)
        made = self.create(user, name=user.capitalize() if name == "" else name, **fields)
        self.wait_state(made.session.session_id, "CONNECTED")
        return made.session.session_id

    def messages(self, *session_ids, **request):
        return MessageReader(self, pb.StreamMessagesRequest(session_ids=session_ids, **request))

    def unreads(self, *session_ids):
        return UnreadsReader(self, pb.StreamUnreadsRequest(session_ids=session_ids))


def reason_of(session):
    """The name of Session.reason without its prefix; "" = no trouble."""
    name = pb.ErrorReason.Name(session.reason)
    return "" if session.reason == 0 else name[len("ERROR_REASON_"):]


def make_channel(address):
    """A channel with a connection of its own, whatever other channels there are."""
    return grpc.insecure_channel(address, options=[
        ("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)])


class Reader:
    """One gRPC stream read by a thread. It does not reconnect: how it ends is kept in `error`."""

    def __init__(self, daemon, start, channel=None):
        self.lock = threading.Condition()
        self.responses = 0
        self.opened = None
        self.error = None  # a talkjsd.Error, once it has ended
        self.ended_at = None
        self._channel = channel or make_channel(daemon.address)
        self._own = channel is None
        self._call = start(self._channel)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        daemon.case.addCleanup(self.close)

    def _read(self):
        error = None
        try:
            for response in self._call:
                with self.lock:
                    self.responses += 1
                    if response.HasField("opened"):
                        self.opened = response.opened
                    self.take(response)
                    self.lock.notify_all()
        except grpc.RpcError as rpc_error:
            error = talkjsd.Error.from_rpc(rpc_error)
        with self.lock:
            self.error = error or talkjsd.Error(grpc.StatusCode.OK, "")
            self.ended_at = time.monotonic()
            self.lock.notify_all()

    def take(self, response):
        raise NotImplementedError

    def wait(self, condition, what, timeout=PATIENCE):
        """Until condition() holds, looked at after each response; a stream that ends fails."""
        deadline = time.monotonic() + timeout
        with self.lock:
            while True:
                result = condition()
                if result:
                    return result
                if self.error is not None:
                    raise AssertionError(f"the stream ended ({self.error}) before: {what}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"not within {timeout:g} s: {what}; have {self.summary()}")
                self.lock.wait(left)

    def wait_open(self):
        self.wait(lambda: self.opened is not None, "opened")
        return self

    def wait_end(self, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        with self.lock:
            while self.error is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"the stream did not end within {timeout:g} s")
                self.lock.wait(left)
        return self.error

    def close(self):
        self._call.cancel()
        self._thread.join(PATIENCE)
        if self._own:
            self._channel.close()


class MessageReader(Reader):
    """StreamMessages: events as they came."""

    def __init__(self, daemon, request, channel=None):
        from talkjs.sidecar.v1 import event_service_pb2_grpc
        self.events = []
        self.caught_up = False
        super().__init__(daemon, lambda channel: event_service_pb2_grpc.EventServiceStub(
            channel).StreamMessages(request, wait_for_ready=True), channel)

    def take(self, response):
        self.events.extend(response.events)
        self.caught_up = self.caught_up or response.HasField("caught_up")

    def summary(self):
        return f"{len(self.events)} events, the last {self.events[-1:]}"

    def sent(self):
        """The messages sent, in order."""
        return [event.sent for event in self.events if event.WhichOneof("payload") == "sent"]

    def bodies(self):
        return [message.body for message in self.sent()]

    def wait_count(self, count, timeout=PATIENCE):
        self.wait(lambda: len(self.sent()) >= count, f"{count} messages", timeout)
        return self.sent()

    def wait_body(self, body, timeout=PATIENCE):
        """The event whose message has this body."""
        return self.wait(lambda: next((event for event in self.events if event.sent.body == body),
                                      None), f"a message {body!r}", timeout)


class UnreadsReader(Reader):
    """StreamUnreads: the lists as they came; last: the newest one."""

    def __init__(self, daemon, request, channel=None):
        from talkjs.sidecar.v1 import event_service_pb2_grpc
        self.lists = []
        super().__init__(daemon, lambda channel: event_service_pb2_grpc.EventServiceStub(
            channel).StreamUnreads(request, wait_for_ready=True), channel)

    def take(self, response):
        if response.HasField("unreads"):
            self.lists.append(response.unreads)

    def summary(self):
        return f"{len(self.lists)} lists, the last {self.lists[-1:]}"

    @property
    def last(self):
        return self.lists[-1] if self.lists else None

    def counts(self):
        """Conversation id -> unread messages, of the newest list."""
        return unread_counts(self.last)

    def wait_counts(self, counts, timeout=PATIENCE, stale=False):
        return self.wait(
            lambda: self.last is not None and self.counts() == counts and
            self.last.stale == stale and self.last, f"unreads {counts}", timeout)


def unread_counts(unreads):
    if unreads is None:
        return None
    return {item.conversation.id: item.unread_message_count for item in unreads.conversations}


class Sdk:
    """Users of the unmodified SDK: tests/integration/senders.mjs, spoken to in lines of JSON."""

    def __init__(self, case, host, users):
        self._process = subprocess.Popen(
            ["node", os.path.join(ROOT, "tests", "integration", "senders.mjs"), host, *users],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        case.addCleanup(self.close)

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put({"error": "the SDK's process has ended"})

    def start(self, command, **arguments):
        self._process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self._process.stdin.flush()

    def answer(self, timeout=PATIENCE):
        said = self._lines.get(timeout=timeout)
        if "error" in said:
            raise AssertionError(f"SDK: {said['error']}")
        return said

    def ask(self, command, timeout=PATIENCE, **arguments):
        self.start(command, **arguments)
        return self.answer(timeout)

    def close(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join(PATIENCE)
        self._process.stdin.close()
        self._process.stdout.close()


def expect_error(case, code, reason, call, *arguments):
    """Calls; asserts the code, the reason, and a message that is more than a word. Returns it."""
    with case.assertRaises(talkjsd.Error) as caught:
        call(*arguments)
    error = caught.exception
    case.assertEqual((error.code.name, error.reason), (code, reason), error.message)
    case.assertGreater(len(error.message), 15, error.message)
    return error


def main():
    missing = [name for name in ("talkjsd", "talkjs-emulator")
               if not os.access(os.path.join(BIN, name), os.X_OK)]
    if missing:
        sys.exit(f"not in {BIN}: {', '.join(missing)}; build them, or set TALKJSD_BIN")
    unittest.main(verbosity=2)
