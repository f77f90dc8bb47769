// Tells the admin room what the others know: it must not include api.
#ifndef TALKJSD_STATUS_SOURCE_H_
#define TALKJSD_STATUS_SOURCE_H_

#include <string>

#include "daemon/admin/status_source.h"
#include "daemon/api/server.h"
#include "daemon/journal/journal.h"
#include "daemon/session/registry.h"

namespace talkjsd {

// All outlive what it returns. `upstream`: what is used as TalkJS, for a person.
admin::StatusSource MakeStatusSource(session::Registry& registry, const api::Server& server,
                                     const journal::Journal& journal, std::string upstream);

}  // namespace talkjsd

#endif  // TALKJSD_STATUS_SOURCE_H_
