#include "daemon/net/http_client.h"

#include <absl/strings/cord.h>
#include <absl/strings/match.h>
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "daemon/base/error.h"
#include "daemon/net/url.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::net {
namespace {

namespace v1 = talkjs::sidecar::v1;

constexpr auto kConnectTimeout = std::chrono::seconds(10);
// How long curl keeps the parsed certificates.
constexpr long kTrustSeconds = 60;
// More wait in our own queue: curl's (CURLMOPT_MAX_HOST_CONNECTIONS) was seen to forget one for ten
// seconds.
constexpr size_t kMaxRunning = 256;

long Millis(Duration duration) {
  return std::max<long>(1, std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

struct Transfer {
  HttpRequest request;
  HttpClient::Done done;
  std::string peer;  // scheme://host:port
  std::string url;
  const Proxy* proxy = nullptr;  // null: reached directly
  HttpResponse response;
  bool over_limit = false;
  char error[CURL_ERROR_SIZE] = "";
  std::unique_ptr<curl_slist, ListDeleter> headers;
  std::unique_ptr<CURL, EasyDeleter> easy;  // destroyed first
};

size_t OnBody(char* data, size_t, size_t size, void* context) {
  auto* transfer = static_cast<Transfer*>(context);
  if (transfer->response.body.size() + size > transfer->request.max_response_bytes) {
    transfer->over_limit = true;
    return 0;
  }
  transfer->response.body.append(data, size);
  return size;
}

absl::Status Invalid(std::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, v1::ERROR_REASON_INVALID_FIELD, what);
}

// Fills peer, url and proxy. What curl gets is put together from the parsed parts, so that it
// cannot read them differently.
absl::Status SetUrl(Transfer& transfer, const ProxyRules& proxies) {
  const absl::StatusOr<Url> url = ParseUrl(transfer.request.url);
  if (!url.ok()) return url.status();
  if (absl::StartsWithIgnoreCase(transfer.request.url, "ws")) {
    return Invalid("the URL does not begin with http:// or https://");
  }
  const std::string scheme = url->tls ? "https://" : "http://";
  const std::string host =
      url->host.find(':') == std::string::npos ? url->host : "[" + url->host + "]";
  transfer.peer = scheme + host + ":" + std::to_string(url->port);
  transfer.url = scheme + url->HostHeader() + url->target;
  transfer.proxy = proxies.For(url->host);
  return absl::OkStatus();
}

absl::Status SetHeaders(Transfer& transfer) {
  // "Expect: 100-continue" would add a round trip, or a second of waiting where the server ignores
  // it.
  transfer.headers.reset(curl_slist_append(nullptr, "Expect:"));
  for (const std::string& header : transfer.request.headers) {
    const bool clean = std::all_of(header.begin(), header.end(), [](unsigned char c) {
      return (c >= ' ' && c != 0x7f) || c == '\t';
    });
    if (!clean || header.find(':') == std::string::npos) {
      return Invalid("a header is not of the form \"Name: value\" on one line");
    }
    // To curl "Name:" means "do not send it", and "Name;" an empty one.
    const size_t name_size = header.find(':');
    const bool is_empty = header.find_first_not_of(" \t", name_size + 1) == std::string::npos;
    const std::string line = is_empty ? header.substr(0, name_size) + ";" : header;
    curl_slist_append(transfer.headers.get(), line.c_str());
  }
  return absl::OkStatus();
}

// Nothing is left to the environment.
void SetProxy(CURL* easy, const Proxy* proxy) {
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  if (proxy == nullptr) {
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    return;
  }
  curl_easy_setopt(easy, CURLOPT_PROXY, ("http://" + proxy->Name()).c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (proxy->credentials.empty()) return;
  const std::string_view both = proxy->credentials.Expose();
  const size_t colon = std::min(both.find(':'), both.size());
  const std::string_view password = both.substr(std::min(colon + 1, both.size()));
  curl_easy_setopt(easy, CURLOPT_PROXYAUTH, CURLAUTH_BASIC);
  curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, std::string(both.substr(0, colon)).c_str());
  curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, std::string(password).c_str());
}

absl::Status Prepare(Transfer& transfer, const std::string& ca_file, const ProxyRules& proxies) {
  absl::Status status = SetUrl(transfer, proxies);
  if (status.ok()) status = SetHeaders(transfer);
  if (!status.ok()) return status;
  transfer.easy.reset(curl_easy_init());
  CURL* easy = transfer.easy.get();
  if (easy == nullptr) return absl::ResourceExhaustedError("no memory for an HTTP transfer");
  const HttpRequest& request = transfer.request;
  curl_easy_setopt(easy, CURLOPT_URL, transfer.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
                   1L);  // a name look-up that hangs must not be waited for
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, Millis(request.timeout));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   Millis(std::min<Duration>(request.timeout, kConnectTimeout)));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers.get());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.error);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  if (!ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file.c_str());
  curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, kTrustSeconds);
  SetProxy(easy, transfer.proxy);
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET" || !request.body.empty()) {
    const bool has_body = !request.body.empty() || request.method == "POST" ||
                          request.method == "PUT" || request.method == "PATCH";
    if (has_body) {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  return absl::OkStatus();
}

constexpr char kTlsPayload[] = "talkjs.sidecar/tls";

bool IsTlsFailure(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return true;
    default:
      return false;
  }
}

// What was wrong with the proxy; empty: nothing.
std::string ProxyTrouble(const Transfer& transfer, CURLcode code) {
  long status = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_HTTP_CONNECTCODE, &status);
  if (status != 0 && status / 100 != 2) {
    return ProxyRefused(*transfer.proxy, static_cast<int>(status));
  }
  // Once the tunnel is there all else is the peer's.
  if (status != 0) return "";
  return ProxyUnreachable(*transfer.proxy, curl_easy_strerror(code));
}

absl::Status ErrorOf(const Transfer& transfer, CURLcode code) {
  if (transfer.over_limit) {
    return MakeError(absl::StatusCode::kResourceExhausted, v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR,
                     transfer.peer + " answered with more than " +
                         std::to_string(transfer.request.max_response_bytes) +
                         " bytes; check that it is the right endpoint");
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return MakeError(absl::StatusCode::kDeadlineExceeded, v1::ERROR_REASON_UPSTREAM_TIMEOUT,
                     transfer.peer + " did not answer in time; check that it is reachable");
  }
  if (transfer.proxy != nullptr) {
    const std::string trouble = ProxyTrouble(transfer, code);
    if (!trouble.empty()) {
      return MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_UNAVAILABLE,
                       transfer.peer + " cannot be reached: " + trouble);
    }
  }
  std::string text = transfer.peer + ": " + curl_easy_strerror(code);
  if (code == CURLE_PEER_FAILED_VERIFICATION) {
    // Here curl's own text adds what is wrong with the certificate; elsewhere it might quote the
    // request.
    if (transfer.error[0] != '\0') text.append(" (").append(transfer.error).append(")");
    text += "; check the host, and give the daemon the CA's certificate";
  } else {
    text += "; check that " + transfer.peer + " is reachable";
  }
  const bool garbage = code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL ||
                       code == CURLE_BAD_CONTENT_ENCODING;
  absl::Status error = MakeError(
      absl::StatusCode::kUnavailable,
      garbage ? v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR : v1::ERROR_REASON_UPSTREAM_UNAVAILABLE,
      text);
  if (IsTlsFailure(code)) error.SetPayload(kTlsPayload, absl::Cord("1"));
  return error;
}

}  // namespace

bool IsTlsError(const absl::Status& error) { return error.GetPayload(kTlsPayload).has_value(); }

struct HttpClient::Impl {
  Impl(std::string ca, ProxyRules rules) : proxies(std::move(rules)), ca_file(std::move(ca)) {}

  void Run();
  bool StartNew();    // false: stop
  bool FinishDone();  // whether anything was done

  const ProxyRules proxies;
  CURLM* multi = nullptr;
  std::thread thread;
  std::map<Transfer*, std::unique_ptr<Transfer>> running;  // the HTTP thread's

  std::mutex mutex;
  std::deque<std::unique_ptr<Transfer>> added;  // guarded by mutex until the thread ends
  bool stopping = false;                        // guarded by mutex
  std::string ca_file;                          // guarded by mutex
};

HttpClient::HttpClient(std::string ca_file, ProxyRules proxies)
    : impl_(std::make_unique<Impl>(std::move(ca_file), std::move(proxies))) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(global);
  impl_->multi = curl_multi_init();
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
}

HttpClient::~HttpClient() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  curl_multi_wakeup(impl_->multi);
  impl_->thread.join();
  curl_multi_cleanup(impl_->multi);
}

void HttpClient::Fetch(HttpRequest request, Done done) {
  auto transfer = std::make_unique<Transfer>();
  transfer->request = std::move(request);
  transfer->done = std::move(done);
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->added.push_back(std::move(transfer));
  }
  curl_multi_wakeup(impl_->multi);
}

void HttpClient::SetCaFile(std::string ca_file) {
  const std::lock_guard lock(impl_->mutex);
  impl_->ca_file = std::move(ca_file);
}

const ProxyRules& HttpClient::proxies() const { return impl_->proxies; }

void HttpClient::Impl::Run() {
  pthread_setname_np(pthread_self(), "http");
  sigset_t broken_pipe;  // OpenSSL writes with write(2)
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  while (StartNew()) {
    int active = 0;
    curl_multi_perform(multi, &active);
    if (!FinishDone()) curl_multi_poll(multi, nullptr, 0, 60'000, nullptr);
  }
  const absl::Status cancelled = absl::CancelledError("the daemon is shutting down");
  for (auto& [key, transfer] : running) {
    curl_multi_remove_handle(multi, transfer->easy.get());
    transfer->done(cancelled);
  }
  running.clear();
  for (const std::unique_ptr<Transfer>& transfer : added) transfer->done(cancelled);
}

bool HttpClient::Impl::StartNew() {
  while (running.size() < kMaxRunning) {
    std::unique_ptr<Transfer> transfer;
    std::string trust;
    {
      const std::lock_guard lock(mutex);
      trust = ca_file;
      if (stopping) return false;
      if (added.empty()) break;
      transfer = std::move(added.front());
      added.pop_front();
    }
    const absl::Status status = Prepare(*transfer, trust, proxies);
    if (!status.ok()) {
      transfer->done(status);
      continue;
    }
    curl_multi_add_handle(multi, transfer->easy.get());
    Transfer* key = transfer.get();
    running.emplace(key, std::move(transfer));
  }
  const std::lock_guard lock(mutex);
  return !stopping;
}

bool HttpClient::Impl::FinishDone() {
  bool any = false;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    any = true;
    const CURLcode code = message->data.result;
    Transfer* key = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &key);
    std::unique_ptr<Transfer> transfer = std::move(running.extract(key).mapped());
    CURL* easy = transfer->easy.get();
    curl_multi_remove_handle(multi, easy);
    if (code != CURLE_OK) {
      transfer->done(ErrorOf(*transfer, code));
      continue;
    }
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    char* content_type = nullptr;
    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &content_type);
    HttpResponse response = std::move(transfer->response);
    response.status = static_cast<int>(status);
    if (content_type != nullptr) response.content_type = content_type;
    transfer->done(std::move(response));
  }
  return any;
}

}  // namespace talkjsd::net
