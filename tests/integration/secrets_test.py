"""Canaries in every place a secret can be given: none shows up anywhere but in its session's own file."""

import os
import stat
import threading
import time
import urllib.parse
import urllib.request

import harness
import talkjsd
from harness import KEY, pb, signature, token
from provide_tokens_test import Provider
from token_server import TokenServer


def command_lines():
    """The arguments of every process of the machine."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                found.append(file.read())
        except OSError:  # it has ended
            continue
    return b"\n".join(found).decode(errors="replace")


def files_below(directory):
    """Path from there -> content."""
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, directory)] = file.read()
    return found


class Secrets(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.server = TokenServer(self)
        self.secrets = {KEY: {"k-good"}}  # secret -> the users whose sessions may keep it
        self.said = []

    def canary(self, text, *users):
        """Notes a secret, and its parts if it is a token, given for the sessions of these users."""
        for secret in (text, *[part for part in text.split(".")[1:] if len(part) > 12]):
            self.secrets.setdefault(secret, set()).update(users)
        return text

    def attempt(self, call):
        try:
            self.said.append(str(call()))
        except talkjsd.Error as error:
            self.said.append(f"{error} {error.metadata} {error.field_violations}")

    def test_they_are_nowhere_but_in_the_file_of_their_session(self):
        daemon, canary = self.daemon, self.canary
        made = {**self.create_with_fetchers(daemon), **self.create_without(daemon)}
        sessions = daemon.client.sessions
        for user, session_id in made.items():
            for text in (canary(token("somebody")), canary("canary-set-token"),
                         canary(token(user, later=1), user)):
                self.attempt(lambda session_id=session_id, text=text: sessions.SetToken(
                    pb.SetTokenRequest(session_id=session_id, token=text)))
            self.attempt(lambda session_id=session_id: sessions.SetPushRegistration(
                pb.SetPushRegistrationRequest(session_id=session_id, provider=pb.PUSH_PROVIDER_APNS,
                                              push_registration_id=canary("canary-push-77"))))
            self.attempt(lambda session_id=session_id: sessions.SetPushRegistration(
                pb.SetPushRegistrationRequest(session_id=session_id)))
        for fields in ({"token": canary("canary-create")},
                       {"token": canary(token("somebody else"))},
                       {"signature": canary(signature("limits"))[:40]},
                       {"key": canary("canary-key" * 120)},
                       {"device_token": pb.PushRegistration(
                           push_registration_id=canary("canary-device-79"))}):
            self.attempt(lambda fields=fields: daemon.create("limits", **fields))
        for fetcher in (
                {"initial_token": canary("canary-initial"), "file": pb.FileTokenSource(path="/t")},
                {"http": pb.HttpTokenSource(url="https://u:" + canary("canary-password") + "@x/")},
                {"http": pb.HttpTokenSource(url=self.server.url,
                                            headers={"X-A": canary("canary\nlines-1")})}):
            self.attempt(lambda fetcher=fetcher: daemon.create(
                "limits", token_fetcher=pb.TokenFetcher(**fetcher)))
        made["slow"] = self.talkjsctl(daemon)
        self.attempt(lambda: sessions.ListSessions(pb.ListSessionsRequest(page_size=1000)))
        self.look_everywhere(daemon)
        kept = self.look_into_the_state(daemon, made)
        # The search is not blind: what a restart needs is there.
        for secret, user in (("canary-query-91", "h-good"), ("canary-header-92", "h-good"),
                             (KEY, "k-good"), (signature("s-good"), "s-good"),
                             ("canary-device-78", "t-good"), ("canary-ctl-header", "slow")):
            self.assertIn((secret, user), kept)
        self.assertTrue(any(user == "t-good" and secret.count(".") == 2 for secret, user in kept))
        for session_id in made.values():
            self.attempt(lambda session_id=session_id: sessions.DestroySession(
                pb.DestroySessionRequest(session_id=session_id)))
        self.assertEqual(self.look_into_the_state(daemon, {}), set())
        self.attempt(lambda: sessions.ListSessions(pb.ListSessionsRequest(
            page_size=1000, states=[pb.SESSION_STATE_DESTROYED])))
        self.look_everywhere(daemon)
        daemon.process.stop()
        daemon.process.may_end = True
        self.assertEqual(self.look_into_the_state(daemon, {}), set())

    def create_with_fetchers(self, daemon):
        """Sessions of fetchers that give good tokens, ones that TalkJS refuses, and ones that are none; ids by user."""
        kinds = ("h", "f", "p")
        good = {f"{kind}-good": self.canary(token(f"{kind}-good"), f"{kind}-good") for kind in kinds}
        wrong_key = self.canary("sk_canary_wrong")
        bad = {f"{kind}-bad": self.canary(token(f"{kind}-bad", key=wrong_key), f"{kind}-bad")
               for kind in kinds}
        none = {f"{kind}-none": self.canary(f"canary-no-token-{kind}") for kind in kinds}
        first = {"first": self.canary(token("first"), "first")}
        everything = {**good, **bad, **none, **first}
        over_http = {user for user in everything if user.startswith("h-")}
        http = {"url": self.server.url + "?key=" + self.canary("canary-query-91", *over_http),
                "headers": {"Authorization":
                            "Bearer " + self.canary("canary-header-92", *over_http)}}
        self.server.default = lambda request: request["reply"](everything[request["user_id"]])
        path = {user: os.path.join(self.directory, user) for user in everything}
        for user, text in everything.items():
            with open(path[user], "w", encoding="utf-8") as file:
                file.write(text)
        provider = Provider(daemon).ready()
        threading.Thread(target=self.serve, args=(provider, everything), daemon=True).start()
        made = {}
        for user in everything:
            fetcher = pb.TokenFetcher()
            if user.startswith("h-"):
                fetcher.http.MergeFrom(pb.HttpTokenSource(**http))
            elif user.startswith("p-"):
                fetcher.provider.provider_name = "p"
            else:
                fetcher.file.path = path[user]
            if user == "first":
                fetcher.initial_token = everything[user]
            made[user] = daemon.create(user, name="Canary", token_fetcher=fetcher).session.session_id
        for user in {**good, **first}:
            daemon.wait_state(made[user], "CONNECTED")
        for user in bad:
            daemon.wait_state(made[user], "WAITING_FOR_TOKEN", reason="TOKEN_REFUSED")
        for user in none:
            daemon.wait_state(made[user], "WAITING_FOR_TOKEN", reason="TOKEN_MALFORMED")
        return made

    def create_without(self, daemon):
        """Sessions with the other kinds of credentials; ids by user."""
        credentials = {
            "t-good": {"token": self.canary(token("t-good"), "t-good"),
                       "device_token": pb.PushRegistration(
                           provider=pb.PUSH_PROVIDER_FCM,
                           push_registration_id=self.canary("canary-device-78", "t-good")),
                       "enable_push_notifications": True},
            "t-bad": {"token": self.canary(token("t-bad", key="sk_wrong"), "t-bad")},
            "s-good": {"signature": self.canary(signature("s-good"), "s-good")},
            "s-bad": {"signature": self.canary(signature("s-bad", key="sk_wrong"), "s-bad")},
            "k-good": {"key": KEY},
            "k-bad": {"key": self.canary("sk_canary_signing", "k-bad")}}
        made = {user: daemon.create(user, name="Canary", **fields).session.session_id
                for user, fields in credentials.items()}
        for user, session_id in made.items():
            if user.endswith("-good"):
                daemon.wait_state(session_id, "CONNECTED")
        daemon.wait_state(made["t-bad"], "WAITING_FOR_TOKEN", reason="TOKEN_REFUSED")
        daemon.wait_state(made["s-bad"], "FAILED", reason="SIGNATURE_REFUSED")
        daemon.wait_state(made["k-bad"], "FAILED", reason="TOKEN_REFUSED")
        return made

    def serve(self, provider, tokens):
        while not provider.ended.is_set():
            try:
                query = provider.query()
            except Exception:  # pylint: disable=broad-except
                return
            provider.answer(query, tokens[query.user_id])

    def talkjsctl(self, daemon):
        """While it runs, its secrets are not in its arguments either. Returns its session's id."""
        headers = os.path.join(self.directory, "headers")
        with open(headers, "w", encoding="utf-8") as file:
            file.write("Authorization: " + self.canary("canary-ctl-header", "slow") + "\n")
        self.server.answers["slow"] = lambda request: request["reply"]("", 500)
        waiting = self.spawn("create", [
            os.path.join(harness.BIN, "talkjsctl"), "--address", daemon.address, "--timeout", "3",
            "session", "create", "--app-id", "demo", "--user", "slow", "--name", "Slow", "--wait",
            "--token-url", self.server.url, "--token-url-header-file", headers], may_end=True)
        harness.wait_until(lambda: self.server.count("slow") > 0, "it was asked")
        self.assertEqual(self.server.last("slow")["headers"]["Authorization"], "canary-ctl-header")
        self.said.append(command_lines())
        waiting.wait()
        self.said += [waiting.log(), waiting.output()]
        return daemon.client.sessions.ListSessions(
            pb.ListSessionsRequest(user_id="slow")).sessions[0].session_id

    def status_page(self, daemon):
        """The page, and all that it can be told."""
        shown = ""
        for path in ["", *(f"status.json?page={page}" for page in range(3))]:
            url = f"http://127.0.0.1:{daemon.metrics_port}/{path}"
            with urllib.request.urlopen(url, timeout=harness.PATIENCE) as answer:
                shown += answer.read().decode()
        sessions = daemon.client.sessions.ListSessions(pb.ListSessionsRequest()).sessions
        self.assertEqual(bool(sessions), '"reason":"' in shown, "it was the page of this daemon")
        return shown

    def look_everywhere(self, daemon):
        time.sleep(0.1)  # what the log still has to write; were it late, less would be looked at
        events = daemon.messages(earliest=pb.StartEarliest(), kinds=[
            pb.MESSAGE_EVENT_KIND_SENT, pb.MESSAGE_EVENT_KIND_SESSION_STATE])
        events.wait(lambda: events.caught_up, "the whole journal")
        self.assertGreater(len(events.events), 10)
        seen = {"log": daemon.process.log() + daemon.process.output(), "metrics": daemon.metrics(),
                "status page": self.status_page(daemon),
                "errors and answers": "\n".join(self.said), "command lines": command_lines(),
                "events": str(events.events)}
        events.close()
        for place, shown in seen.items():
            for secret in self.secrets:
                if secret == KEY and place == "command lines":
                    continue  # the emulator's documented default, which anybody may be typing
                for form in {secret, urllib.parse.quote(secret)}:
                    self.assertNotIn(form, shown, place)

    def look_into_the_state(self, daemon, sessions):
        """What files of the state directory hold, as (secret, user): each must be the session's own, for its owner's eyes.
        sessions: ids by user."""
        own = {os.path.join("credentials", session_id): user for user, session_id in sessions.items()}
        kept = set()
        for path, content in files_below(daemon.state_dir).items():
            for secret, users in self.secrets.items():
                if secret.encode() not in content:
                    continue
                user = own.get(path) or own.get(os.path.splitext(path)[0])
                self.assertIsNotNone(user, f"{secret} is in {path}")
                self.assertIn(user, users, f"{secret} is in the file of another session")
                mode = os.stat(os.path.join(daemon.state_dir, path)).st_mode
                self.assertEqual(stat.S_IMODE(mode), 0o600, path)
                kept.add((secret, user))
        return kept


if __name__ == "__main__":
    harness.main()
