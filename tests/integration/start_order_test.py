"""Whatever starts first: the upstream may come after the daemon, the daemon after its clients; and
sockets that a service manager has opened before."""

import os
import signal
import socket
import subprocess
import threading

import harness
import talkjsd
from harness import BIN, pb
from talkjs_user import TalkjsUser

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
# A first retry comes 5-15 s after the loss.
RECONNECT = 60.0


def health(daemon, service=""):
    channel = harness.make_channel(daemon.address)
    try:
        name = service.encode()
        request = b"\x0a" + bytes([len(name)]) + name if name else b""
        return channel.unary_unary("/grpc.health.v1.Health/Check")(
            request, timeout=harness.PATIENCE, wait_for_ready=True)
    finally:
        channel.close()


class StartOrder(harness.Case):

    def test_the_daemon_starts_before_its_upstream(self):
        host = f"127.0.0.1:{harness.free_port()}"
        state_dir = os.path.join(self.directory, "state")
        first = self.start_daemon(upstream=host, state_dir=state_dir)
        alice = first.create("alice", name="Alice", key=harness.KEY).session.session_id
        first.wait_state(alice, "CONNECTING", "RECONNECTING")
        # It serves: the session's trouble is in its state.
        for service in ("", *(f"talkjs.sidecar.v1.{name}Service" for name in (
                "Session", "User", "Conversation", "Message", "Event", "Daemon"))):
            self.assertEqual(health(first, service), SERVING, service)
        stream = first.messages(alice).wait_open()
        stream.close()
        self.assertEqual(first.process.stop()[0], 0)
        first.process.may_end = True

        # Restored without its upstream as well: ready at once, and the session is trying.
        second = self.start_daemon(upstream=host, state_dir=state_dir)
        self.assertEqual(health(second), SERVING)
        second.wait_state(alice, "CONNECTING", "RECONNECTING")
        stream = second.messages(alice).wait_open()
        self.start_emulator("--listen", host)
        second.wait_state(alice, "CONNECTED", timeout=RECONNECT)
        bob = TalkjsUser(self, host, "bob").create()
        bob.conversation("c1", "alice")
        bob.send("c1", "at last")
        stream.wait_body("at last")

    def test_clients_start_before_the_daemon(self):
        path = os.path.join(self.directory, "d.sock")
        got, errors = [], []

        def follow():
            try:
                with talkjsd.Client(f"unix://{path}", connect_timeout=harness.PATIENCE) as client:
                    for event in client.messages():
                        got.append(event.sent.body)
                        if len(got) == 2:
                            return
            except talkjsd.Error as error:
                errors.append(error)
        reader = threading.Thread(target=follow, daemon=True)
        reader.start()
        emulator = self.start_emulator()
        state_dir = os.path.join(self.directory, "state")
        bob = TalkjsUser(self, emulator.host, "bob").create()
        for round_ in ("first", "second"):
            daemon = self.start_daemon(upstream=emulator.host, listen=path, state_dir=state_dir)
            daemon.connect("alice")
            harness.wait_until(lambda: daemon.metric('talkjsd_streams{kind="messages"}') == 1,
                               "the client's stream", RECONNECT)
            bob.conversation("c1", "alice")
            bob.send("c1", round_)
            harness.wait_until(lambda: round_ in got or errors, f"{round_}: {got} {errors}")
            self.assertEqual(errors, [])
            if round_ == "first":
                daemon.process.may_end = True
                self.assertEqual(daemon.process.stop()[0], 0)
        reader.join(harness.PATIENCE)
        self.assertEqual(got, ["first", "second"])

    def start_with_socket(self, listener, *listen):
        """talkjsd as systemd starts it: descriptor 3 listens already."""
        state_dir = os.path.join(self.directory, "state")
        script = ('exec 3<&"$1"; shift; export LISTEN_PID=$$ LISTEN_FDS=1 '
                  'LISTEN_FDNAMES=talkjsd.socket; exec "$@"')
        self._names += 1
        os.makedirs(state_dir, exist_ok=True)
        log = open(os.path.join(self.directory, f"log-{self._names}"), "w+b")
        self.addCleanup(log.close)
        process = subprocess.Popen(
            ["bash", "-c", script, "bash", str(listener.fileno()), os.path.join(BIN, "talkjsd"),
             "--state-dir", state_dir, "--emulator", *listen],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[listener.fileno()])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, log

    def test_a_socket_of_the_service_manager_is_served_and_outlives_the_daemon(self):
        path = os.path.join(self.directory, "s.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            # The client is there before any daemon.
            with talkjsd.Client(f"unix://{path}", timeout=harness.PATIENCE,
                                connect_timeout=harness.PATIENCE) as client:
                epochs = set()
                for signal_ in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
                    process, log = self.start_with_socket(listener, "--listen", f"unix://{path}")
                    epochs.add(harness.wait_until(
                        lambda: self.epoch_of(client), "an answer"))
                    process.send_signal(signal_)
                    process.wait(harness.PATIENCE)
                    if signal_ == signal.SIGTERM:
                        self.assertEqual(process.returncode, 0, log.seek(0) or log.read())
                    self.assertTrue(os.path.exists(path), "the service manager's socket was removed")
                    with socket.socket(socket.AF_UNIX) as meanwhile:
                        meanwhile.connect(path)
                self.assertEqual(len(epochs), 3)

    @staticmethod
    def epoch_of(client):
        try:
            return client.daemon.GetInfo(pb.GetInfoRequest()).epoch
        except talkjsd.Error:
            return None

    def test_a_socket_that_no_listener_is_for_is_refused_by_name(self):
        path = os.path.join(self.directory, "other.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            process, log = self.start_with_socket(
                listener, "--listen", f"unix://{self.directory}/mine.sock")
            self.assertEqual(process.wait(harness.PATIENCE), 2)
            log.seek(0)
            said = log.read().decode()
            self.assertIn(f"talkjsd.socket ({path})", said)


if __name__ == "__main__":
    harness.main()
