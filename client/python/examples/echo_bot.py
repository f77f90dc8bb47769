#!/usr/bin/python3
"""A TalkJS user who answers every message of others with the same words.

    echo_bot.py APP_ID USER_ID    (with TALKJS_SECRET_KEY set, where the app demands tokens)
"""
import os
import sys

import talkjsd
from talkjsd import pb


def main(app_id, user_id):
    with talkjsd.Client() as client:
        request = pb.CreateSessionRequest(app_id=app_id)
        request.user.MergeFrom(pb.UserAttributes(id=user_id, name="Echo", role="default"))
        if os.environ.get("TALKJS_SECRET_KEY"):
            request.signing_key.secret_key = os.environ["TALKJS_SECRET_KEY"]
        session_id = client.sessions.CreateSession(request).session.session_id
        print(f"{user_id} listens in session {session_id}", flush=True)
        for event in client.messages([session_id], exclude_by_me=True):
            if event.HasField("sent") and event.sent.HasField("sender_id"):
                # An event can come again; with its id in the request_id the answer does not.
                client.send(session_id, event.sent.conversation.id, event.sent.body,
                            request_id="echo-" + event.sent.id)


if __name__ == "__main__":
    main(*sys.argv[1:3])
