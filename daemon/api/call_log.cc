#include "daemon/api/call_log.h"

#include <grpcpp/support/server_interceptor.h>
#include <prometheus/counter.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "daemon/base/clock.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerInterceptorFactoryInterface;
using grpc::experimental::ServerRpcInfo;

constexpr size_t kMaxIdLength = 64;
constexpr size_t kIdLength = 16;

// "/talkjs.sidecar.v1.EventService/StreamMessages" -> "EventService/StreamMessages". Calls of other
// services, such as health, are one.
std::string MethodLabel(std::string_view path) {
  constexpr std::string_view kOurs = "/talkjs.sidecar.v1.";
  if (!path.starts_with(kOurs)) return "other";
  std::string name(path.substr(1));
  std::replace(name.begin(), name.end(), '/', '.');
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  if (pool->FindMethodByName(name) == nullptr) return "other";
  return std::string(path.substr(kOurs.size()));
}

const char* CodeLabel(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  const auto index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

bool IsGoodId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxIdLength && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == ':' || c == '-';
  });
}

// Lives as long as its call.
class CallLog final : public Interceptor {
 public:
  CallLog(const char* path, Metrics& metrics, Random& random)
      : method_(MethodLabel(path)), metrics_(metrics), random_(random) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    using Point = InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Point::POST_RECV_INITIAL_METADATA)) {
      ChooseId(*methods->GetRecvInitialMetadata());
    }
    if (methods->QueryInterceptionHookPoint(Point::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace(kRequestIdKey, id_);
    }
    if (methods->QueryInterceptionHookPoint(Point::PRE_SEND_STATUS)) {
      Finish(methods->GetSendStatus());
    }
    methods->Proceed();
  }

 private:
  // Handlers find the id where the client would have put it.
  void ChooseId(std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
    const auto given = metadata.find(kRequestIdKey);
    if (given != metadata.end() && IsGoodId({given->second.data(), given->second.size()})) {
      id_.assign(given->second.data(), given->second.size());
      return;
    }
    id_ = "req_" + random_.Text(kIdLength);
    metadata.erase(kRequestIdKey);
    metadata.emplace(kRequestIdKey, id_);
  }

  void Finish(const grpc::Status& status) const {
    const char* const code = CodeLabel(status.error_code());
    metrics_.Calls(method_, code).Increment();
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(SystemClock().Now() - started_);
    if (status.ok() || status.error_code() == grpc::StatusCode::CANCELLED) {
      LogDebug("call ended", {{"method", method_},
                              {"code", code},
                              {"request", id_},
                              {"milliseconds", milliseconds.count()}});
    } else {
      LogInfo("call failed", {{"method", method_},
                              {"code", code},
                              {"request", id_},
                              {"milliseconds", milliseconds.count()},
                              {"why", status.error_message()}});
    }
  }

  const std::string method_;
  Metrics& metrics_;
  Random& random_;
  const MonoTime started_ = SystemClock().Now();
  std::string id_;
};

class CallLogFactory final : public ServerInterceptorFactoryInterface {
 public:
  CallLogFactory(Metrics& metrics, Random& random) : metrics_(metrics), random_(random) {}
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new CallLog(info->method(), metrics_, random_);
  }

 private:
  Metrics& metrics_;
  Random& random_;
};

}  // namespace

void AddCallLog(grpc::ServerBuilder& builder, Metrics& metrics, Random& random) {
  std::vector<std::unique_ptr<ServerInterceptorFactoryInterface>> creators;
  creators.push_back(std::make_unique<CallLogFactory>(metrics, random));
  builder.experimental().SetInterceptorCreators(std::move(creators));
}

std::string RequestIdOf(const grpc::CallbackServerContext& call) {
  const auto& metadata = call.client_metadata();
  const auto found = metadata.find(kRequestIdKey);
  return found == metadata.end() ? std::string()
                                 : std::string(found->second.data(), found->second.size());
}

}  // namespace talkjsd::api
