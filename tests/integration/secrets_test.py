"""Canaries in every place a secret can be given: none shows up anywhere."""

import os
import threading
import time
import urllib.parse

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


class Secrets(harness.Case):

    def setUp(self):
        super().setUp()
        self.daemon = self.start_daemon()
        self.server = TokenServer(self)
        self.secrets = [KEY]
        self.said = []

    def canary(self, text):
        """Notes a secret, and its parts if it is a token."""
        self.secrets += [text, *[part for part in text.split(".")[1:] if len(part) > 12]]
        return text

    def attempt(self, call):
        try:
            self.said.append(str(call()))
        except talkjsd.Error as error:
            self.said.append(f"{error} {error.metadata} {error.field_violations}")

    def test_they_are_nowhere_to_be_seen(self):
        daemon, canary = self.daemon, self.canary
        http = {"url": self.server.url + "?key=" + canary("canary-query-91"),
                "headers": {"Authorization": "Bearer " + canary("canary-header-92")}}
        # By user: good ones, ones that TalkJS refuses, and ones that are no tokens.
        good = {user: canary(token(user)) for user in ("h-good", "f-good", "p-good", "first")}
        bad = {user: canary(token(user, key=canary("sk_canary_wrong")))
               for user in ("h-bad", "f-bad", "p-bad")}
        none = {user: canary(f"canary-no-token-{user}") for user in ("h-none", "f-none", "p-none")}
        everything = {**good, **bad, **none}

        def answer(request):
            request["reply"](everything[request["user_id"]])
        self.server.default = answer
        path = {}
        for user, text in everything.items():
            path[user] = os.path.join(self.directory, user)
            with open(path[user], "w", encoding="utf-8") as file:
                file.write(text)
        provider = Provider(daemon).ready()
        serving = threading.Thread(target=self.serve, args=(provider, everything), daemon=True)
        serving.start()
        made = {}
        for user in everything:
            fetcher = pb.TokenFetcher()
            if user.startswith("h-"):
                fetcher.http.MergeFrom(pb.HttpTokenSource(**http))
            elif user.startswith("f-"):
                fetcher.file.path = path[user]
            elif user.startswith("p-"):
                fetcher.provider.provider_name = "p"
            else:
                fetcher.initial_token = everything[user]
                fetcher.file.path = path[user]
            made[user] = daemon.create(user, name="Canary", token_fetcher=fetcher).session.session_id
        for user in good:
            daemon.wait_state(made[user], "CONNECTED")
        for user in bad:
            daemon.wait_state(made[user], "WAITING_FOR_TOKEN", reason="TOKEN_REFUSED")
        for user in none:
            daemon.wait_state(made[user], "WAITING_FOR_TOKEN", reason="TOKEN_MALFORMED")
        sessions = daemon.client.sessions
        for user, session_id in made.items():
            self.attempt(lambda session_id=session_id: sessions.GetSession(
                pb.GetSessionRequest(session_id=session_id)))
            for text in (canary(token("somebody")), canary("canary-set-token"), everything[user]):
                self.attempt(lambda session_id=session_id, text=text: sessions.SetToken(
                    pb.SetTokenRequest(session_id=session_id, token=text)))
        self.attempt(lambda: daemon.create("limits", token_fetcher=pb.TokenFetcher(
            initial_token=canary("canary-initial"), file=pb.FileTokenSource(path="/t"))))
        self.attempt(lambda: daemon.create("limits", token_fetcher=pb.TokenFetcher(
            http=pb.HttpTokenSource(url="https://u:" + canary("canary-password") + "@x/"))))
        self.attempt(lambda: daemon.create("limits", token_fetcher=pb.TokenFetcher(
            http=pb.HttpTokenSource(url=self.server.url, headers={"X-A": canary("canary\nlines-1")}))))
        self.attempt(lambda: daemon.create("limits", signature=canary(signature("limits"))[:40]))
        self.talkjsctl(daemon)
        for session_id in made.values():
            self.attempt(lambda session_id=session_id: sessions.DestroySession(
                pb.DestroySessionRequest(session_id=session_id)))
        self.look_everywhere(daemon)

    def serve(self, provider, tokens):
        while not provider.ended.is_set():
            try:
                query = provider.query()
            except Exception:  # pylint: disable=broad-except
                return
            provider.answer(query, tokens[query.user_id])

    def talkjsctl(self, daemon):
        """While it runs, its secrets are not in its arguments either."""
        headers = os.path.join(self.directory, "headers")
        with open(headers, "w", encoding="utf-8") as file:
            file.write("Authorization: " + self.canary("canary-ctl-header") + "\n")
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

    def look_everywhere(self, daemon):
        time.sleep(0.1)  # what the log still has to write; were it late, less would be looked at
        seen = {"log": daemon.process.log() + daemon.process.output(), "metrics": daemon.metrics(),
                "errors and answers": "\n".join(self.said), "command lines": command_lines(),
                "sessions": str(daemon.client.sessions.ListSessions(pb.ListSessionsRequest()))}
        for place, shown in seen.items():
            for secret in self.secrets:
                if secret == KEY and place == "command lines":
                    continue  # the emulator's documented default, which anybody may be typing
                for form in {secret, urllib.parse.quote(secret)}:
                    self.assertNotIn(form, shown, place)


if __name__ == "__main__":
    harness.main()
