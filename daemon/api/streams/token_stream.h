// ProvideTokens: a local client as a source of tokens.
#ifndef TALKJSD_API_STREAMS_TOKEN_STREAM_H_
#define TALKJSD_API_STREAMS_TOKEN_STREAM_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>
#include <string>

#include "daemon/api/call_set.h"
#include "daemon/api/calls/admit.h"
#include "daemon/api/context.h"
#include "daemon/api/dispatcher.h"
#include "daemon/base/mutex.h"
#include "talkjs/sidecar/v1/session_service.pb.h"

namespace talkjsd::api {

using TokenStreamReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

// As SessionService.ProvideTokens promises. Reads one message at a time; writes what the broker has
// for this client, one response at a time. The client leaves when it half-closes, cancels or dies.
// Lives until gRPC's OnDone, and as long as anybody else has a reference. End and the broker's wake
// may come from any thread and only hand over work.
class TokenStream final : public TokenStreamReactor,
                          public LiveCall,
                          public Runnable,
                          public std::enable_shared_from_this<TokenStream> {
 public:
  // The reactor for gRPC: the stream, reading, or a refusal (drain, too many streams).
  static TokenStreamReactor* Launch(Context& context, const grpc::CallbackServerContext& call);

  TokenStream(Context& context, PermitRef permit);

  void End(const absl::Status& status) override;

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void Run() override;

  // What is wrong with a message ends the stream.
  absl::Status Take(const talkjs::sidecar::v1::ProvideTokensRequest& request);
  absl::Status Register(const talkjs::sidecar::v1::TokenRegistration& registration);
  // Of the sessions that it names, or of all: those that its policy covers at the time.
  upstream::TokenBroker::MayServe MayServe() const;
  // Writes, or finishes, if nothing is being written.
  void Pump();
  // What is to be written now; nullopt: nothing.
  std::optional<grpc::ByteBuffer> NextWrite();
  void Leave();
  void EndWith(grpc::Status status);

  Context& context_;
  grpc::ByteBuffer in_;
  grpc::ByteBuffer out_;  // while writing_

  Mutex mutex_;
  bool registered_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t provider_ ABSL_GUARDED_BY(mutex_) = 0;  // the broker's id; 0: none, or left
  bool greeted_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  // gRPC's reference, from Launch to OnDone.
  std::shared_ptr<TokenStream> self_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_STREAMS_TOKEN_STREAM_H_
