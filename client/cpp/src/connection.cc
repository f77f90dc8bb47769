#include "connection.h"

#include <errno.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "address.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace talkjsd::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

constexpr char kErrorDomain[] = "talkjs.sidecar";
constexpr int kMaxResponseBytes = 64 << 20;

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, const Security& security) {
  grpc::ChannelArguments arguments;
  // With BDP probing a client that stopped reading still takes in megabytes.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // One event is never split, and the daemon bounds it.
  arguments.SetMaxReceiveMessageSize(kMaxResponseBytes);
  // While a call is open: notices a daemon, or a way to it, that is there but dead. The daemon
  // allows pings every 10 s; by default a client stops after two without data.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return grpc::CreateCustomChannel(address, security.channel(), arguments);
}

// Reads the details that the API documents; others are left alone.
void ReadDetails(const std::string& serialized, Status* status) {
  google::rpc::Status details;
  if (!details.ParseFromString(serialized)) return;
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&info) && info.domain() == kErrorDomain) {
      status->reason = info.reason();
      status->metadata.insert(info.metadata().begin(), info.metadata().end());
    } else if (detail.UnpackTo(&bad_request)) {
      for (const auto& violation : bad_request.field_violations()) {
        status->field_violations.push_back({violation.field(), violation.description()});
      }
    } else if (detail.UnpackTo(&retry)) {
      const auto& delay = retry.retry_delay();
      status->retry_delay =
          std::chrono::seconds(delay.seconds()) + milliseconds(delay.nanos() / 1'000'000);
    }
  }
}

}  // namespace

Connection::Connection(std::string address, const ClientOptions& options)
    : address_(std::move(address)),
      connect_timeout_(options.connect_timeout),
      security_(options, address_),
      channel_(MakeChannel(address_, security_)) {}

bool Connection::WaitUntilConnected(const std::function<bool()>& cancelled) const {
  if (!security_.status().ok()) return false;
  const auto deadline = system_clock::now() + connect_timeout_;
  for (;;) {
    const grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return true;
    const auto now = system_clock::now();
    if (now >= deadline || cancelled()) return false;
    channel_->WaitForStateChange(state, std::min(deadline, now + milliseconds(100)));
  }
}

Status Connection::Unreachable() const {
  if (!security_.status().ok()) return security_.status();
  Status status;
  status.code = Code::kUnavailable;
  status.message = "cannot reach talkjsd at " + address_;
  const std::string path = UnixSocketPath(address_);
  if (path.empty()) {
    status.message += ": check the address, and that the daemon runs and listens there";
    status.message += security_.has_tls() ? " with TLS; its certificate must be of an authority "
                                            "that you trust and name this host, and it may want "
                                            "one of yours"
                                          : " without TLS";
  } else if (access(path.c_str(), F_OK) != 0 && errno != EACCES) {
    status.message +=
        ": there is no such socket; start talkjsd, or set TALKJSD_ADDRESS to where "
        "it listens";
  } else if (access(path.c_str(), R_OK | W_OK) != 0) {
    status.message += ": this user may not use that socket; join its group (usually talkjsd)";
  } else {
    status.message += ": the socket is there but nobody answers; start talkjsd, or see its log";
  }
  return status;
}

Status Connection::FromGrpc(const grpc::Status& from) const {
  Status status;
  if (from.ok()) return status;
  status.code = static_cast<Code>(from.error_code());
  status.message = from.error_message();
  ReadDetails(from.error_details(), &status);
  if (status.reason.empty() && status.code == Code::kUnavailable) {
    status.message = "the connection to talkjsd at " + address_ + " broke (" +
                     from.error_message() + "); it may be restarting: try again";
  } else if (status.reason.empty() && status.code == Code::kDeadlineExceeded) {
    status.message = "talkjsd at " + address_ + " did not answer in time; try again, or allow more";
  }
  return status;
}

}  // namespace talkjsd::client
