"""An endpoint of an app's backend that hands out tokens, or does not."""

import http.server
import json
import ssl
import threading
import urllib.parse

import harness


class TokenServer:
    """Answers by user: `answers[user]` is a function of the request that calls reply(...), and `default` is for the
    others. Requests are kept in `requests` as dictionaries."""

    def __init__(self, case, certificate=None):
        self.answers = {}
        self.default = lambda request: request["reply"](harness.token(request["user_id"]))
        self.requests = []
        self._lock = threading.Lock()
        self._release = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments):
                pass

            def _serve(self, fields):
                request = {"method": self.command, "path": self.path, "headers": dict(self.headers),
                           **fields, "reply": self._reply}
                with outer._lock:
                    outer.requests.append(request)
                outer.answers.get(request.get("user_id"), outer.default)(request)

            def _reply(self, body, status=200, content_type="text/plain", headers=()):
                data = body if isinstance(body, bytes) else body.encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", content_type)
                    self.send_header("Content-Length", str(len(data)))
                    for name, value in headers:
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:  # the client has given up
                    self.close_connection = True

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                self._serve({"body": body, **json.loads(body)})

            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                self._serve({name: values[0] for name, values in query.items()})

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        case.addCleanup(self.close)

    def hang(self, _request):
        """An answer that does not come."""
        self._release.wait(harness.PATIENCE)

    def count(self, user):
        with self._lock:
            return sum(request.get("user_id") == user for request in self.requests)

    def last(self, user):
        with self._lock:
            return [request for request in self.requests if request.get("user_id") == user][-1]

    def close(self):
        self._release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(harness.PATIENCE)
