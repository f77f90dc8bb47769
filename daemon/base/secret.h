// A string that no log, error, metric or status page can print by accident: it converts to nothing,
// and reading it takes a call whose name can be searched for.
#ifndef TALKJSD_BASE_SECRET_H_
#define TALKJSD_BASE_SECRET_H_

#include <string>
#include <string_view>

namespace talkjsd {

// Owns its bytes and overwrites them at destruction. Copies are independent secrets.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  bool empty() const { return value_.empty(); }
  friend bool operator==(const Secret& a, const Secret& b) { return a.value_ == b.value_; }

  // For the code that puts the secret on the wire or into a MAC, and for nothing else.
  std::string_view Expose() const { return value_; }

 private:
  void Wipe();
  std::string value_;
};

}  // namespace talkjsd

#endif  // TALKJSD_BASE_SECRET_H_
