"""What the daemon tells systemd: that it is ready, that it lives as long as each of its threads does,
that it stops."""

import ctypes
import os
import socket
import subprocess
import time

import harness
from harness import BIN

# Signs of life come twice in this time.
WATCHDOG = 0.5
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WAIT_FOR_THREADS = 0x40000000  # __WALL


class Hung:
    """Threads of a child process that stand still inside the `with`, while the others go on."""

    def __init__(self, pid, name):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.threads = []
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/comm", encoding="ascii") as file:
                if file.read().strip() == name:
                    self.threads.append(int(thread))
        if not self.threads:
            raise AssertionError(f"no thread {name}")

    def ptrace(self, request, thread):
        if self.libc.ptrace(request, thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of thread {thread}")

    def __enter__(self):
        for thread in self.threads:
            self.ptrace(PTRACE_SEIZE, thread)
            self.ptrace(PTRACE_INTERRUPT, thread)
            os.waitpid(thread, WAIT_FOR_THREADS)

    def __exit__(self, *_):
        for thread in self.threads:
            self.ptrace(PTRACE_DETACH, thread)


class Watchdog(harness.Case):

    def setUp(self):
        super().setUp()
        path = os.path.join(self.directory, "notify")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(path)
        self.environment = {**os.environ, "NOTIFY_SOCKET": path,
                            "WATCHDOG_USEC": str(int(WATCHDOG * 1e6))}
        self.environment.pop("WATCHDOG_PID", None)

    def start(self):
        socket_path = os.path.join(self.directory, "d.sock")
        log = open(os.path.join(self.directory, "log"), "w+b")
        self.addCleanup(log.close)
        daemon = subprocess.Popen(
            [os.path.join(BIN, "talkjsd"), "--emulator", "--listen", f"unix://{socket_path}",
             "--state-dir", os.path.join(self.directory, "state"), "--shards", "2",
             "--metrics", f"127.0.0.1:{harness.free_port()}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        return daemon

    def wait_said(self, line, timeout=harness.PATIENCE):
        """Reads until a message has the line; returns the message's lines."""
        deadline = time.monotonic() + timeout
        while True:
            self.manager.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                said = self.manager.recv(4096).decode().splitlines()
            except TimeoutError:
                raise AssertionError(f"{line}: not said within {timeout} s") from None
            if line in said:
                return said

    def forget(self):
        self.manager.setblocking(False)
        try:
            while True:
                self.manager.recv(4096)
        except BlockingIOError:
            pass

    def signs_of_life(self, seconds):
        """How many come in that time."""
        self.forget()
        deadline, count = time.monotonic() + seconds, 0
        while (left := deadline - time.monotonic()) > 0:
            self.manager.settimeout(left)
            try:
                count += "WATCHDOG=1" in self.manager.recv(4096).decode().splitlines()
            except TimeoutError:
                break
        return count

    def test_each_thread_that_hangs_is_noticed(self):
        daemon = self.start()
        self.assertTrue(any(line.startswith("STATUS=serving on unix://")
                            for line in self.wait_said("READY=1")))
        self.assertTrue(os.path.exists(os.path.join(self.directory, "d.sock")))
        for _ in range(3):
            self.wait_said("WATCHDOG=1")
        for name in ("shard-0", "shard-1", "admin", "dispatch"):
            with self.subTest(name):
                with Hung(daemon.pid, name):
                    # One that is on its way may still come.
                    time.sleep(WATCHDOG)
                    self.assertEqual(self.signs_of_life(3 * WATCHDOG), 0)
                self.wait_said("WATCHDOG=1")
        daemon.terminate()
        # drain_timeout and two seconds.
        self.assertIn("EXTEND_TIMEOUT_USEC=7000000", self.wait_said("STOPPING=1"))
        self.assertEqual(daemon.wait(harness.PATIENCE), 0)


if __name__ == "__main__":
    harness.main()
