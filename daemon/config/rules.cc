#include "daemon/config/rules.h"

#include <set>
#include <string>
#include <utility>

#include "daemon/config/text_rules.h"

namespace talkjsd::config {
namespace {

namespace v1 = talkjs::sidecar::config::v1;

std::string Item(std::string_view list, int i) {
  return std::string(list) + "[" + std::to_string(i) + "]";
}

class Checker {
 public:
  Checker(const Places& places, Problems* problems) : places_(places), problems_(*problems) {}

  void Check(const v1::Config& values) {
    Listeners(values);
    Sessions(values);
    if (values.emulator().enabled() && !values.upstream().host().empty()) {
      Add("upstream.host",
          "and an emulator exclude each other (emulator.enabled, --emulator): both name what plays "
          "TalkJS");
    }
    if (values.upstream().proxy() == "direct" &&
        !values.upstream().proxy_credentials_file().empty()) {
      Add("upstream.proxy_credentials_file", "has no use: upstream.proxy is direct");
    }
  }

 private:
  void Add(const std::string& key, std::string_view message) {
    problems_.Add(places_.Find(key), key, message);
  }

  void Listeners(const v1::Config& values) {
    std::set<std::string> addresses;
    for (int i = 0; i < values.listeners_size(); ++i) {
      const v1::Listener& listener = values.listeners(i);
      const std::string key = Item("listeners", i);
      if (listener.address().empty()) {
        // A wrong one has been told of already.
        if (!places_.Has(key + ".address")) Add(key, "needs an address");
        continue;
      }
      const bool picks_port = listener.address().ends_with(":0");
      if (!picks_port && !addresses.insert(listener.address()).second) {
        Add(key + ".address", "is the address of another listener, too");
      }
      IsUnixAddress(listener.address()) ? Unix(listener, key) : Tcp(listener, key);
      Policies(listener, key);
    }
  }

  void Unix(const v1::Listener& listener, const std::string& key) {
    const std::pair<bool, const char*> given[] = {
        {listener.has_tls(), ".tls"},
        {!listener.bearer_tokens_file().empty(), ".bearer_tokens_file"},
        {listener.plaintext_on_loopback(), ".plaintext_on_loopback"}};
    for (const auto& [has, name] : given) {
      if (has) Add(key + name, "is for TCP; this listener is a Unix socket");
    }
  }

  void Tcp(const v1::Listener& listener, const std::string& key) {
    if (!listener.mode().empty()) Add(key + ".mode", "is for Unix sockets; this is TCP");
    if (!listener.group().empty()) Add(key + ".group", "is for Unix sockets; this is TCP");
    const bool loopback = IsLoopbackAddress(listener.address());
    if (listener.plaintext_on_loopback() && !loopback) {
      Add(key + ".plaintext_on_loopback", "needs a loopback address; others must have tls");
    } else if (listener.plaintext_on_loopback() && listener.has_tls()) {
      Add(key + ".plaintext_on_loopback", "and tls exclude each other");
    } else if (!listener.plaintext_on_loopback() && !listener.has_tls()) {
      Add(key, loopback ? "needs tls, or plaintext_on_loopback: true" : "needs tls");
    }
    for (const char* name : {"certificate_file", "key_file"}) {
      const bool is_key = std::string_view(name) == "key_file";
      const std::string& value =
          is_key ? listener.tls().key_file() : listener.tls().certificate_file();
      const std::string path = key + ".tls." + name;
      if (listener.has_tls() && value.empty() && !places_.Has(path)) {
        Add(key + ".tls", std::string("needs a ") + name);
      }
    }
    if (listener.policies().empty()) Add(key, "needs policies: who may do what");
  }

  void Policies(const v1::Listener& listener, const std::string& listener_key) {
    std::set<std::string> names;
    const bool is_unix = IsUnixAddress(listener.address());
    for (int i = 0; i < listener.policies_size(); ++i) {
      const v1::Policy& policy = listener.policies(i);
      const std::string key = Item(listener_key + ".policies", i);
      if (policy.name().empty() && !places_.Has(key + ".name")) Add(key, "needs a name");
      if (!policy.name().empty() && !names.insert(policy.name()).second) {
        Add(key + ".name", "is the name of another policy of this listener, too");
      }
      if (!is_unix && !policy.uids().empty()) Add(key + ".uids", "is for Unix sockets");
      if (!is_unix && !policy.gids().empty()) Add(key + ".gids", "is for Unix sockets");
      if (!policy.sans().empty() && listener.tls().client_ca_file().empty()) {
        Add(key + ".sans", "needs client certificates: tls.client_ca_file of the listener");
      }
      if (!policy.bearers().empty() && listener.bearer_tokens_file().empty()) {
        Add(key + ".bearers", "needs bearer_tokens_file of the listener");
      }
      const bool writes = policy.create_sessions() || policy.supply_tokens() || policy.admin();
      if (policy.read_only() && writes) {
        Add(key + ".read_only", "excludes create_sessions, supply_tokens and admin");
      }
    }
  }

  void Sessions(const v1::Config& values) {
    std::set<std::pair<std::string, std::string>> users;
    for (int i = 0; i < values.sessions_size(); ++i) {
      const v1::DeclaredSession& session = values.sessions(i);
      const std::string key = Item("sessions", i);
      if (session.app_id().empty() && !places_.Has(key + ".app_id")) Add(key, "needs an app_id");
      if (session.user_id().empty() && !places_.Has(key + ".user_id")) Add(key, "needs a user_id");
      if (!session.app_id().empty() && !session.user_id().empty() &&
          !users.emplace(session.app_id(), session.user_id()).second) {
        Add(key, "is the session of the same app and user as another one");
      }
      if (!session.user_role().empty() && session.user_name().empty()) {
        Add(key + ".user_role", "needs user_name: without it nothing is written to TalkJS");
      }
      if (!session.token_url_authorization_file().empty() && !session.has_token_url()) {
        Add(key + ".token_url_authorization_file", "needs token_url");
      }
    }
  }

  const Places& places_;
  Problems& problems_;
};

}  // namespace

void CheckTogether(const v1::Config& values, const Places& places, Problems* problems) {
  Checker(places, problems).Check(values);
}

}  // namespace talkjsd::config
