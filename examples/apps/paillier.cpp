// Paillier keys and ciphertexts in files: make, encrypt, add, scale, decrypt, in privet's form or
// python-paillier's. `paillier --help` lists the commands.

#include "support/command_line.hpp"
#include "support/passphrase.hpp"

#include <privet/core/file.hpp>
#include <privet/crypto/paillier_decryptor.hpp>
#include <privet/crypto/paillier_encryptor.hpp>
#include <privet/crypto/paillier_evaluator.hpp>
#include <privet/crypto/paillier_file.hpp>
#include <privet/crypto/phe.hpp>
#include <privet/crypto/sealed_file.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace privet;

/// What phe's command line makes of the exponent, too: one for all numbers, so that it tells nothing of them.
constexpr int common_exponent = -32;
constexpr std::string_view sealed_kind = "paillier-secret-key";

struct options {
  std::string format, out, public_key, private_key, passphrase_file;
  std::size_t key_bits = 3072;
  std::vector<std::string> words; ///< files, or the values to encrypt
  std::vector<std::string> after; ///< what stood behind "--"
  std::string factor;

  std::vector<std::string> all() const {
    auto both = words;
    both.insert(both.end(), after.begin(), after.end());
    return both;
  }
};

// ---- files --------------------------------------------------------------------------------------------

bool is_json(std::span<const std::byte> bytes) {
  const auto text = text_of(bytes);
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && (text[first] == '{' || text[first] == '[');
}

const std::vector<std::string>& checked(const std::vector<std::string>& files) {
  require(!files.empty(), fault::argument, "no file of encrypted numbers is named");
  return files;
}

/// The form to write: the one asked for, else that of the key.
bool phe_wanted(const options& o, bool key_is_phe) {
  return o.format.empty() ? key_is_phe : o.format == "phe";
}

struct read_public {
  paillier_public_key key;
  bool phe;
};
read_public load_public(const std::string& path) {
  const auto bytes = read_file(path, 1 << 20).value();
  if (!is_json(bytes)) return {read_public_key(bytes, path).value(), false};
  const auto jwk = phe::read_public_key(text_of(bytes), path).value();
  return {paillier_public_key::from_modulus(jwk.n).value(), true};
}

/// A vector's own end leaves the bytes where they were.
struct wiped_after {
  std::vector<std::byte>& bytes;
  ~wiped_after() { wipe(std::span(bytes)); }
};

struct read_secret {
  paillier_secret_key key;
  bool phe;
};
read_secret load_secret(const std::string& path, const options& o) {
  auto bytes = read_file(path, 1 << 22).value();
  if (is_sealed_file(bytes)) {
    const auto opened =
        open_secret(sealed_kind, bytes, apps::known_passphrase(o.passphrase_file, path), path).value();
    return {read_secret_key(opened.bytes(), path).value(), false};
  }
  const wiped_after guard{bytes};
  struct stat facts {};
  if (::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077) != 0)
    fmt::print(stderr, "paillier: {}: others than its owner may read this private key; chmod 600\n", path);
  if (!is_json(bytes)) return {read_secret_key(bytes, path).value(), false};
  const auto jwk = phe::read_private_key(text_of(bytes), path).value();
  return {paillier_secret_key::from_primes(from_words<secret_bigint>(jwk.p), from_words<secret_bigint>(jwk.q),
                                           from_words(jwk.pub.n))
              .value(),
          true};
}

/// Numbers under one key, as they come from files and go to them.
ciphertext_file load_numbers(const std::string& path, const paillier_public_key& key) {
  const auto bytes = read_file(path).value();
  if (!is_json(bytes)) return read_ciphertexts(bytes, key, path).value();
  ciphertext_file numbers;
  const auto many = phe::read_ciphertexts(text_of(bytes), 2 * key.bits(), path).value();
  for (const auto& c : many) {
    const auto words = to_words(c.value, key.bits() / 32);
    numbers.words.insert(numbers.words.end(), words.begin(), words.end());
    numbers.exponents.push_back(c.exponent);
  }
  return numbers;
}

void save_numbers(const std::string& path, bool as_phe, const paillier_public_key& key,
                  const ciphertext_file& numbers) {
  if (!as_phe) {
    write_file_atomically(path, write_ciphertexts(key, numbers)).value();
    return;
  }
  std::vector<phe::ciphertext> many;
  const std::size_t each = key.bits() / 32;
  for (std::size_t i = 0; i < numbers.count(); ++i)
    many.push_back({from_words(std::span(numbers.words).subspan(i * each, each)), numbers.exponents[i]});
  write_file_atomically(path, phe::write_ciphertexts(many)).value();
}

// ---- arithmetic ---------------------------------------------------------------------------------------

/// A key, its arithmetic and its encoding of numbers.
class calculator {
 public:
  explicit calculator(paillier_public_key key) : with_(key), encoding_(key.n()), each_(key.bits() / 32) {}

  const paillier_evaluator<>& with() const { return with_; }
  const phe::encoding& encoding() const { return encoding_; }

  /// Checked: in range and coprime to n.
  ciphertexts<> read(const ciphertext_file& numbers) const { return with_.read(numbers.words).value(); }

  /// Under fresh obfuscators, so that nobody sees what was computed; those of `encryption::djn` pay off for
  /// many numbers only.
  ciphertext_file hidden(ciphertexts<> numbers, std::vector<std::int32_t> exponents) const {
    auto& source = thread_system_random();
    if (numbers.size() < 64)
      paillier_encryptor<encryption::naive>(with_.key(), source).rerandomise(numbers, source);
    else
      paillier_encryptor<>(with_.key(), source).rerandomise(numbers, source);
    return {std::move(exponents), with_.write(numbers)};
  }

  ciphertext_file encrypt(const std::vector<phe::encoded_number>& plain) const {
    auto& source = thread_system_random();
    secret_words words;
    std::vector<std::int32_t> exponents;
    for (const auto& x : plain) {
      words.insert(words.end(), x.mantissa.begin(), x.mantissa.end());
      exponents.push_back(x.exponent);
    }
    auto made = plain.size() < 64
                    ? paillier_encryptor<encryption::naive>(with_.key(), source).encrypt(words, source)
                    : paillier_encryptor<>(with_.key(), source).encrypt(words, source);
    return {std::move(exponents), with_.write(made)};
  }

  /// The same numbers with these lower exponents, so that they can be added.
  void align(ciphertext_file& numbers, std::span<const std::int32_t> exponents) const {
    std::map<std::int32_t, std::vector<std::size_t>> by_step;
    for (std::size_t i = 0; i < numbers.count(); ++i)
      if (const auto step = numbers.exponents[i] - exponents[i]; step != 0) by_step[step].push_back(i);
    for (const auto& [step, which] : by_step) {
      ciphertext_file some;
      for (const std::size_t i : which) {
        const auto words = std::span(numbers.words).subspan(i * each_, each_);
        some.words.insert(some.words.end(), words.begin(), words.end());
      }
      const auto scaled = with_.write(with_.scale(read(some), encoding_.factor_between(step, 0).value()));
      for (std::size_t j = 0; j < which.size(); ++j) {
        std::copy_n(scaled.begin() + static_cast<std::ptrdiff_t>(j * each_), each_,
                    numbers.words.begin() + static_cast<std::ptrdiff_t>(which[j] * each_));
        numbers.exponents[which[j]] = exponents[which[j]];
      }
    }
  }

 private:
  paillier_evaluator<> with_;
  phe::encoding encoding_;
  std::size_t each_;
};

// ---- numbers in words ---------------------------------------------------------------------------------

bool is_whole(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && (text == "0" || text[0] != '0') &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<double> read_double(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double x = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), x);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || !std::isfinite(x))
    return std::nullopt;
  return x;
}

bigint read_whole(std::string_view text) {
  const bool negative = text.starts_with('-');
  const bigint size = parse_decimal(text.substr(negative), 5000).value();
  return negative ? bigint(-size) : size;
}

/// A value with the exponent that all values have, or a lower one if it is so small that it needs it.
phe::encoded_number read_value(const std::string& text, const phe::encoding& encoding) {
  if (is_whole(text)) return encoding.encode_integer(read_whole(text), common_exponent).value();
  const auto x = read_double(text);
  require(x.has_value(), fault::argument, "got the value ", in_quotes(text), ", expected a number");
  return encoding.encode(*x, {}, common_exponent).value();
}

/// A factor with as high an exponent as it may have, up to 0: products have the sum of both exponents.
phe::encoded_number read_factor(const std::string& text, const phe::encoding& encoding) {
  if (is_whole(text)) return encoding.encode_integer(read_whole(text)).value();
  const auto x = read_double(text);
  require(x.has_value(), fault::argument, "got the factor ", in_quotes(text), ", expected a number");
  double whole = *x;
  int exponent = 0;
  for (; whole != std::floor(whole); whole *= 16) --exponent; // exact, and ends within 270 steps
  auto made = encoding.encode(whole, 1.0).value();
  made.exponent = exponent;
  return made;
}

std::string in_words(const phe::encoding& encoding, std::span<const std::uint64_t> mantissa, int exponent) {
  if (const auto whole = encoding.decode_integer(mantissa, exponent).value()) return to_decimal(*whole);
  return fmt::format("{}", encoding.decode(mantissa, exponent).value());
}

// ---- commands -----------------------------------------------------------------------------------------

int keygen(const options& o) {
  const bool as_phe = phe_wanted(o, false);
  require(!as_phe || o.passphrase_file.empty(), fault::argument,
          "python-paillier's form has no passphrase; leave out --passphrase-file, or --format phe");
  std::error_code ignored; // a key takes seconds: say it before
  require(!std::filesystem::exists(std::filesystem::symlink_status(o.out, ignored)), fault::file, o.out,
          ": there is such a file already; a key that is overwritten is lost");
  const auto key = paillier_secret_key::generate(o.key_bits, thread_system_random());
  if (as_phe) {
    phe::private_key jwk(secret_words(key.p().begin(), key.p().end()),
                         secret_words(key.q().begin(), key.q().end()),
                         {{key.public_key().n().begin(), key.public_key().n().end()}});
    std::string text = phe::write_private_key(jwk);
    const auto done = write_secret_file(o.out, bytes_of(text));
    wipe(std::span(text));
    done.value();
    return 0;
  }
  const auto secret = write_key(key);
  if (const auto phrase = apps::new_passphrase(o.passphrase_file, o.out)) {
    save_sealed(o.out, sealed_kind, secret, *phrase, thread_system_random()).value();
  } else {
    write_secret_file(o.out, secret).value();
    fmt::print(
        stderr,
        "paillier: {} is not sealed: whoever reads it has the key. Name a --passphrase-file, or set {}.\n",
        o.out, apps::passphrase_variable);
  }
  return 0;
}

int extract_public(const options& o) {
  const auto secret = load_secret(o.words.front(), o);
  const auto& key = secret.key.public_key();
  if (phe_wanted(o, secret.phe))
    write_file_atomically(o.out, phe::write_public_key({{key.n().begin(), key.n().end()}})).value();
  else
    write_file_atomically(o.out, write_key(key)).value();
  return 0;
}

int encrypt(const options& o) {
  const auto pub = load_public(o.public_key);
  const calculator with(pub.key);
  const auto values = o.all();
  require(!values.empty(), fault::argument, "no value to encrypt");
  std::vector<phe::encoded_number> plain;
  for (const auto& value : values) plain.push_back(read_value(value, with.encoding()));
  save_numbers(o.out, phe_wanted(o, pub.phe), pub.key, with.encrypt(plain));
  return 0;
}

int decrypt(const options& o) {
  const auto secret = load_secret(o.private_key, o);
  const paillier_decryptor<> decryptor(secret.key);
  const calculator with(secret.key.public_key());
  std::string lines; // all of them or none
  const auto files = o.all();
  for (const auto& file : checked(files)) {
    const auto numbers = load_numbers(file, secret.key.public_key());
    const auto encrypted = with.read(numbers);
    secret_words plain(numbers.count() * decryptor.evaluator().plain_words());
    decryptor.decrypt_verified(encrypted, plain);
    const std::size_t each = decryptor.evaluator().plain_words();
    for (std::size_t i = 0; i < numbers.count(); ++i)
      lines +=
          in_words(with.encoding(), std::span(plain).subspan(i * each, each), numbers.exponents[i]) + '\n';
  }
  fmt::print("{}", lines);
  wipe(std::span(lines));
  return 0;
}

/// One file of the sums of first, second, ... numbers of all files.
int add(const options& o) {
  const auto pub = load_public(o.public_key);
  const calculator with(pub.key);
  const auto names = o.all();
  std::vector<ciphertext_file> files;
  for (const auto& file : checked(names)) files.push_back(load_numbers(file, pub.key));
  auto lowest = files.front().exponents;
  for (std::size_t f = 1; f < files.size(); ++f) {
    require(files[f].count() == lowest.size(), fault::shape, names[f], ": got ", files[f].count(),
            " numbers, expected ", lowest.size(), " as in ", names.front());
    for (std::size_t i = 0; i < lowest.size(); ++i) lowest[i] = std::min(lowest[i], files[f].exponents[i]);
  }
  std::optional<ciphertexts<>> sum;
  for (auto& file : files) {
    with.align(file, lowest);
    auto numbers = with.read(file);
    if (sum)
      with.with().add_to(*sum, numbers);
    else
      sum = std::move(numbers);
  }
  save_numbers(o.out, phe_wanted(o, pub.phe), pub.key, with.hidden(std::move(*sum), lowest));
  return 0;
}

/// One number: the sum of all numbers of all files.
int sum(const options& o) {
  const auto pub = load_public(o.public_key);
  const calculator with(pub.key);
  const auto names = o.all();
  ciphertext_file all;
  for (const auto& file : checked(names)) {
    const auto numbers = load_numbers(file, pub.key);
    all.exponents.insert(all.exponents.end(), numbers.exponents.begin(), numbers.exponents.end());
    all.words.insert(all.words.end(), numbers.words.begin(), numbers.words.end());
  }
  require(all.count() > 0, fault::argument, "no number to sum");
  const auto lowest = *std::ranges::min_element(all.exponents);
  with.align(all, std::vector<std::int32_t>(all.count(), lowest));
  save_numbers(o.out, phe_wanted(o, pub.phe), pub.key,
               with.hidden(with.with().total(with.read(all)), {lowest}));
  return 0;
}

int scale(options o) {
  // The factor: after --by, behind "--", or as the last word.
  auto& last = o.after.empty() ? o.words : o.after;
  if (o.factor.empty() && !last.empty()) {
    o.factor = last.back();
    last.pop_back();
  }
  const auto files = o.all();
  require(files.size() == 1, fault::argument, "scale: got ", files.size(),
          " files, expected one, and a factor after --by");
  const auto pub = load_public(o.public_key);
  const calculator with(pub.key);
  const auto factor = read_factor(o.factor, with.encoding());
  auto numbers = load_numbers(files.front(), pub.key);
  const auto encrypted = with.read(numbers);
  for (auto& e : numbers.exponents) {
    e += factor.exponent;
    require(e >= -phe::most_exponent, fault::range, files.front(), ": the exponent of the product is ", e,
            ", expected at least ", -phe::most_exponent);
  }
  if (is_zero(factor.mantissa)) { // a power of 0 would be 1 for everybody to see
    std::vector<phe::encoded_number> zeros(numbers.count());
    for (std::size_t i = 0; i < zeros.size(); ++i)
      zeros[i] = {secret_words(pub.key.n().size()), numbers.exponents[i]};
    save_numbers(o.out, phe_wanted(o, pub.phe), pub.key, with.encrypt(zeros));
    return 0;
  }
  save_numbers(o.out, phe_wanted(o, pub.phe), pub.key,
               with.hidden(with.with().scale(encrypted, factor.mantissa), numbers.exponents));
  return 0;
}

// ---- command line -------------------------------------------------------------------------------------

struct command {
  std::string_view name, what;
  int (*run)(const options&);
};
constexpr command commands[] = {
    {"keygen", "make a private key, of which extract-public makes the public one", keygen},
    {"extract-public", "write the public key of a private key", extract_public},
    {"encrypt", "encrypt numbers; put -- before the first, in case it is negative", encrypt},
    {"decrypt", "print the numbers of encrypted files, one in a line", decrypt},
    {"add", "add up encrypted files, number by number", add},
    {"scale", "multiply every number of an encrypted file by a factor",
     [](const options& o) { return scale(o); }},
    {"sum", "add up all numbers of encrypted files to one", sum},
};

int usage(std::FILE* to) {
  fmt::print(to, "Paillier keys and encrypted numbers in files.\nusage: paillier COMMAND ...\n");
  for (const auto& c : commands) fmt::print(to, "  {:<15} {}\n", c.name, c.what);
  fmt::print(to, "`paillier COMMAND --help` lists the options of one.\n");
  return to == stdout ? 0 : 2;
}

void add_options(CLI::App& app, std::string_view name, options& o) {
  app.add_option("--format", o.format,
                 "privet, or phe for python-paillier's JSON; by default that of the key")
      ->check(apps::one_of({"privet", "phe"}));
  const bool makes = name == "keygen", reads_secret = name == "extract-public" || name == "decrypt";
  if (makes)
    app.add_option("--key-bits", o.key_bits, "bits of the modulus: 2048, 3072, 4096 or 7680")
        ->check(CLI::IsMember({2048, 3072, 4096, 7680}))
        ->capture_default_str();
  if (makes || reads_secret)
    app.add_option(
        "--passphrase-file", o.passphrase_file,
        "a file whose first line is the passphrase of the private key, of mode 0600; otherwise the "
        "variable PRIVET_PASSPHRASE, or the terminal is asked");
  if (name == "decrypt")
    app.add_option("--private-key", o.private_key, "the private key")->required();
  else if (!makes && !reads_secret)
    app.add_option("--public-key", o.public_key, "the public key")->required();
  if (name != "decrypt") app.add_option("--out", o.out, "the file to write")->required();
  if (name == "scale") app.add_option("--by,--factor", o.factor, "any number; it may also be the last word");
  if (name == "extract-public")
    app.add_option("KEY", o.words, "the private key")->expected(1)->required();
  else if (name == "encrypt")
    app.add_option("VALUE", o.words, "numbers");
  else if (!makes)
    app.add_option("FILE", o.words, "encrypted numbers");
}

} // namespace

int main(int count, char** words) {
  if (count < 2) return usage(stderr);
  const std::string name = words[1];
  if (name == "--help" || name == "-h") return usage(stdout);
  const auto* const found = std::ranges::find(commands, name, &command::name);
  if (found == std::end(commands)) {
    std::vector<std::string> known;
    for (const auto& c : commands) known.emplace_back(c.name);
    fmt::print(stderr, "unknown command '{}', the nearest is '{}'\n", name, apps::nearest(name, known));
    return 2;
  }

  options o;
  int own = 1; // up to "--": what follows may begin with a minus
  while (own + 1 < count && std::string_view(words[own + 1]) != "--") ++own;
  for (int i = own + 2; i < count; ++i) o.after.emplace_back(words[i]);
  CLI::App app{std::string(found->what), "paillier " + name};
  add_options(app, name, o);
  if (const int status = apps::parse(app, own, words + 1); status >= 0) return status;
  return apps::guarded("paillier", [&] { return found->run(o); });
}
