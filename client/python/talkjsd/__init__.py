"""The Python client of talkjsd, the TalkJS session daemon.

    import talkjsd
    from talkjsd import pb

    with talkjsd.Client() as client:
        for event in client.messages([session_id], exclude_by_me=True):
            print(event.sent.body)

Client is the door; pb holds every message and enum of the API; every error is a talkjsd.Error with
the daemon's reason. docs/api.md is the guide.
"""

from talkjsd.address import default_address
from talkjsd.client import Client
from talkjsd.errors import Error
from talkjsd.one_on_one import one_on_one_id
from talkjsd.streams import MessageStream, UnreadsStream

__all__ = ["Client", "Error", "MessageStream", "UnreadsStream", "default_address",
           "one_on_one_id"]
