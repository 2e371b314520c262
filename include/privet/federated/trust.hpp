#pragma once
// Who runs the server, as a type: it decides what may be sent there.

namespace privet {

/// May see each client's update.
struct trusted {};
/// Follows the protocol but looks at everything it receives.
struct curious {};

} // namespace privet
