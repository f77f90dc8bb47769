"""What is to go wrong, and when: a pure function of the seed, so that a run can be played again."""

import json
import random
from typing import NamedTuple


class Action(NamedTuple):
    """at: seconds from the start of the traffic. kind: a method of faults.Faults, which takes the arguments."""
    at: float
    kind: str
    arguments: dict

    def __str__(self):
        return f"{self.at:8.3f} {self.kind} {json.dumps(self.arguments)}"


# Something happens this often between two kills of the daemon, besides.
TROUBLE_PER_SECOND = 1.2
# The daemon's pauses between kills: most of them hit it while it is still recovering from the one before, a few leave
# it the time to notice a dead connection and to reconnect, which takes up to half a minute.
_PAUSES = ((0.70, 0.3, 2.0), (0.97, 2.0, 5.0), (1.00, 14.0, 18.0))
_START = 1.5
# After the last start: until the daemon is up and connected, and until the end.
_RECOVERED = 3.0
_END = 5.5


def make(seed, kills, clients, users, token_users):
    """The actions by time, and when the schedule ends. clients: names; users: whose upstream connections to harm;
    token_users: those among them whose tokens come from outside."""
    rng = random.Random(seed)
    trouble = _Trouble(rng, clients, users, token_users)
    actions, at = [], _START
    for pause in _pauses(rng, kills):
        actions += trouble.between(at, at + pause)
        at += pause
        down = rng.choice([0.0, 0.0, 0.2, 0.5, 1.5])
        actions.append(Action(at, "kill_daemon", {"down": down}))
        at += down
    # What must be got over without the help of a restart.
    for number, user in enumerate(users):
        kind, arguments = [("drop", {"reset": True}), ("half_open", {}), ("stall", {"ms": 2000})][number % 3]
        actions.append(Action(at + _RECOVERED, kind, {"user": user, **arguments}))
    for number, client in enumerate(clients):
        actions.append(Action(at + _RECOVERED + 0.2 * number, "kill_client", {"client": client, "down": 0.1}))
    at += _END
    actions = [action._replace(at=round(action.at, 3)) for action in actions]
    return sorted(actions, key=lambda action: action.at), round(at, 3)


def _pauses(rng, count):
    """Drawn evenly from the distribution, so that the length of a run hardly depends on the seed."""
    pauses = []
    for number in range(count):
        quantile = (number + 0.5) / count
        pauses.append(next(rng.uniform(low, high) for up_to, low, high in _PAUSES if quantile <= up_to))
    rng.shuffle(pauses)
    return pauses


class _Trouble:
    """Draws what happens between two kills."""

    def __init__(self, rng, clients, users, token_users):
        self._rng, self._clients, self._users, self._token_users = rng, clients, users, token_users
        self._conversations = 0
        self._kinds = {
            self._kill_client: 5, self._cut: 4, self._stall: 2, self._half_open: 1, self._expire: 2,
            self._status: 4, self._login: 2, self._connect: 1, self._publish: 3, self._answer: 2,
            self._token: 2, self._conversation: 1,
        }

    def between(self, start, end):
        at, actions = start, []
        while True:
            at += self._rng.expovariate(TROUBLE_PER_SECOND)
            if at >= end:
                return actions
            draw, = self._rng.choices(list(self._kinds), list(self._kinds.values()))
            kind, arguments = draw()
            actions.append(Action(at, kind, arguments))

    def _user(self):
        return self._rng.choice(self._users)

    def _rule(self, on, action, **more):
        rule = {"on": on, "user": self._user(), "action": action, "times": 1, **more}
        return "rule", {"rule": rule}

    def _kill_client(self):
        return "kill_client", {"client": self._rng.choice(self._clients),
                               "down": self._rng.choice([0.0, 0.3, 1.0])}

    def _cut(self):
        kind, arguments = self._rng.choice([
            ("drop", {"reset": False}), ("drop", {"reset": True}), ("close", {})])
        return kind, {"user": self._user(), **arguments}

    def _stall(self):
        return "stall", {"user": self._user(), "ms": self._rng.choice([200, 1000, 3000])}

    def _half_open(self):
        return "half_open", {"user": self._user()}

    def _expire(self):
        return "expire", {"user": self._user()}

    def _status(self):
        """Answers that the daemon must get over: log in again, or wait and ask again."""
        status, code = self._rng.choice([(401, "UNAUTHORIZED"), (429, "RATE_LIMIT_EXCEEDED"),
                                         (500, "INTERNAL_ERROR")])
        path = self._rng.choice(["/me/conversations", "/me/conversations/*/messages", "**"])
        return self._rule("request", "status", method=self._rng.choice(["GET", "SUBSCRIBE"]), path=path,
                          status=status, error_code=code, times=self._rng.choice([1, 2, 5]))

    def _login(self):
        if self._rng.random() < 0.5:
            return "rule", {"rule": {"user": self._user(), "action": "refuse_token", "times": 1}}
        return self._rule("request", "status", path="/session/renew", status=503, error_code="OVERLOADED")

    def _connect(self):
        return self._rule("connect", *self._rng.choice([("drop",), ("reset",)]))

    def _publish(self):
        return self._rule("publish", self._rng.choice(["drop", "tear", "corrupt", "duplicate", "close"]),
                          nth=self._rng.choice([1, 3, 20]))

    def _answer(self):
        action, more = self._rng.choice([("drop", {}), ("tear", {}), ("corrupt", {}), ("delay", {"ms": 500})])
        return self._rule("answer", action, nth=self._rng.choice([1, 2, 5]), **more)

    def _token(self):
        return "give_token", {"user": self._rng.choice(self._token_users),
                              "lifetime": self._rng.choice([5, 15, 60])}

    def _conversation(self):
        """Somebody starts a new conversation with everybody; the one before it falls silent."""
        self._conversations += 1
        return "new_conversation", {"name": f"later-{self._conversations}",
                                    "retired": f"later-{self._conversations - 1}"}
