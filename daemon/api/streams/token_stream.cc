#include "daemon/api/streams/token_stream.h"

#include <prometheus/gauge.h>

#include <set>
#include <utility>

#include "daemon/api/codec.h"
#include "daemon/api/convert/credentials.h"
#include "daemon/api/convert/validate.h"
#include "daemon/api/errors.h"
#include "daemon/api/streams/stream.h"
#include "daemon/base/log.h"
#include "daemon/session/registry.h"
#include "talkjs/sidecar/v1/session_service.grpc.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

google::protobuf::Duration ToProto(Duration duration) {
  google::protobuf::Duration proto;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  proto.set_seconds(seconds.count());
  proto.set_nanos(static_cast<int32_t>((duration - seconds).count()));
  return proto;
}

}  // namespace

TokenStreamReactor* TokenStream::Launch(Context& context, const grpc::CallbackServerContext& call) {
  absl::StatusOr<PermitRef> permit =
      context.access->Begin(call, MethodOf<v1::ProvideTokensRequest>());
  absl::Status admitted = permit.status();
  if (admitted.ok()) admitted = context.access->Grant(**permit, Right::kSupplyTokens, {});
  if (admitted.ok()) admitted = CheckQuota(context, **permit);
  if (!admitted.ok()) return new Refusal<TokenStreamReactor>(ToGrpcStatus(admitted));
  auto stream = std::make_shared<TokenStream>(context, *std::move(permit));
  TokenStream* const reactor = stream.get();
  if (const absl::Status added = context.token_streams.Add(stream); !added.ok()) {
    return new Refusal<TokenStreamReactor>(ToGrpcStatus(added));
  }
  context.metrics.token_streams->Increment();
  {
    MutexLock lock(reactor->mutex_);
    reactor->self_ = std::move(stream);
  }
  const absl::Status allowed = context.access->RenewIfOld(*reactor->permit());
  if (!allowed.ok()) reactor->End(allowed);
  reactor->StartRead(&reactor->in_);
  return reactor;
}

TokenStream::TokenStream(Context& context, PermitRef permit) : context_(context) {
  SetPermit(std::move(permit));
}

void TokenStream::OnReadDone(bool ok) {
  if (!ok) {
    // The client has nothing more to say: it leaves.
    EndWith(grpc::Status::OK);
    return;
  }
  absl::StatusOr<v1::ProvideTokensRequest> request = Decode<v1::ProvideTokensRequest>(in_);
  absl::Status status = CheckSize(context_, in_);
  if (status.ok()) status = request.status();
  if (status.ok()) status = Validate(*request);
  if (status.ok()) status = Take(*request);
  in_.Clear();
  if (!status.ok()) {
    EndWith(ToGrpcStatus(status));
    return;
  }
  {
    MutexLock lock(mutex_);
    if (finished_) return;
  }
  StartRead(&in_);
}

absl::Status TokenStream::Take(const v1::ProvideTokensRequest& request) {
  uint64_t provider = 0;
  bool registered = false;
  {
    MutexLock lock(mutex_);
    provider = provider_;
    registered = registered_;
  }
  if (request.has_registration()) {
    if (!registered) return Register(request.registration());
    return InvalidField("registration", "was sent already: it is the first message and only that");
  }
  if (!registered) {
    return InvalidField("registration", "is required: it must be the first message of the stream");
  }
  const v1::TokenAnswer& answer = request.answer();
  upstream::TokenBroker& broker = context_.registry.token_broker();
  if (answer.outcome_case() == v1::TokenAnswer::kToken) {
    broker.Answer(provider, answer.query_id(), Secret(answer.token()));
  } else {
    broker.AnswerFailure(provider, answer.query_id(), answer.failure());
  }
  return absl::OkStatus();
}

absl::Status TokenStream::Register(const v1::TokenRegistration& registration) {
  const std::string& name = registration.provider_name();
  const absl::Status granted =
      context_.access->Grant(*permit(), Right::kSupplyTokens, SubjectOf(registration));
  if (!granted.ok()) return granted;
  for (const std::string& id : registration.session_ids()) {
    const absl::Status may = context_.registry.CheckProvider(id, name);
    if (!may.ok()) return WithMetadata(may, "session_id", id);
  }
  const std::set<std::string> ids(registration.session_ids().begin(),
                                  registration.session_ids().end());
  const uint64_t provider = context_.registry.token_broker().Register(
      name, ids,
      [weak = weak_from_this()] {
        const std::shared_ptr<TokenStream> stream = weak.lock();
        if (stream != nullptr) stream->context_.dispatcher.Post(stream);
      },
      MayServe());
  LogInfo("token provider registered", {{"name", name}, {"peer", PeerKey(permit()->identity())}});
  bool is_over = false;
  {
    MutexLock lock(mutex_);
    registered_ = true;
    provider_ = provider;
    is_over = end_.has_value();
  }
  if (is_over) Leave();
  Pump();
  return absl::OkStatus();
}

upstream::TokenBroker::MayServe TokenStream::MayServe() const {
  return [permit = permit()](const upstream::TokenBroker::Member& member) {
    return permit->policy()->Covers(member.app_id, member.user_id);
  };
}

void TokenStream::Run() { Pump(); }

void TokenStream::Pump() {
  std::optional<grpc::Status> end;
  {
    MutexLock lock(mutex_);
    if (writing_ || finished_) return;
    if (end_.has_value()) {
      finished_ = true;
      end = end_;
    } else {
      std::optional<grpc::ByteBuffer> next = NextWrite();
      if (!next.has_value()) return;
      writing_ = true;
      out_ = *std::move(next);
    }
  }
  // gRPC may call OnWriteDone or OnDone from within, or free the stream.
  if (end.has_value()) {
    Finish(*end);
  } else {
    StartWrite(&out_);
  }
}

std::optional<grpc::ByteBuffer> TokenStream::NextWrite() {
  if (!registered_) return std::nullopt;
  upstream::TokenBroker& broker = context_.registry.token_broker();
  if (!greeted_) {
    greeted_ = true;
    v1::ProvideTokensResponse response;
    *response.mutable_registered()->mutable_answer_timeout() = ToProto(broker.answer_timeout());
    return Encode(response);
  }
  const upstream::TokenBroker::Outbox outbox = broker.Take(provider_);
  if (outbox.empty()) return std::nullopt;
  return Encode(api::ToProto(outbox));
}

void TokenStream::OnWriteDone(bool ok) {
  {
    MutexLock lock(mutex_);
    writing_ = false;
    if (!ok && !end_.has_value()) end_ = grpc::Status::CANCELLED;
  }
  Pump();
}

void TokenStream::OnCancel() { EndWith(grpc::Status::CANCELLED); }

void TokenStream::End(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    if (end_.has_value()) return;
    end_ = ToGrpcStatus(status);
  }
  context_.dispatcher.Post(shared_from_this());
}

void TokenStream::EndWith(grpc::Status status) {
  {
    MutexLock lock(mutex_);
    if (!end_.has_value()) end_ = std::move(status);
  }
  Leave();
  Pump();
}

// What it was asked goes to the next provider.
void TokenStream::Leave() {
  uint64_t provider = 0;
  {
    MutexLock lock(mutex_);
    std::swap(provider, provider_);
  }
  if (provider == 0) return;
  context_.registry.token_broker().Unregister(provider);
  LogInfo("token provider left", {{"peer", PeerKey(permit()->identity())}});
}

void TokenStream::OnDone() {
  Leave();
  std::shared_ptr<TokenStream> self;
  {
    MutexLock lock(mutex_);
    self = std::move(self_);
  }
  context_.metrics.token_streams->Decrement();
  context_.token_streams.Remove(this);
}

}  // namespace talkjsd::api
