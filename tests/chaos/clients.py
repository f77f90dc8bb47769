#!/usr/bin/python3
"""A client that may be killed at any moment: it follows messages, and what it was told is its history file.

Run by chaos as a process of its own. SIGKILL is how it ends as a rule; SIGTERM ends it in order. Where it goes on is
in a file beside the history that it replaces from time to time, always after the history is written: a kill between
the two has the daemon send again what follows the position stored last, and nothing else.

  how        remembers                         resumes with
  cursor     the last cursor                   that cursor
  time       the last event's time             that time: what came in the same millisecond comes again
  name       nothing: the daemon does          the name of its subscription
  library    talkjsd.MessageStream's cursor    that cursor; reconnects are the library's
  talkjsctl  the last event's cursor           that cursor; reconnects are the C++ library's
"""

import argparse
import base64
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.environ["TALKJSD_PYTHON"])

import grpc  # noqa: E402  pylint: disable=wrong-import-position
import talkjsd  # noqa: E402  pylint: disable=wrong-import-position
from google.protobuf.timestamp_pb2 import Timestamp  # noqa: E402  pylint: disable=wrong-import-position
from history import Writer, digest_of  # noqa: E402  pylint: disable=wrong-import-position
from talkjs.sidecar.v1 import event_service_pb2_grpc  # noqa: E402  pylint: disable=wrong-import-position
from talkjsd import pb  # noqa: E402  pylint: disable=wrong-import-position

PR_SET_PDEATHSIG = 1
NO_DAEMON_ANSWERS = 3


def fields(event):
    """In the order of history.Event."""
    kind = event.WhichOneof("payload") or ""
    sent = event.sent if kind == "sent" else pb.Message()
    return [event.cursor.hex(), event.session_id, kind, sent.id, sent.conversation.id, sent.sender_id, sent.body,
            sent.create_time.ToMilliseconds(), event.event_time.ToMilliseconds(), event.recovered,
            digest_of(event.SerializeToString(deterministic=True))]


def milliseconds(text):
    """Of a time in JSON."""
    time_of = Timestamp()
    if text:
        time_of.FromJsonString(text)
    return time_of.ToMilliseconds()


class Client:
    """What all have in common: the history, the position, the end."""

    def __init__(self, options):
        self.options = options
        self.writer = Writer(options.history)
        self.stopping = threading.Event()
        self.position = self._stored()
        self._unsaved = 0
        self._life = f"{time.time():.3f}"
        self._streams = 0
        self.stream = None

    def _stored(self):
        if not os.path.exists(self.options.position):
            return None
        with open(self.options.position, encoding="utf-8") as file:
            return json.load(file)

    def record(self, op, **what):
        self.writer.write(op=op, stream=self.stream, at=time.time(), **what)

    def open(self, start):
        self._streams += 1
        self.stream = f"{self._life}/{self._streams}"
        self.record("open", start=start, selection=[
            self.options.session, self.options.conversation, self.options.not_from])

    def done_with(self, position):
        """Stored at every options.store_every-th call."""
        self.position = position
        self._unsaved += 1
        if self._unsaved >= self.options.store_every:
            self._unsaved = 0
            self.store(position)

    def store(self, position):
        temporary = self.options.position + ".new"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(position, file)
        os.rename(temporary, self.options.position)

    def request(self):
        return pb.StreamMessagesRequest(
            session_ids=self.options.session, conversation_ids=self.options.conversation,
            exclude_by_me=bool(self.options.not_from))

    def stop(self):
        self.stopping.set()

    def run(self):
        raise NotImplementedError


class RawClient(Client):
    """gRPC as it is: every response goes into the history."""

    def __init__(self, options):
        super().__init__(options)
        self._client = talkjsd.Client(options.address, timeout=5.0)
        self.stub = event_service_pb2_grpc.EventServiceStub(self._client.channel)
        self._call = None

    def stop(self):
        super().stop()
        if self._call is not None:
            self._call.cancel()

    def run(self):
        while not self.stopping.is_set():
            request = self.request()
            self.open(self.start(request))
            try:
                self._call = self.stub.StreamMessages(request, wait_for_ready=True)
                if self.stopping.is_set():
                    self._call.cancel()
                for response in self._call:
                    self._take(response)
                self.record("end", code="OK", reason="", message="")
            except grpc.RpcError as rpc_error:
                error = talkjsd.Error.from_rpc(rpc_error)
                self.record("end", code=error.code.name, reason=error.reason, message=error.message)
                if error.code != grpc.StatusCode.UNAVAILABLE and not self.stopping.is_set():
                    raise error
            self.stopping.wait(0.05)

    def start(self, request):
        """Puts where to begin into the request; returns it as the history has it."""
        if self.position is None:
            request.earliest.SetInParent()
            return ["earliest"]
        return self.resume(request)

    def _take(self, response):
        if response.HasField("opened"):
            opened = response.opened
            self.record("opened", cursor=opened.cursor.hex(), earliest=opened.earliest_cursor.hex(),
                        start=pb.StreamStart.Name(opened.start)[len("STREAM_START_"):])
            self.opened(opened)
        if response.HasField("gap"):
            self.record("gap", reason=pb.GapReason.Name(response.gap.reason))
        if response.events:
            events = [fields(event) for event in response.events]
            self.record("events", events=events)
            self.handled(events[-1])
        for op in ("caught_up", "progress"):
            if response.HasField(op):
                cursor = getattr(response, op).cursor.hex()
                self.record(op, cursor=cursor)
                self.told(cursor)
        if self.options.pause:
            self.stopping.wait(self.options.pause)

    def opened(self, opened):
        pass

    def resume(self, request):
        raise NotImplementedError

    def handled(self, last):
        """The fields of the last event of a response, which the history has."""
        raise NotImplementedError

    def told(self, cursor):
        """A position without an event."""


class CursorClient(RawClient):
    def resume(self, request):
        request.cursor = bytes.fromhex(self.position)
        return ["cursor", self.position]

    def handled(self, last):
        self.done_with(last[0])

    def told(self, cursor):
        self.done_with(cursor)


class TimeClient(RawClient):
    def resume(self, request):
        request.from_time.FromMilliseconds(self.position)
        return ["time", self.position]

    def handled(self, last):
        self.done_with(last[8])


class NameClient(RawClient):
    """Its position only says that the subscription was acknowledged once."""

    def __init__(self, options):
        super().__init__(options)
        self._name = f"chaos/{options.name}"
        self._stream_id = ""

    def request(self):
        request = super().request()
        request.subscription.name = self._name
        # The stream of the life before may not have been missed yet.
        request.subscription.takeover = True
        return request

    def resume(self, request):
        return ["name", self._name]

    def opened(self, opened):
        self._stream_id = opened.stream_id

    def handled(self, last):
        self.done_with(last[0])

    def told(self, cursor):
        self.done_with(cursor)

    def store(self, position):
        request = pb.AcknowledgeRequest(name=self._name, stream_id=self._stream_id,
                                        cursor=bytes.fromhex(position))
        try:
            self.stub.Acknowledge(request, timeout=2.0)
        except grpc.RpcError:
            return  # the stream will end, too
        self.record("ack", cursor=position)
        super().store(position)


class LibraryClient(Client):
    """The Python library's MessageStream: the history of one life is one stream."""

    def __init__(self, options):
        super().__init__(options)
        self._client = talkjsd.Client(options.address, timeout=5.0, connect_timeout=30.0)
        self._messages = None

    def stop(self):
        super().stop()
        if self._messages is not None:
            self._messages.close()

    def run(self):
        start = ["earliest"] if self.position is None else ["cursor", self.position]
        self.open(start)
        self._messages = self._client.messages(
            self.options.session, conversation_ids=self.options.conversation,
            exclude_by_me=bool(self.options.not_from), earliest=self.position is None,
            cursor=bytes.fromhex(self.position) if self.position else None,
            on_progress=self._progress, on_reconnect=self._reconnect)
        if self.position is not None:
            # The library does not say so; that it is so is what the validators check.
            self.record("opened", cursor=self.position, start="AFTER_CURSOR")
        for event in self._messages:
            self.record("events", events=[fields(event)])
            self.done_with(event.cursor.hex())

    def _progress(self, cursor):
        self.record("progress", cursor=cursor.hex())

    def _reconnect(self, error, pause):
        self.record("reopened", code=error.code.name, reason=error.reason, pause=pause)


class TalkjsctlClient(Client):
    """`talkjsctl messages --json`: the C++ library. It ends with this process."""

    def __init__(self, options):
        super().__init__(options)
        self._process = None

    def stop(self):
        super().stop()
        if self._process is not None:
            self._process.terminate()

    def run(self):
        while not self.stopping.is_set():
            code = self._follow()
            # It waits for a daemon that it has met, but not for long for the first one.
            if code != NO_DAEMON_ANSWERS and not self.stopping.is_set():
                sys.exit(f"talkjsctl ended with {code}")

    def _follow(self):
        """Runs one; returns its exit code."""
        command = [os.path.join(os.environ["TALKJSD_BIN"], "talkjsctl"), "messages", "--json",
                   "--address", self.options.address]
        for session in self.options.session:
            command += ["--session", session]
        for conversation in self.options.conversation:
            command += ["--conversation", conversation]
        if self.options.not_from:
            command.append("--exclude-by-me")
        if self.position is None:
            self.open(["earliest"])
            command.append("--earliest")
        else:
            self.open(["cursor", self.position])
            self.record("opened", cursor=self.position, start="AFTER_CURSOR")
            command += ["--from-cursor", self.position]
        libc = ctypes.CDLL(None)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)) as process:
            self._process = process
            for line in process.stdout:
                event = self._fields(json.loads(line))
                self.record("events", events=[event])
                self.done_with(event[0])
        return process.returncode

    @staticmethod
    def _fields(event):
        """As fields(), of the JSON form, which is not worth the time to turn it back for a digest."""
        kind = next((name for name in ("sent", "gap") if name in event), "")
        sent = event.get("sent", {})
        return [base64.b64decode(event["cursor"]).hex(), event.get("session_id", ""), kind, sent.get("id", ""),
                sent.get("conversation", {}).get("id", ""), sent.get("sender_id", ""), sent.get("body", ""),
                milliseconds(sent.get("create_time")), milliseconds(event.get("event_time")),
                event.get("recovered", False), ""]


HOW = {"cursor": CursorClient, "time": TimeClient, "name": NameClient, "library": LibraryClient,
       "talkjsctl": TalkjsctlClient}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=HOW)
    parser.add_argument("--name", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--history", required=True)
    parser.add_argument("--position", required=True)
    parser.add_argument("--session", action="append", default=[])
    parser.add_argument("--conversation", action="append", default=[])
    parser.add_argument("--not-from", default="", help="the session's user, whose messages to leave out")
    parser.add_argument("--store-every", type=int, default=1, help="responses, or events of a library")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds to rest after each response")
    client = HOW[(options := parser.parse_args()).how](options)
    signal.signal(signal.SIGTERM, lambda *_: client.stop())
    client.run()


if __name__ == "__main__":
    main()
