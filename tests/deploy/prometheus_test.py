"""A real Prometheus over a real daemon: its figures are what happened; dashboard and rules find their data."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

import harness  # noqa: E402  pylint: disable=wrong-import-position
from emulator_api import EmulatorApi  # noqa: E402  pylint: disable=wrong-import-position

FILES = os.path.join(ROOT, "deploy", "prometheus")
# A first retry comes 5-15 s after the loss; then the sample has to be scraped.
RECONNECT = 60.0


class Prometheus:
    """A server of its own that scrapes the daemon once a second, with our rules."""

    def __init__(self, case, daemon):
        folder = os.path.join(case.directory, "prometheus")
        shutil.copytree(FILES, folder)
        with open(os.path.join(folder, "prometheus.yml"), encoding="utf-8") as file:
            config = file.read()
        config = config.replace("127.0.0.1:9464", f"127.0.0.1:{daemon.metrics_port}")
        config = config.replace("_interval: 15s", "_interval: 1s")
        with open(os.path.join(folder, "prometheus.yml"), "w", encoding="utf-8") as file:
            file.write(config)
        port = harness.free_port()
        self.url = f"http://127.0.0.1:{port}"
        case.spawn("prometheus", [
            "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}"])
        harness.wait_until(self.ready, "Prometheus is ready")

    def ready(self):
        try:
            with urllib.request.urlopen(self.url + "/-/ready", timeout=harness.PATIENCE):
                return True
        except OSError:
            return False

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}",
                                    timeout=harness.PATIENCE) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        """{labels as a sorted tuple: value}."""
        return {tuple(sorted(one["metric"].items())): float(one["value"][1])
                for one in self.get("query", query=expression)["result"]}

    def wait(self, expression, value, timeout=harness.PATIENCE):
        """Until the expression is one series with this value, or one for which value(it) holds."""
        fits = value if callable(value) else lambda seen: seen == value
        last = []

        def there():
            last[:] = [self.query(expression)]
            return len(last[0]) == 1 and fits(next(iter(last[0].values())))
        harness.wait_until(there, lambda: f"{expression} is {last}", timeout)


def dashboard_expressions():
    """(panel, expression) of the dashboard, with its variables replaced."""
    with open(os.path.join(FILES, "talkjsd.dashboard.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$instance", ".*").replace(
                "$__rate_interval", "5s")


class PrometheusTest(harness.Case):
    maxDiff = None

    def test_figures_are_what_happened(self):
        emulator = self.start_emulator()
        daemon = self.start_daemon(upstream=emulator.host)
        prometheus = Prometheus(self, daemon)
        prometheus.wait('up{job="talkjsd"}', 1)
        self.lives(daemon, prometheus)
        self.loses_a_connection(emulator, daemon, prometheus)
        self.dashboard_has_data(prometheus)
        self.rules_are_evaluated(prometheus)
        self.text_is_well_formed(daemon)

    def lives(self, daemon, prometheus):
        """Two users of whom one writes; one whose token is refused; one whose credentials are wrong."""
        alice, bob = daemon.connect("alice"), daemon.connect("bob")
        refused = daemon.create("carol", "Carol", token=harness.token("carol", key="another key"))
        daemon.wait_state(refused.session.session_id, "WAITING_FOR_TOKEN")
        failed = daemon.create("dave", "Dave", signature=harness.signature("dave", key="another key"))
        daemon.wait_state(failed.session.session_id, "FAILED")
        stream, everything = daemon.messages(bob).wait_open(), daemon.messages().wait_open()
        daemon.client.conversations.GetConversation(harness.pb.GetConversationRequest(
            session_id=alice, conversation_id="c1", attributes=harness.pb.ConversationAttributes(),
            participants=[harness.pb.Participant(user_id="bob")]))
        for number in range(25):
            daemon.client.send(alice, "c1", str(number))
        stream.wait_count(25)
        everything.wait_count(50)

        for state, count in {"connected": 2, "waiting_for_token": 1, "failed": 1, "connecting": 0}.items():
            prometheus.wait(f'talkjsd_sessions{{state="{state}"}}', count)
        prometheus.wait('talkjsd_journal_events_total{kind="sent"}', 50)
        stored = sum(value for value in prometheus.query("talkjsd_journal_events_total").values())
        prometheus.wait("talkjsd_journal_kept_events", lambda kept: kept >= stored)
        prometheus.wait('talkjsd_grpc_calls_total{method="MessageService/SendMessage", code="OK"}', 25)
        prometheus.wait('talkjsd_grpc_calls_total{method="SessionService/CreateSession"}', 4)
        prometheus.wait('talkjsd_streams{kind="messages"}', 2)
        prometheus.wait("talkjsd_events_delivered_total",
                        lambda count: count >= len(stream.events) + len(everything.events))
        prometheus.wait("talkjsd_stream_lag_events", 0)
        prometheus.wait('talkjsd_token_failures_total{cause="refused"}', lambda count: count >= 1)
        prometheus.wait("talkjsd_token_refreshes_total", 2)
        prometheus.wait("talkjsd_stream_write_seconds_count", lambda count: count >= 4)
        prometheus.wait("talkjsd_upstream_reconnects_total", lambda count: count <= 2)
        with open(f"/proc/{daemon.process.popen.pid}/statm", encoding="ascii") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        prometheus.wait('process_resident_memory_bytes{job="talkjsd"}',
                        lambda seen: 0.5 * resident < seen < 2 * resident)

    def loses_a_connection(self, emulator, daemon, prometheus):
        before = daemon.metric("talkjsd_upstream_reconnects_total")
        EmulatorApi(emulator.host).control("POST", "connections/drop", {"user": "bob"})
        prometheus.wait('talkjsd_sessions{state="reconnecting"}', 1)
        prometheus.wait("talkjsd_upstream_reconnects_total", before + 1, RECONNECT)
        prometheus.wait('talkjsd_sessions{state="connected"}', 2)

    def dashboard_has_data(self, prometheus):
        """Every expression of every panel parses and finds series."""
        seen = 0
        for panel, expression in dashboard_expressions():
            harness.wait_until(lambda e=expression: prometheus.query(e),
                               f"data for {panel}: {expression}")
            seen += 1
        self.assertGreater(seen, 30)
        metrics = set(re.findall(r"\b(?:talkjsd|process)_[a-z_]+", " ".join(
            expression for _, expression in dashboard_expressions())))
        self.assertGreater(len(metrics), 25)

    def rules_are_evaluated(self, prometheus):
        rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        self.assertGreater(len(rules), 15)
        harness.wait_until(lambda: all(
            rule["health"] == "ok" for group in prometheus.get("rules")["groups"]
            for rule in group["rules"]), lambda: prometheus.get("rules"))
        # What it is about to say of dave and carol.
        for name in ("TalkjsdSessionFailed", "TalkjsdSessionWaitsForToken"):
            harness.wait_until(
                lambda name=name: prometheus.query(f'ALERTS{{alertname="{name}", alertstate="pending"}}'),
                f"{name} is pending")

    def text_is_well_formed(self, daemon):
        linted = subprocess.run(["promtool", "check", "metrics"], input=daemon.metrics(), text=True,
                                capture_output=True, check=False)
        self.assertEqual((linted.returncode, linted.stdout, linted.stderr), (0, "", ""))


class RulesTest(harness.Case):
    def promtool(self, *arguments):
        done = subprocess.run(["promtool", *arguments], cwd=FILES, text=True, capture_output=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_files_are_valid(self):
        self.promtool("check", "config", "prometheus.yml")
        self.promtool("check", "rules", "talkjsd.rules.yml")

    def test_rules_fire_when_they_should(self):
        self.promtool("test", "rules", "talkjsd.rules_test.yml")

    def test_every_alert_is_tested(self):
        with open(os.path.join(FILES, "talkjsd.rules.yml"), encoding="utf-8") as file:
            alerts = set(re.findall(r"alert: (\w+)", file.read()))
        with open(os.path.join(FILES, "talkjsd.rules_test.yml"), encoding="utf-8") as file:
            tested = set(re.findall(r'alertname="(\w+)"', file.read()))
        self.assertEqual(alerts, tested)

    def test_what_is_named_exists(self):
        """Rules and dashboard name only metrics that the daemon has."""
        with open(os.path.join(ROOT, "daemon", "base", "metrics_reference.cc"), encoding="utf-8") as file:
            known = set(re.findall(r'\{"(\w+)", k', file.read()))
        self.assertGreater(len(known), 30)
        for name in ("talkjsd.rules.yml", "talkjsd.dashboard.json"):
            with open(os.path.join(FILES, name), encoding="utf-8") as file:
                used = set(re.findall(r"\b(?:talkjsd|process)_[a-z_]+", file.read()))
            used = {re.sub(r"_(bucket|sum|count)$", "", metric) for metric in used}
            self.assertLessEqual(used, known, name)


if __name__ == "__main__":
    harness.main()
