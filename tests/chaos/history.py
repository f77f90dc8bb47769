"""What a client was sent, as lines of JSON, and the same read back as objects.

A client appends to one file, over all its lives. A line has the stream it is about ("stream": the client's life and
the number of the stream in it) and what happened ("op"):

  open       the client asks: "start" = [how, value], as ["cursor", hex], ["time", ms], ["name"]; "selection"
  opened     "cursor", "start" (a name of StreamStart without prefix), "earliest"
  events     "events": lists in the order of Event's fields, without the last
  caught_up  "cursor"
  progress   "cursor"
  gap        "reason": a position was lost, the answer to `open`
  reopened   a library lost its connection and resumed by itself
  ack        a named subscription was moved to "cursor"; the daemon has said so
  end        "code", "reason", "message"

"at" is the wall clock in seconds. A line is written whole before the client goes on, in one write: SIGKILL may cut the
last one short, which then is no line, and the client did not hold what it says.
"""

import bisect
import hashlib
import json
import os
import re
import sys
from typing import NamedTuple

_CURSOR = re.compile(r"^01([0-9a-f]{16})([0-9a-f]{16})$")


def sequence(cursor):
    """The place of a cursor (hex) in the journal. Clients may not look into cursors; this test does, in this place."""
    found = _CURSOR.match(cursor)
    if not found:
        raise ValueError(f"not a cursor: {cursor!r}")
    return int(found.group(2), 16)


class Event(NamedTuple):
    """A MessageEvent, as far as the validators look at it."""
    cursor: str
    session: str
    kind: str  # "sent", "gap", ...: the payload's name
    message: str  # ids; "" where the payload has none
    conversation: str
    sender: str
    text: str
    created: int  # the message's createdAt, ms
    taken: int  # event_time, ms: when the daemon got it
    recovered: bool
    digest: str  # of the event's bytes; "" = not known
    sequence: int  # of the cursor; not in the file

    @classmethod
    def of(cls, fields):
        """From a line's list. There are many, and most of their texts are the same few."""
        cursor, session, kind, message, conversation, sender, *rest = fields
        return cls(cursor, sys.intern(session), sys.intern(kind), sys.intern(message), sys.intern(conversation),
                   sys.intern(sender), *rest, sequence(cursor))


class Selection(NamedTuple):
    """What a stream asks for. Empty = all."""
    sessions: tuple = ()
    conversations: tuple = ()
    not_from: str = ""  # exclude_by_me: the user of the (one) session

    def takes(self, event):
        if self.sessions and event.session not in self.sessions:
            return False
        if self.conversations and event.conversation not in self.conversations:
            return False
        return event.kind == "sent" and not (self.not_from and event.sender == self.not_from)


class Stream:
    """One stream of a client, in the order in which the client was told."""

    def __init__(self, key, start, selection, at):
        self.key, self.start, self.selection, self.at = key, start, selection, at
        self.opened = None  # its cursor
        self.opened_start = None
        self.items = []  # (op, Event or cursor or text)
        self.acks = []  # (at, cursor)
        self.end = None  # (code, reason, message)

    def events(self):
        return [value for op, value in self.items if op == "event"]


class History:
    """All that one client was told: its streams, oldest first."""

    def __init__(self, client):
        self.client = client
        self.streams = []
        self.held = set()  # (session, message id) of every message that the client holds

    def stream(self, key):
        return next(stream for stream in reversed(self.streams) if stream.key == key)

    def events(self):
        return [event for stream in self.streams for event in stream.events()]

    def take(self, record):
        """One line."""
        op = record["op"]
        if op == "open":
            selection = Selection(*(tuple(part) if isinstance(part, list) else part
                                    for part in record["selection"]))
            self.streams.append(Stream(record["stream"], tuple(record["start"]), selection,
                                       record["at"]))
            return
        stream = self.stream(record["stream"])
        if op == "opened":
            # A library that resumes by itself is one stream; what counts is where it began.
            if stream.opened is None:
                stream.opened, stream.opened_start = record["cursor"], record["start"]
        elif op == "events":
            for fields in record["events"]:
                event = Event.of(fields)
                stream.items.append(("event", event))
                if event.kind == "sent":
                    self.held.add((event.session, event.message))
        elif op in ("caught_up", "progress"):
            stream.items.append((op, record["cursor"]))
        elif op == "gap":
            stream.items.append((op, record["reason"]))
        elif op == "ack":
            stream.acks.append((record["at"], record["cursor"]))
        elif op == "end":
            stream.end = (record["code"], record["reason"], record["message"])
        elif op != "reopened":
            raise ValueError(f"unknown op {op!r}")


class Follower:
    """Reads a history while it grows."""

    def __init__(self, client, path):
        self.history = History(client)
        self._path, self._offset = path, 0

    def read(self):
        """Takes the lines that are whole by now; returns the history."""
        if os.path.exists(self._path):
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._offset += len(line)
                    self.history.take(json.loads(line))
        return self.history


class Writer:
    """A client's end: appends lines."""

    def __init__(self, path):
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._cut_short_line()

    def _cut_short_line(self):
        """The line in which the life before was killed is not one."""
        end = os.lseek(self._fd, 0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            newline = os.pread(self._fd, end - start, start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        os.ftruncate(self._fd, end)
        os.lseek(self._fd, 0, os.SEEK_END)

    def write(self, **record):
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        while line:
            line = line[os.write(self._fd, line):]


class Message(NamedTuple):
    """A message as the emulator has it."""
    id: str
    conversation: str
    sender: str
    text: str
    created: int


class Truth:
    """What the emulator holds at the end: the messages of each conversation, in its order, and who is in which."""

    def __init__(self, conversations, users):
        self.conversations = conversations  # id -> [Message], oldest first
        self.users = users  # session id -> user id; every user is in every conversation
        self.by_id = {message.id: message for messages in conversations.values()
                      for message in messages}
        self.place = {message.id: number for messages in conversations.values()
                      for number, message in enumerate(messages)}

    def expected(self, selection):
        """(session, message id) of everything that a client with this selection must hold."""
        sessions = selection.sessions or tuple(self.users)
        return {(session, message.id)
                for session in sessions for name, messages in self.conversations.items()
                if not selection.conversations or name in selection.conversations
                for message in messages
                if not (selection.not_from and message.sender == selection.not_from)}


class Evidence:
    """Everything that a validator may look at. daemon_kills: wall clock, seconds."""

    def __init__(self, histories, truth, daemon_kills=()):
        self.histories, self.truth, self.daemon_kills = histories, truth, tuple(daemon_kills)
        journal = {}
        for history in histories:
            for event in history.events():
                known = journal.setdefault(event.sequence, event)
                if not known.digest:
                    journal[event.sequence] = event
        # sequence -> Event: all that any client was ever sent, as the first one was that knew it whole.
        self.journal = dict(sorted(journal.items()))
        self._positions = list(self.journal)

    def between(self, after, to):
        """The events of the journal behind `after`, up to and with `to`."""
        first = bisect.bisect_right(self._positions, after)
        last = bisect.bisect_right(self._positions, to)
        return [self.journal[position] for position in self._positions[first:last]]


def digest_of(data):
    return hashlib.blake2b(data, digest_size=8).hexdigest()
