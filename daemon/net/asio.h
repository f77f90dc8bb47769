// For the .cc files of net only: the Asio types that all drivers share.
#ifndef TALKJSD_NET_ASIO_H_
#define TALKJSD_NET_ASIO_H_

#include <boost/asio.hpp>
#include <boost/beast/core/error.hpp>
#include <exception>
#include <utility>

namespace talkjsd::net {

namespace asio = boost::asio;
using boost::system::error_code;

// The concrete executor: Asio's default, any_io_executor, costs memory and a virtual call in every
// operation.
using Executor = asio::io_context::executor_type;
using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, Executor>;
using AsioTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, Executor>;

template <typename T>
using Task = asio::awaitable<T, Executor>;

// A completion token: suspends the coroutine and leaves the operation's error in `error`.
inline auto Into(error_code& error) {
  return asio::redirect_error(asio::use_awaitable_t<Executor>{}, error);
}

// Runs a coroutine on the loop. An exception that leaves it is a programming error and ends the
// process.
inline void Spawn(const Executor& executor, Task<void> task) {
  asio::co_spawn(executor, std::move(task), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
}

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_ASIO_H_
