// Which hosts are this machine alone. One rule for what may be listened on and for what a request may name.
#ifndef GRADELINE_SERVER_WIRE_LOOPBACK_H_
#define GRADELINE_SERVER_WIRE_LOOPBACK_H_

#include <string_view>

namespace gradeline {

/// True for localhost (in any case), 127.0.0.0/8 and ::1; an IPv6 address comes without brackets.
bool IsLoopbackHost(std::string_view host);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_LOOPBACK_H_
