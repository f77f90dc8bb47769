"""The id that TalkJS's SDKs give to the conversation of two users."""

import hashlib
import json


def one_on_one_id(user_a, user_b):
    """The conversation's id: 20 characters, the same for both orders of the two user ids, and the same
    as Talk.oneOnOneId in JavaScript. Asks nobody: neither users nor conversation need to exist."""
    # JavaScript sorts strings by UTF-16 code units.
    pair = sorted((user_a, user_b), key=lambda user_id: user_id.encode("utf-16-be"))
    text = json.dumps(pair, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha1(text.encode()).hexdigest()[:20]
