"""Errors with the daemon's reasons."""

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

_DOMAIN = "talkjs.sidecar"
_DETAILS_KEY = "grpc-status-details-bin"


class Error(Exception):
    """A call or a stream that failed.

    code              a grpc.StatusCode
    reason            name of a value of pb.ErrorReason without its prefix, such as
                      "SESSION_NOT_FOUND"; "" when the daemon did not give one: no connection, or a
                      deadline that passed here. Newer daemons may send others than this pb has
    message           what went wrong and what to do next, for a person
    metadata          dict of what the reason comes with: "session_id", "earliest_cursor", ...
    field_violations  list of (field, description), with INVALID_FIELD
    retry_delay       seconds to wait before a retry, or None
    """

    def __init__(self, code, message, reason="", metadata=None, field_violations=None,
                 retry_delay=None):
        super().__init__(f"{code.name} ({reason}): {message}" if reason
                         else f"{code.name}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.metadata = metadata or {}
        self.field_violations = field_violations or []
        self.retry_delay = retry_delay

    @property
    def unreachable(self):
        """Whether no daemon answered: not running, wrong address, or the way to it is barred."""
        return self.code == grpc.StatusCode.UNAVAILABLE and not self.reason

    @classmethod
    def from_rpc(cls, rpc_error):
        """The Error for a grpc.RpcError that a call raised."""
        error = cls(rpc_error.code(), rpc_error.details() or "")
        for key, value in rpc_error.trailing_metadata() or ():
            if key == _DETAILS_KEY:
                return cls._with_details(error, value)
        return error

    @classmethod
    def _with_details(cls, error, serialized):
        fields = {}
        try:
            details = status_pb2.Status.FromString(serialized).details
        except DecodeError:
            return error
        for detail in details:
            info = error_details_pb2.ErrorInfo()
            bad_request = error_details_pb2.BadRequest()
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(info) and info.domain == _DOMAIN:
                fields.update(reason=info.reason, metadata=dict(info.metadata))
            elif detail.Unpack(bad_request):
                fields["field_violations"] = [(violation.field, violation.description)
                                              for violation in bad_request.field_violations]
            elif detail.Unpack(retry):
                fields["retry_delay"] = retry.retry_delay.ToTimedelta().total_seconds()
        return cls(error.code, error.message, **fields)
