#pragma once
// The gateway to nlohmann/json, 3.10 and later. Only headers that read or write files include it.

#include <privet/core/bytes.hpp>
#include <privet/core/result.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace privet {

using json = nlohmann::json;                 ///< keys sorted: one value, one text
using ordered_json = nlohmann::ordered_json; ///< keys in the order they were added

namespace detail {

/// Builds the document as the parser reads it. The library's own builder keeps the last of two
/// equal keys and nests without bound; this one stops at either.
class strict_json_builder : public nlohmann::json_sax<json> {
 public:
  strict_json_builder(json& root, std::size_t depth) : root_(root), depth_(depth) {}
  const std::string& complaint() const { return complaint_; }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return refuse("binary value"); }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    const auto [slot, fresh] = open_.back()->get_ref<json::object_t&>().try_emplace(std::move(name));
    if (!fresh) return refuse(concat("key ", in_quotes(slot->first), " appears twice"));
    slot_ = &slot->second;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& why) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ...; last read: '<any length>'"
    std::string_view text = why.what();
    text = text.substr(0, text.find("; last read"));
    return refuse(printable(text.substr(text.find("] ") + 2), 160));
  }

 private:
  template <class Value>
  json* put(Value&& value) {
    if (open_.empty()) return &(root_ = std::forward<Value>(value));
    if (open_.back()->is_object()) return &(*slot_ = std::forward<Value>(value));
    auto& items = open_.back()->get_ref<json::array_t&>();
    items.emplace_back(std::forward<Value>(value));
    return &items.back();
  }
  template <class Value>
  bool add(Value&& value) {
    put(std::forward<Value>(value));
    return true;
  }
  bool open(json&& container) {
    if (open_.size() == depth_) return refuse(concat("nested more than ", depth_, " deep"));
    open_.push_back(put(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  bool refuse(std::string why) {
    complaint_ = std::move(why);
    return false;
  }

  json& root_;
  std::size_t depth_;
  std::vector<json*> open_; // the containers around the current position, outermost first
  json* slot_ = nullptr;    // where the value of the last key goes
  std::string complaint_;
};

} // namespace detail

/// Parses one JSON text (RFC 8259).
///
/// Requires  `text` is the whole document; only white space may follow the value
/// Errors    N004: a syntax error with its byte, a key that appears twice, bad UTF-8, a number no
///           double can hold, nesting deeper than `depth`. Never throws for what `text` holds.
/// Cost      memory linear in `text`; no recursion
inline result<json> parse_json(std::string_view text, std::string_view place = "json",
                               std::size_t depth = 64) {
  // The lexer takes a zero byte for the end of input and would ignore whatever follows.
  if (const auto zero = text.find('\0'); zero != text.npos)
    return error::of(fault::format, place, ": zero byte at ", zero, " in text");
  json document;
  detail::strict_json_builder builder(document, depth);
  if (!json::sax_parse(text.begin(), text.end(), &builder))
    return error::of(fault::format, place, ": ", builder.complaint());
  return document;
}

/// The text of a document, the same for the same value. Throws N004 when a string is not UTF-8;
/// JSON has no NaN or infinity, they become null.
template <class Json>
std::string json_text(const Json& document, int indent = -1) {
  try {
    return document.dump(indent);
  } catch (const typename Json::exception& why) {
    fail(fault::format, "json: ", why.what());
  }
}

/// `value` as a bool, integer, floating-point number, std::string, or a vector of these.
///
/// Errors  N004 with both sides: the kind found and the kind expected, or an integer out of range
template <class T>
result<T> read_as(const json& value, std::string_view place) {
  const auto mismatch = [&](std::string_view expected) {
    return error::of(fault::format, place, ": got ", value.type_name(), ", expected ", expected);
  };
  if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) return mismatch("boolean");
    return value.get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    if (!value.is_number_integer()) return mismatch("integer");
    const bool fits = value.is_number_unsigned() ? std::in_range<T>(value.get<std::uint64_t>())
                                                 : std::in_range<T>(value.get<std::int64_t>());
    if (!fits)
      return error::of(fault::format, place, ": got ", json_text(value), ", outside ",
                       std::numeric_limits<T>::min(), " to ", std::numeric_limits<T>::max());
    return value.get<T>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_number()) return mismatch("number");
    return value.get<T>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value.is_string()) return mismatch("string");
    return value.get_ref<const std::string&>();
  } else {
    if (!value.is_array()) return mismatch("array");
    T items;
    items.reserve(value.size());
    for (const json& item : value) {
      auto read = read_as<typename T::value_type>(item, place);
      if (!read) return read.error();
      items.push_back(std::move(*read));
    }
    return items;
  }
}

/// The member `key` of `object`, as `read_as` reads it.
template <class T>
result<T> read_member(const json& object, std::string_view key, std::string_view place) {
  if (!object.is_object())
    return error::of(fault::format, place, ": got ", object.type_name(), ", expected object");
  const auto found = object.find(key);
  if (found == object.end()) return error::of(fault::format, place, ": no member ", in_quotes(key));
  return read_as<T>(*found, concat(place, ": ", key));
}

} // namespace privet
