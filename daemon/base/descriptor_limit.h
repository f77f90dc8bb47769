// How many files and sockets this process may have open.
#ifndef TALKJSD_BASE_DESCRIPTOR_LIMIT_H_
#define TALKJSD_BASE_DESCRIPTOR_LIMIT_H_

namespace talkjsd {

// As many as the system allows (the hard RLIMIT_NOFILE): the soft limit of most systems is 1,024,
// for programs that use select(), and a session or client takes a descriptor each. Before any
// thread.
void RaiseDescriptorLimit();

}  // namespace talkjsd

#endif  // TALKJSD_BASE_DESCRIPTOR_LIMIT_H_
