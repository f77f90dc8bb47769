"""Where the daemon listens."""

import os

SYSTEM_SOCKET = "/run/talkjsd/talkjsd.sock"


def default_address(environ=None, is_root=None, exists=os.path.exists):
    """Returns the address of this machine's daemon, in gRPC's form.

    1. $TALKJSD_ADDRESS if it is set and not empty;
    2. for root: unix:///run/talkjsd/talkjsd.sock;
    3. else unix://$XDG_RUNTIME_DIR/talkjsd/talkjsd.sock, but /run/talkjsd/talkjsd.sock when only
       that exists or XDG_RUNTIME_DIR is not set.

    The arguments are for tests.
    """
    environ = os.environ if environ is None else environ
    is_root = os.geteuid() == 0 if is_root is None else is_root
    given = environ.get("TALKJSD_ADDRESS")
    if given:
        return normalize(given)
    runtime_dir = environ.get("XDG_RUNTIME_DIR")
    if is_root or not runtime_dir:
        return normalize(SYSTEM_SOCKET)
    own = runtime_dir + "/talkjsd/talkjsd.sock"
    if not exists(own) and exists(SYSTEM_SOCKET):
        return normalize(SYSTEM_SOCKET)
    return normalize(own)


def normalize(address):
    """An absolute path becomes unix://path; everything else stays."""
    return "unix://" + address if address.startswith("/") else address
