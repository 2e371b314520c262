#pragma once
// What passes before the eyes of a server, counted and kept for whoever wants to check what it could learn.

#include <privet/core/file.hpp>
#include <privet/core/transport.hpp>
#include <privet/federated/message.hpp>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// Watches links: counts the numbers that are made from rows, and writes each message into a folder if it has
/// one: a file for each, numbered in order, named by direction and client, holding the message as it was sent.
///
/// Files     "000001-to-1.bin", "000002-from-1.bin", ...
/// Errors    N002 as values of the links, for a folder that cannot be written
class wire_dump {
 public:
  explicit wire_dump(std::filesystem::path folder = {}) : folder_(std::move(folder)) {}

  /// The same links, watched. They must outlive this.
  std::span<transport* const> watch(std::span<transport* const> links) {
    for (std::size_t i = 0; i < links.size(); ++i) {
      watched_.push_back(std::make_unique<link>(*this, *links[i], i + 1));
      ends_.push_back(watched_.back().get());
    }
    return ends_;
  }

  /// Bytes of moments, weights, updates and losses that were readable.
  std::uint64_t clear_bytes() const noexcept { return clear_; }
  /// Bytes of ciphertexts, and of boxes for clients.
  std::uint64_t encrypted_bytes() const noexcept { return encrypted_; }
  /// Of what is made from rows, the part that was encrypted; 1 when there was nothing.
  double encrypted_fraction() const noexcept {
    const auto all = static_cast<double>(clear_ + encrypted_);
    return all > 0 ? static_cast<double>(encrypted_) / all : 1;
  }

 private:
  class link : public transport {
   public:
    link(wire_dump& dump, transport& to, std::size_t client) : dump_(&dump), to_(&to), client_(client) {}
    status send(std::span<const std::byte> message) override {
      if (auto kept = dump_->keep("to", client_, message); !kept) return kept;
      return to_->send(message);
    }
    result<std::vector<std::byte>> receive() override {
      auto message = to_->receive();
      if (message)
        if (auto kept = dump_->keep("from", client_, *message); !kept) return kept.error();
      return message;
    }

   private:
    wire_dump* dump_;
    transport* to_;
    std::size_t client_;
  };

  status keep(const char* direction, std::size_t client, std::span<const std::byte> bytes) {
    count(bytes);
    if (folder_.empty()) return nothing{};
    char name[64];
    std::snprintf(name, sizeof name, "%06llu-%s-%zu.bin", static_cast<unsigned long long>(++messages_),
                  direction, client);
    return write_file_atomically(folder_ / name, bytes);
  }

  void count(std::span<const std::byte> bytes) {
    const auto m = decode_message(bytes);
    if (!m) return;
    switch (m->kind) {
      case message_kind::moments:
      case message_kind::agree:
      case message_kind::start:
      case message_kind::train:
      case message_kind::train_part:
      case message_kind::update:
      case message_kind::encoded_update:
      case message_kind::classes:
      case message_kind::agree_classes:
      case message_kind::share:
      case message_kind::refusal: // may say why
        clear_ += m->body.size();
        return;
      case message_kind::encrypted:
      case message_kind::ask_share:
      case message_kind::opening_share:
      case message_kind::open:
        encrypted_ += m->body.size();
        return;
      case message_kind::ask_schema:
      case message_kind::schema:
      case message_kind::ask_moments:
      case message_kind::ask_classes:
      case message_kind::agreed_classes:
      case message_kind::agreed:
      case message_kind::architecture:
      case message_kind::ready:
      case message_kind::ask_start:
      case message_kind::begin:
      case message_kind::begun:
      case message_kind::ask_sum:
      case message_kind::opened:
        return;
    }
    clear_ += m->body.size(); // of no kind that is known, so nobody knows what is in it
  }

  std::filesystem::path folder_;
  std::atomic<std::uint64_t> messages_{0}, clear_{0}, encrypted_{0};
  std::vector<std::unique_ptr<transport>> watched_;
  std::vector<transport*> ends_;
};

} // namespace privet
