"""The emulator of a daemon from outside: its REST API, and its control endpoint for faults."""

import json
import urllib.error
import urllib.parse
import urllib.request

import harness


class EmulatorApi:
    """Calls raise urllib.error.HTTPError for anything but 200."""

    def __init__(self, host):
        self._host = host

    def control(self, method, path, data=None):
        """A request under /_emulator/v1/: control("POST", "faults", {...})."""
        return self._call(method, f"/_emulator/v1/{path}", data, {})

    def rest(self, method, path, data=None):
        """A request of the REST API, as the app's backend: rest("GET", "users/alice")."""
        return self._call(method, f"/public_api/v1/{harness.APP}/{path}", data,
                          {"Authorization": f"Bearer {harness.KEY}"})

    def user(self, user):
        """The user as the backend sees it; None: there is none."""
        try:
            return self.rest("GET", "users/" + urllib.parse.quote(user, safe=""))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise

    def fault(self, **rule):
        """Adds a rule; its id."""
        return self.control("POST", "faults", rule)["id"]

    def _call(self, method, path, data, headers):
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(
            f"http://{self._host}{path}", body, {"Content-Type": "application/json", **headers},
            method=method)
        with urllib.request.urlopen(request, timeout=harness.PATIENCE) as answer:
            return json.loads(answer.read() or b"{}")
