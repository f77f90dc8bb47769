// Precompiled for the rooms that speak Asio and Beast; nothing of ours belongs here.
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
