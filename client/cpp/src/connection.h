// The channel to one daemon, with what is needed to say why it does not work.
#ifndef TALKJSD_CLIENT_CONNECTION_H_
#define TALKJSD_CLIENT_CONNECTION_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "security.h"
#include "talkjsd/client.h"
#include "talkjsd/status.h"

namespace talkjsd::client {

// Shared by a Client and its streams; immutable, so any thread may use it.
class Connection {
 public:
  // `address` in gRPC's form; of `options` how to connect to it.
  Connection(std::string address, const ClientOptions& options);

  const std::string& address() const { return address_; }
  std::chrono::milliseconds connect_timeout() const { return connect_timeout_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Waits until the channel is connected. False = the options make no sense, not within
  // connect_timeout(), or `cancelled` (asked ten times a second) became true.
  bool WaitUntilConnected(const std::function<bool()>& cancelled) const;

  // What to say when it is not: what is wrong with the options, or looks at the socket.
  Status Unreachable() const;

  // Puts into a call what every call carries.
  void Prepare(grpc::ClientContext* context) const { security_.AddTo(context); }

  // The outcome of a call, with ErrorInfo, BadRequest and RetryInfo taken from its details.
  Status FromGrpc(const grpc::Status& status) const;

 private:
  const std::string address_;
  const std::chrono::milliseconds connect_timeout_;
  const Security security_;
  const std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_CONNECTION_H_
