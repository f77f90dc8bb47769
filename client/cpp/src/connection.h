// The channel to one daemon, with what is needed to say why it does not work.
#ifndef TALKJSD_CLIENT_CONNECTION_H_
#define TALKJSD_CLIENT_CONNECTION_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "talkjsd/status.h"

namespace talkjsd::client {

// Shared by a Client and its streams; immutable, so any thread may use it.
class Connection {
 public:
  Connection(std::string address, std::chrono::milliseconds connect_timeout);

  const std::string& address() const { return address_; }
  std::chrono::milliseconds connect_timeout() const { return connect_timeout_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Waits until the channel is connected. False = not within connect_timeout(), or `cancelled`
  // (asked ten times a second) became true.
  bool WaitUntilConnected(const std::function<bool()>& cancelled) const;

  // What to say when it is not: looks at the socket.
  Status Unreachable() const;

  // The outcome of a call, with ErrorInfo, BadRequest and RetryInfo taken from its details.
  Status FromGrpc(const grpc::Status& status) const;

 private:
  const std::string address_;
  const std::chrono::milliseconds connect_timeout_;
  const std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_CONNECTION_H_
