#include "daemon/net/websocket_stream.h"

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>

namespace talkjsd::net {
namespace {

constexpr size_t kSmallWrite = 512;
constexpr size_t kLargeWrite = 4 * 1024;
constexpr size_t kKeptReadBuffer = 2048;
constexpr size_t kKeptItems = 16;

// The first half of a text message's only frame, unmasked (RFC 6455, 5.2).
std::string HalfFrame(std::string_view text) {
  constexpr uint8_t kFinalText = 0x81;
  std::string frame;
  frame.push_back(static_cast<char>(kFinalText));
  const uint64_t size = text.size();
  const int length_bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  if (length_bytes == 0) frame.push_back(static_cast<char>(size));
  if (length_bytes == 2) frame.push_back(126);
  if (length_bytes == 8) frame.push_back(127);
  for (int shift = (length_bytes - 1) * 8; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(size >> shift & 0xff));
  }
  return frame.append(text.substr(0, text.size() / 2));
}

}  // namespace

WebSocketStream::WebSocketStream(EventLoop& loop, Socket socket, size_t max_message_bytes)
    : loop_(loop), ws_(loop, std::move(socket)), timer_(loop, [this] { OnTimer(); }) {
  ws_.read_message_max(max_message_bytes);
  ws_.auto_fragment(false);
  ws_.text(true);
}

void WebSocketStream::Send(std::string text, Duration delay) {
  if (closing_ || dropped_) return;
  queued_bytes_ += text.size();
  waiting_.push_back({std::move(text), delay});
  Kick();
}

void WebSocketStream::SendTorn(std::string text) {
  if (closing_ || dropped_) return;
  queued_bytes_ += text.size();
  waiting_.push_back({std::move(text), Duration::zero(), true});
  Kick();
}

void WebSocketStream::StartClose(websocket::close_reason reason) {
  if (closing_ || dropped_) return;
  closing_ = true;
  close_reason_ = std::move(reason);
  Kick();
}

void WebSocketStream::Drop() {
  dropped_ = true;
  timer_.Set(kNever);
  if (delay_timer_ != nullptr) delay_timer_->cancel();
  transport().Close();
}

void WebSocketStream::StartWriting() {
  open_ = true;
  if (closing_ || !waiting_.empty()) Kick();
}

// The write starts in a turn of its own, so that all messages of the present one leave together.
void WebSocketStream::Kick() {
  if (!open_ || writing_) return;
  writing_ = true;
  asio::post(transport().get_executor(), [self = shared_from_this()] { self->WriteNext(); });
}

void WebSocketStream::WriteNext() {
  if (dropped_) return;
  if (next_ == batch_.size()) {
    batch_.clear();
    if (batch_.capacity() > kKeptItems) std::vector<Item>().swap(batch_);
    next_ = 0;
    batch_.swap(waiting_);
    if (batch_.empty()) {
      writing_ = false;
      if (closing_) WriteClose();
      return;
    }
  }
  Item& item = batch_[next_];
  if (WaitsForDelay(item)) return;
  if (item.torn) return WriteTorn(item);
  const bool more = next_ + 1 < batch_.size() && batch_[next_ + 1].delay == Duration::zero();
  transport().SetCorked(more);
  // A client masks into this buffer, writes it each time it is full, and keeps it until the next
  // message.
  ws_.write_buffer_bytes(std::clamp(item.text.size(), kSmallWrite, kLargeWrite));
  ws_.async_write(
      asio::buffer(item.text),
      [self = shared_from_this()](const error_code& error, size_t) { self->Written(error); });
}

bool WebSocketStream::WaitsForDelay(Item& item) {
  if (item.delay <= Duration::zero()) return false;
  const MonoTime due = last_written_ + item.delay;
  item.delay = Duration::zero();
  if (SystemClock().Now() >= due) return false;
  if (delay_timer_ == nullptr) {
    delay_timer_ = std::make_unique<AsioTimer>(transport().get_executor());
  }
  delay_timer_->expires_at(due);
  delay_timer_->async_wait([self = shared_from_this()](const error_code&) { self->WriteNext(); });
  return true;
}

void WebSocketStream::WriteTorn(Item& item) {
  transport().SetCorked(false);
  item.text = HalfFrame(item.text);
  asio::async_write(transport(), asio::buffer(item.text),
                    [self = shared_from_this()](const error_code&, size_t) { self->Drop(); });
}

void WebSocketStream::Written(const error_code& error) {
  if (error) {
    // The read in flight reports it.
    if (!dropped_ && !read_error_) read_error_ = error;
    transport().Close();
    return;
  }
  last_written_ = SystemClock().Now();
  queued_bytes_ -= batch_[next_].text.size();
  std::string().swap(batch_[next_].text);
  ++next_;
  WriteNext();
}

void WebSocketStream::WriteClose() {
  writing_ = true;  // nothing follows
  close_sent_ = true;
  ws_.async_close(close_reason_, [self = shared_from_this()](const error_code&) {});
  OnCloseSent();
}

Task<WebSocketStream::ReadEnd> WebSocketStream::ReadMessages() {
  boost::beast::flat_buffer buffer;
  while (!dropped_) {
    error_code error;
    co_await ws_.async_read(buffer, Into(error));
    if (error == websocket::error::closed) co_return ReadEnd::kClosed;
    if (error) {
      if (!read_error_) read_error_ = error;
      co_return ReadEnd::kFailed;
    }
    if (ws_.got_binary()) co_return ReadEnd::kBinary;
    const auto data = buffer.cdata();
    OnMessage({static_cast<const char*>(data.data()), data.size()});
    buffer.consume(buffer.size());
    if (buffer.capacity() > kKeptReadBuffer) buffer.shrink_to_fit();
  }
  read_error_ = asio::error::operation_aborted;
  co_return ReadEnd::kFailed;
}

}  // namespace talkjsd::net
