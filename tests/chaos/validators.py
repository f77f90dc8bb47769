"""The six properties that etcd demands of a watch, for streams of talkjsd: each a function of the Evidence that
returns what contradicts it, as sentences; empty = it holds.

  ordered       a stream's events come in the order of the journal; a conversation's messages in TalkJS's order
  unique        no event twice in one stream, none again that the client had put behind it, no message as two events
  reliable      who was sent a and c was sent every b between them that he asked for; at the end, all there is
  atomic        a position is one event, whole and the same for everybody, and says what TalkJS says
  resumable     a stream goes on exactly after the position it was given; no position is lost
  bookmarkable  who is told "everything up to here" has been sent everything up to there

What they may use of a cursor is that it orders (history.sequence).
"""

import history as histories

# The daemon may lose this much of the acknowledgements it has confirmed, when it is killed.
ACKNOWLEDGEMENT_LAG = 1.0  # s


def ordered(evidence):
    found = []
    for history in evidence.histories:
        for stream in history.streams:
            last = histories.sequence(stream.opened) if stream.opened else 0
            for event in stream.events():
                if event.sequence <= last:
                    found.append(f"{history.client} {stream.key}: position {event.sequence} after {last}")
                last = event.sequence
        found += _out_of_talkjs_order(history, evidence.truth)
    return found


def _out_of_talkjs_order(history, truth):
    """Among the messages that are new to the client, whatever stream they came by."""
    seen, newest = set(), {}
    for event in history.events():
        place = truth.place.get(event.message)
        if event.kind != "sent" or place is None or (event.session, event.message) in seen:
            continue
        seen.add((event.session, event.message))
        lane = (event.session, event.conversation)
        before = newest.get(lane)
        if before is not None and place < before.place:
            yield (f"{history.client}: {event.conversation} for {event.session}: message number {place} at "
                   f"position {event.sequence} came after number {before.place} at {before.at}"
                   f"{' (recovered)' if event.recovered else ''}")
        if before is None or place > before.place:
            newest[lane] = _Seen(place, event.sequence)


class _Seen:
    def __init__(self, place, at):
        self.place, self.at = place, at


def unique(evidence):
    found, events_of = [], {}
    for history in evidence.histories:
        for stream in history.streams:
            seen = set()
            start = _start_sequence(stream)
            for event in stream.events():
                if event.cursor in seen:
                    found.append(f"{history.client} {stream.key}: position {event.sequence} twice")
                elif start is not None and event.sequence <= start:
                    found.append(f"{history.client} {stream.key}: position {event.sequence} again, which the "
                                 f"client had put behind it when it resumed after {start}")
                seen.add(event.cursor)
    for event in evidence.journal.values():
        if event.kind == "sent":
            events_of.setdefault((event.session, event.message), []).append(event)
    for (session, message), events in events_of.items():
        if len(events) > 1:
            found.append(f"message {message} for {session} is several events: " + ", ".join(
                f"{event.sequence}{' (recovered)' if event.recovered else ''}" for event in events))
    return found


def _start_sequence(stream):
    """The position that the client gave, or None when it gave none."""
    return histories.sequence(stream.start[1]) if stream.start[0] == "cursor" else None


def reliable(evidence):
    found = []
    for history in evidence.histories:
        for stream in history.streams:
            if stream.opened is None:
                continue
            reached = max([event.sequence for event in stream.events()], default=0)
            found += _missing(evidence, history, stream, histories.sequence(stream.opened), reached)
        if not history.streams:
            found.append(f"{history.client}: never opened a stream")
            continue
        expected = evidence.truth.expected(history.streams[-1].selection)
        found += _named(history.client, "does not hold", expected - history.held, evidence)
        found += _named(history.client, "holds what TalkJS does not have:", history.held - expected, evidence)
    return found


def _named(client, what, messages, evidence):
    if not messages:
        return
    places = sorted((session, *_place(message, evidence.truth)) for session, message in messages)
    examples = "; ".join(f"{conversation} number {number} for {session}"
                         for session, conversation, number in places[:5])
    yield f"{client} {what} {len(messages)} messages: {examples}"


def _place(message, truth):
    known = truth.by_id.get(message)
    return (known.conversation, truth.place[message]) if known else (message, -1)


def _missing(evidence, history, stream, after, to):
    """Events of the journal in (after, to] that the stream asked for and was not sent."""
    sent = {event.sequence for event in stream.events()}
    for event in evidence.between(after, to):
        if event.sequence not in sent and stream.selection.takes(event):
            yield (f"{history.client} {stream.key}: was sent nothing of position {event.sequence} "
                   f"({event.conversation} {event.message}), but of later ones")


def atomic(evidence):
    found = []
    for history in evidence.histories:
        for event in history.events():
            first = evidence.journal[event.sequence]
            if event is not first and _differ(event, first):
                found.append(f"{history.client}: position {event.sequence} is {event}, to another client {first}")
    for event in evidence.journal.values():
        message = evidence.truth.by_id.get(event.message)
        if event.kind != "sent" or message is None:
            continue  # `reliable` tells of messages that TalkJS does not have
        said = histories.Message(event.message, event.conversation, event.sender, event.text, event.created)
        if said != message:
            found.append(f"position {event.sequence} says {said}, TalkJS {message}")
    return found


def _differ(one, other):
    if one.digest and other.digest:
        return (one.digest, one.cursor) != (other.digest, other.cursor)
    return one._replace(digest="") != other._replace(digest="")


def resumable(evidence):
    found = []
    for history in evidence.histories:
        told = {}  # cursor -> when it became known to the client, as a number
        acknowledged = []  # of named subscriptions: (at, sequence), over all streams
        for stream in history.streams:
            where = f"{history.client} {stream.key}"
            if stream.end is not None and stream.end[0] not in ("UNAVAILABLE", "CANCELLED", "OK"):
                found.append(f"{where}: ended with {stream.end[0]} {stream.end[1]}: {stream.end[2]}")
            found += [f"{where}: a gap, {value}" for op, value in stream.items if op == "gap"]
            if stream.opened is not None:
                found += _resumed_elsewhere(evidence, where, stream, told, acknowledged)
                told[stream.opened] = True
            for op, value in stream.items:
                if op != "gap":
                    told[value.cursor if op == "event" else value] = True
            acknowledged += [(at, histories.sequence(cursor)) for at, cursor in stream.acks]
    return found


def _resumed_elsewhere(evidence, where, stream, told, acknowledged):
    opened = histories.sequence(stream.opened)
    how = stream.start[0]
    if how == "cursor":
        given = stream.start[1]
        if given not in told:
            yield f"{where}: resumes with a position that it was never told"
        if stream.opened_start != "AFTER_CURSOR" or opened != histories.sequence(given):
            yield (f"{where}: resumed after {histories.sequence(given)}, began {stream.opened_start} {opened}")
    elif how == "time":
        skipped = [event.sequence for event in evidence.between(0, opened)
                   if event.taken >= stream.start[1] and stream.selection.takes(event)]
        if stream.opened_start != "FROM_TIME" or skipped:
            yield f"{where}: from time {stream.start[1]}, began {stream.opened_start} {opened}, skips {skipped[:5]}"
    elif how == "name" and acknowledged:
        kills = [at for at in evidence.daemon_kills if at <= stream.at]
        safe = [number for at, number in acknowledged
                if not any(at <= kill <= at + ACKNOWLEDGEMENT_LAG for kill in kills)]
        low, high = max(safe, default=0), max(number for _, number in acknowledged)
        if not low <= opened <= high:
            yield f"{where}: {stream.start[1]} stood at {low} to {high}, began {stream.opened_start} {opened}"
    first = next((event.sequence for event in stream.events()), opened)
    yield from (f"{where}: began after {opened} and skipped {event.sequence}"
                for event in evidence.between(opened, first - 1) if stream.selection.takes(event))


def bookmarkable(evidence):
    found = []
    for history in evidence.histories:
        for stream in history.streams:
            if stream.opened is not None:
                found += _false_bookmarks(evidence, f"{history.client} {stream.key}", stream)
    return found


def _false_bookmarks(evidence, where, stream):
    """Each event of the journal is looked at once: behind the bookmark before, up to this one."""
    sent, bookmark, caught_up = set(), histories.sequence(stream.opened), 0
    for op, value in stream.items:
        if op == "event":
            sent.add(value.sequence)
            if value.sequence <= bookmark:
                yield f"{where}: position {value.sequence} after everything up to {bookmark}"
        elif op in ("caught_up", "progress"):
            here = histories.sequence(value)
            if here < bookmark:
                yield f"{where}: everything up to {here} after everything up to {bookmark}"
            yield from (f"{where}: everything up to {here} ({op}), but nothing of {event.sequence}"
                        for event in evidence.between(bookmark, here)
                        if event.sequence not in sent and stream.selection.takes(event))
            bookmark = max(bookmark, here)
            caught_up += op == "caught_up"
    if caught_up > 1:
        yield f"{where}: caught up {caught_up} times"


VALIDATORS = {validator.__name__: validator for validator in
              (ordered, unique, reliable, atomic, resumable, bookmarkable)}


def violations(evidence):
    """By the name of the validator; only those that found something."""
    found = {name: validator(evidence) for name, validator in VALIDATORS.items()}
    return {name: sentences for name, sentences in found.items() if sentences}
