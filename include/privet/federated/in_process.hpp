#pragma once
// Clients in the same program, spoken to through the same bytes as clients elsewhere.

#include <privet/core/transport.hpp>
#include <privet/federated/office.hpp>

namespace privet {

/// Run the clients in this process, on this many threads. The result does not depend on it.
struct in_process {
  std::size_t threads = 1;
};

/// A link whose other end is an object.
class in_process_link : public transport {
 public:
  explicit in_process_link(participant& peer) : peer_(&peer) {}

  status send(std::span<const std::byte> message) override {
    reply_ = peer_->answer(message);
    return nothing{};
  }
  result<std::vector<std::byte>> receive() override {
    if (!reply_) return error::of(fault::message, "in-process link: nothing was sent that could be answered");
    auto reply = std::move(*reply_);
    reply_.reset();
    return reply;
  }

 private:
  participant* peer_;
  std::optional<std::vector<std::byte>> reply_;
};

} // namespace privet
