// Precompiled for the rooms that speak gRPC; nothing of ours belongs here.
#include <grpcpp/grpcpp.h>
