// Who the senders of messages are: users of TalkJS, read once and kept up to date by their
// subscription.
#ifndef TALKJSD_SESSION_SENDERS_H_
#define TALKJSD_SESSION_SENDERS_H_

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/upstream/call.h"
#include "daemon/upstream/protocol.h"
#include "daemon/wire/event.h"
#include "daemon/wire/types.h"

namespace talkjsd::session {

class SendersHost {
 public:
  virtual ~SendersHost() = default;
  // Only while logged in. Answers with an error after a lost connection; what is still wanted is
  // asked again then.
  virtual void Call(upstream::Request request, upstream::CallDone done) = 0;
  virtual void SubscribeUsers(const std::vector<std::string>& ids) = 0;
  virtual void UnsubscribeUser(const std::string& id) = 0;
};

// Keeps the kCapacity users asked for last. Lives on its session's shard; `host` outlives it.
class Senders {
 public:
  static constexpr size_t kCapacity = 200;

  // `changed`: somebody became known, or known to be absent.
  Senders(SendersHost* host, std::function<void()> changed);
  ~Senders();

  // True once TalkJS has said who it is, or that there is no such user.
  bool IsResolved(const std::string& id) const;
  bool IsAbsent(const std::string& id) const;
  // Null while not known, and for users that do not exist.
  const wire::User* Find(const std::string& id) const;
  // Asks for those that were not asked for yet.
  void Want(const std::vector<std::string>& ids);
  // Asks for all again: after an interruption.
  void Refresh();

  void On(const wire::UserCreated& event);
  void On(const wire::UserEdited& event);

 private:
  struct Entry {
    bool resolved = false;
    std::unique_ptr<wire::User> user;
    std::list<std::string>::iterator age;
  };
  void Ask(std::vector<std::string> ids);
  void MakeRoom(size_t coming);

  SendersHost* const host_;
  const std::function<void()> changed_;
  std::map<std::string, Entry> entries_;
  std::list<std::string> by_age_;  // oldest first
  std::shared_ptr<bool> alive_;
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_SENDERS_H_
