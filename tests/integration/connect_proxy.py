"""An HTTP proxy that knows CONNECT alone, and a server that takes TLS off in front of another: each on a thread of
its own."""

import asyncio
import base64
import os
import ssl
import subprocess
import threading


class _Server:
    """Serves 127.0.0.1:`port` with self.serve(reader, writer) until the test is over."""

    def __init__(self, case, tls=None):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._guarded, "127.0.0.1", 0, ssl=tls))
        self.port = self._server.sockets[0].getsockname()[1]
        case.addCleanup(self.close)

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _guarded(self, reader, writer):
        try:
            await self.serve(reader, writer)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def relay(self, reader, writer, host, port):
        """Passes bytes both ways until one side ends."""
        behind_reader, behind_writer = await asyncio.open_connection(host, port)

        async def pump(source, target):
            try:
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            except OSError:
                pass

        pumps = [asyncio.ensure_future(pump(reader, behind_writer)),
                 asyncio.ensure_future(pump(behind_reader, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in pumps:
                one.cancel()
            behind_writer.close()

    async def _stop(self):
        self._server.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    def close(self):
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)


class ConnectProxy(_Server):
    """Lets everything through to one port of this host, whatever was asked for. `tunnels`: "host:port" of each tunnel
    that was opened."""

    def __init__(self, case, target_port):
        self.target_port = target_port
        self.credentials = None  # "user:password" to demand
        self.status = None       # an answer instead of a tunnel, such as "502 Bad Gateway"
        self.tunnels = []
        self.refused = 0
        super().__init__(case)

    async def serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.split("\r\n")
        method, target, _version = request.split(" ")
        headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        status = self.status
        if method != "CONNECT":
            status = "405 Method Not Allowed"
        elif self.credentials is not None:
            wanted = "basic " + base64.b64encode(self.credentials.encode()).decode().lower()
            if headers.get("proxy-authorization") != wanted:
                status = "407 Proxy Authentication Required"
        if status is not None:
            self.refused += 1
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        self.tunnels.append(target)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await self.relay(reader, writer, "127.0.0.1", self.target_port)


class TlsFront(_Server):
    """Speaks TLS and passes what is said to a server in clear."""

    def __init__(self, case, certificate, host):
        self._host, self._port = host.rsplit(":", 1)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.use(certificate)
        super().__init__(case, tls=self.context)

    def use(self, certificate):
        """From the next connection on."""
        self.context.load_cert_chain(*certificate)

    async def serve(self, reader, writer):
        await self.relay(reader, writer, self._host, int(self._port))


class Authority:
    """Makes certificates. `file`: its own, to trust."""

    def __init__(self, directory, name="ca"):
        self._directory = directory
        self.file, self._key = self._paths(name)
        self._openssl("req", "-x509", *self._new(name), "-out", self.file,
                      "-addext", "basicConstraints=critical,CA:TRUE")

    def _paths(self, name):
        return tuple(os.path.join(self._directory, name + end) for end in (".pem", ".key"))

    def _new(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", self._paths(name)[1])

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def server(self, name, names, days="1"):
        """(certificate, key) for these names, as subjectAltName has them; days: "-1" = expired."""
        certificate, key = self._paths(name)
        request = certificate + ".csr"
        self._openssl("req", "-new", *self._new(name), "-out", request, "-addext", f"subjectAltName={names}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-days", days,
                      "-copy_extensions", "copy", "-out", certificate)
        return certificate, key

    def self_signed(self, name, names):
        certificate, key = self._paths(name)
        self._openssl("req", "-x509", *self._new(name), "-out", certificate, "-addext", f"subjectAltName={names}")
        return certificate, key
