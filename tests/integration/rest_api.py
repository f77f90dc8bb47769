"""The emulator's REST API for servers, and its control endpoint: what arrived, and what goes wrong."""

import json
import urllib.error
import urllib.parse
import urllib.request

from harness import APP, KEY, PATIENCE


class RestApi:

    def __init__(self, host):
        self._base = f"http://{host}"

    def call(self, method, path, data=None):
        """Of the app; path begins after the app's id. None for 404."""
        return self._call(method, f"/public_api/v1/{APP}{path}", data,
                          {"Authorization": f"Bearer {KEY}"})

    def _call(self, method, path, data, headers):
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(
            self._base + path, data=body, method=method,
            headers={"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise AssertionError(
                    f"{method} {path}: {error.code} {error.read().decode()}") from None

    def user(self, user_id):
        return self.call("GET", f"/users/{quoted(user_id)}")

    def conversation(self, conversation_id):
        return self.call("GET", f"/conversations/{quoted(conversation_id)}")

    def message(self, conversation_id, message_id):
        return self.call("GET", f"/conversations/{quoted(conversation_id)}/messages/{message_id}")

    def post(self, conversation_id, *messages):
        """Messages as a server posts them."""
        return self.call("POST", f"/conversations/{quoted(conversation_id)}/messages", list(messages))

    def fault(self, action, **rule):
        """Adds a fault rule."""
        return self._call("POST", "/_emulator/v1/faults", {"action": action, **rule}, {})

    def clear_faults(self):
        return self._call("DELETE", "/_emulator/v1/faults", None, {})

    def upload(self, name, content, **fields):
        """Uploads a file; returns its token."""
        boundary = "boundary-of-this-form"
        parts = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n'
                        f"{value}\r\n" for field, value in fields.items())
        body = (parts + f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
                f'filename="{name}"\r\n\r\n').encode() + content + f"\r\n--{boundary}--\r\n".encode()
        request = urllib.request.Request(
            f"{self._base}/public_api/v1/{APP}/files", data=body, method="POST",
            headers={"Authorization": f"Bearer {KEY}",
                     "Content-Type": f"multipart/form-data; boundary={boundary}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())["fileToken"]


def quoted(text):
    return urllib.parse.quote(text, safe="")
