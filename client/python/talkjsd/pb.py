"""Every message and enum of talkjs.sidecar.v1, in one place."""

# pylint: disable=wildcard-import,unused-wildcard-import
from talkjs.sidecar.v1.conversation_service_pb2 import *
from talkjs.sidecar.v1.daemon_service_pb2 import *
from talkjs.sidecar.v1.errors_pb2 import *
from talkjs.sidecar.v1.event_service_pb2 import *
from talkjs.sidecar.v1.message_service_pb2 import *
from talkjs.sidecar.v1.session_service_pb2 import *
from talkjs.sidecar.v1.types_pb2 import *
from talkjs.sidecar.v1.user_service_pb2 import *
