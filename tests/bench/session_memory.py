"""Growth of talkjsd's resident memory per idle session; see `quick`. Prints the figures as they are taken."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

import harness  # noqa: E402  pylint: disable=wrong-import-position
from harness import wait_until  # noqa: E402  pylint: disable=wrong-import-position
from talkjs_user import TalkjsUser  # noqa: E402  pylint: disable=wrong-import-position

SESSIONS = 1000
CONVERSATIONS = 3
LIMIT_KIB = 40


def resident_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Rss:"))


class SessionMemory(harness.Case):
    def test_growth_per_idle_session(self):
        emulator = self.start_emulator()
        owner = TalkjsUser(self, emulator.host, "owner").create()
        users = [f"user-{number}" for number in range(SESSIONS)]
        for user in users:
            owner.call("PUT", f"/users/{user}", {"name": user})
            for number in range(CONVERSATIONS):
                owner.conversation(f"{user}-{number}", user)
                owner.send(f"{user}-{number}", "An older message")

        daemon = self.start_daemon("--log-level", "warning", upstream=emulator.host)
        before = resident_kib(daemon.process.popen.pid)
        for user in users:
            daemon.create(user, key=harness.KEY)
        wait_until(lambda: daemon.metric('talkjsd_sessions{state="connected"}') == SESSIONS,
                   "all sessions connected", timeout=120)
        after = resident_kib(daemon.process.popen.pid)
        growth = (after - before) / SESSIONS
        print(f"memory: {before} KiB without sessions, {after} KiB with {SESSIONS} idle ones of "
              f"{CONVERSATIONS} conversations: {growth:.1f} KiB a session (at most {LIMIT_KIB})")
        self.assertLessEqual(growth, LIMIT_KIB)


if __name__ == "__main__":
    unittest.main(verbosity=0)
