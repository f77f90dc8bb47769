"""Tokens from a file that somebody else keeps fresh: renames, links as Kubernetes swaps them, and trouble."""

import os
import time

import harness
from harness import expect_error, pb, token


class TokenFiles(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.path = os.path.join(self.directory, "token")

    def write(self, content, path=None):
        """As a careful writer does: a new file, renamed over the old one."""
        path = path or self.path
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(content)
        os.rename(path + ".new", path)

    def create(self, user="alice", path=None):
        fetcher = pb.TokenFetcher(file=pb.FileTokenSource(path=path or self.path))
        made = self.daemon.create(user, name=user.capitalize(), token_fetcher=fetcher)
        self.assertEqual(pb.CredentialKind.Name(made.session.credential_kind),
                         "CREDENTIAL_KIND_FILE_FETCHER")
        return made.session.session_id

    def wait_expiry(self, session_id, expiry):
        return harness.wait_until(
            lambda: (session := self.daemon.session(session_id)).token_expire_time.seconds == expiry
            and session, lambda: f"{expiry}: {self.daemon.session(session_id)}")

    def test_a_new_token_is_used_when_it_is_there(self):
        now = int(time.time())
        self.write(token("alice", exp=now + 1000) + "\n")
        session_id = self.create()
        session = self.daemon.wait_state(session_id, "CONNECTED")
        self.assertEqual(session.token_expire_time.seconds, now + 1000)
        refreshes = self.daemon.metric("talkjsd_token_refreshes_total")
        for later in (2000, 3000):
            self.write(token("alice", exp=now + later))
            self.wait_expiry(session_id, now + later)
        self.assertEqual(self.daemon.session(session_id).state, pb.SESSION_STATE_CONNECTED)
        harness.wait_until(
            lambda: self.daemon.metric("talkjsd_token_refreshes_total") == refreshes + 2, "renewals")
        # In place, too.
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(token("alice", exp=now + 4000))
        self.wait_expiry(session_id, now + 4000)

    def test_links_are_swapped_as_kubernetes_does(self):
        now = int(time.time())
        mount = os.path.join(self.directory, "mount")
        os.mkdir(mount)

        def publish(version, expiry):
            os.mkdir(os.path.join(mount, version))
            with open(os.path.join(mount, version, "token"), "w", encoding="utf-8") as file:
                file.write(token("alice", exp=expiry))
            os.symlink(version, os.path.join(mount, "..data_tmp"))
            os.rename(os.path.join(mount, "..data_tmp"), os.path.join(mount, "..data"))
        publish("..1", now + 1000)
        os.symlink("..data/token", os.path.join(mount, "token"))
        session_id = self.create(path=os.path.join(mount, "token"))
        self.daemon.wait_state(session_id, "CONNECTED")
        publish("..2", now + 2000)
        self.wait_expiry(session_id, now + 2000)

    def test_a_file_that_cannot_serve_says_why_until_it_can(self):
        session_id = self.create()
        session = self.daemon.wait_state(session_id, "WAITING_FOR_TOKEN",
                                         reason="TOKEN_FILE_UNREADABLE")
        self.assertIn(self.path, session.reason_message)
        expect_error(self, "FAILED_PRECONDITION", "TOKEN_FILE_UNREADABLE",
                     lambda: self.daemon.client.send(session_id, "c", "x"))
        canary = "canary-in-the-file"
        for content, reason in [("", "TOKEN_FETCH_EMPTY"), (canary, "TOKEN_MALFORMED"),
                                (token("bob"), "TOKEN_WRONG_USER"),
                                (token("alice", exp=1), "TOKEN_EXPIRED"),
                                (token("alice", key="sk_wrong"), "TOKEN_REFUSED")]:
            self.write(content)
            # By the change, or, for an empty one, by the next try.
            self.daemon.wait_state(session_id, "WAITING_FOR_TOKEN", reason=reason)
        self.write(token("alice"))
        session = self.daemon.wait_state(session_id, "CONNECTED", timeout=10)
        self.assertEqual(harness.reason_of(session), "")
        # Gone again, it is not missed before it is needed.
        os.unlink(self.path)
        self.daemon.client.send(session_id, "c", "x", ensure_participant=True)
        self.assertNotIn(canary, self.daemon.process.log())

    def test_the_path_must_be_absolute(self):
        expect_error(self, "INVALID_ARGUMENT", "INVALID_FIELD",
                     lambda: self.create(path="relative/token"))


if __name__ == "__main__":
    harness.main()
