#include "dataplane/control/sa_state_text.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <span>

namespace peerlane::dataplane {
namespace {

constexpr std::string_view kFamily = "peerlane sa-state ";
constexpr std::string_view kVersion = "2";
constexpr std::string_view kVersionBefore = "1";
constexpr std::string_view kSaved = "saved_ns ";
constexpr std::string_view kGeneration = "generation ";
constexpr std::string_view kBoot = "boot ";
constexpr std::string_view kUp = "up_ns ";
constexpr std::string_view kColumns = "fingerprint way number sequence packets bytes age_ns";
constexpr std::string_view kDigest = "sha256 ";
constexpr std::string_view kHex = "0123456789abcdef";

void append_hex(std::string& text, std::span<const std::uint8_t> octets) {
    for (const auto octet : octets) {
        text += kHex[octet >> 4];
        text += kHex[octet & 15];
    }
}

void append_number(std::string& text, std::uint64_t number, char behind) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
    text.append(digits, end);
    text += behind;
}

std::string digest(std::string_view text) {
    std::string hex;
    append_hex(hex, ipsec::sha256({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
    return hex;
}

/// Cuts `text` at the first `mark`; nothing is left of it if there is none.
std::string_view cut(std::string_view& text, char mark) {
    const auto at = text.find(mark);
    const auto piece = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    return piece;
}

/// A number as to_chars writes it: no sign, no leading zero.
template <class Number>
bool read_into(std::string_view digits, Number& number) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    const bool plain = digits.size() == 1 || !digits.starts_with('0');
    return error == std::errc{} && end == digits.data() + digits.size() && plain;
}

bool read_into(std::string_view hex, ipsec::Fingerprint& fingerprint) {
    if (hex.size() != 2 * fingerprint.size()) { return false; }
    for (std::size_t i = 0; i < fingerprint.size(); ++i) {
        const auto high = kHex.find(hex[2 * i]);
        const auto low = kHex.find(hex[2 * i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) { return false; }
        fingerprint[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

bool read_way(std::string_view way, bool& outbound) {
    outbound = way == "out";
    return outbound || way == "in";
}

std::optional<SaMemory::value_type> read_record(std::string_view line) {
    SaKey key;
    SaRecord record;
    const bool good = read_into(cut(line, ' '), key.fingerprint) && read_way(cut(line, ' '), key.outbound) &&
                      read_into(cut(line, ' '), key.number) && read_into(cut(line, ' '), record.sequence) &&
                      read_into(cut(line, ' '), record.packets) && read_into(cut(line, ' '), record.bytes) &&
                      read_into(line, record.age);
    if (!good) { return std::nullopt; }
    return SaMemory::value_type{key, record};
}

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text), left_(text) {}

    std::expected<SaState, std::string> run() {
        if (!next()) { return wrong("no first line"); }
        if (!line_.starts_with(kFamily)) { return wrong("this is not a state file"); }
        const auto version = line_.substr(kFamily.size());
        if (version != kVersion && version != kVersionBefore) {
            return wrong(fmt::format("version '{}' of the format, where this program knows {} and {}", version,
                                     kVersionBefore, kVersion));
        }
        if (!next() || !line_.starts_with(kSaved) || !read_into(line_.substr(kSaved.size()), state_.saved)) {
            return wrong("not the time of saving");
        }
        if (version == kVersion && !saving()) { return wrong("not the number and the time of the saving"); }
        if (!next() || line_ != kColumns) { return wrong("not the names of the columns"); }
        return records();
    }

  private:
    [[nodiscard]] std::unexpected<std::string> wrong(std::string_view what) const {
        return std::unexpected(fmt::format("line {}: {}", number_, what));
    }

    bool saving() {
        auto& saving = state_.saving;
        return next() && line_.starts_with(kGeneration) &&
               read_into(line_.substr(kGeneration.size()), saving.generation) && saving.generation != 0 && next() &&
               line_.starts_with(kBoot) && read_into(line_.substr(kBoot.size()), saving.boot) && next() &&
               line_.starts_with(kUp) && read_into(line_.substr(kUp.size()), saving.up);
    }

    /// Takes the next whole line.
    bool next() {
        ++number_;
        if (left_.find('\n') == std::string_view::npos) { return false; }
        line_ = cut(left_, '\n');
        return true;
    }

    std::expected<SaState, std::string> records() {
        for (;;) {
            const auto before = text_.size() - left_.size();
            if (!next()) { return wrong("the file ends here, without its digest"); }
            if (line_.starts_with(kDigest)) {
                if (line_.substr(kDigest.size()) != digest(text_.substr(0, before))) {
                    return wrong("the digest does not match: a line above it was changed, or the digest was");
                }
                if (!left_.empty()) { return wrong("something follows the digest"); }
                return std::move(state_);
            }
            const auto record = read_record(line_);
            if (!record) { return wrong("not a record"); }
            auto& memory = state_.memory;
            if (!memory.empty() && record->first <= memory.rbegin()->first) {
                return wrong("a record that has been above, or should be");
            }
            memory.emplace_hint(memory.end(), *record);
        }
    }

    std::string_view text_;
    std::string_view left_;
    std::string_view line_;
    unsigned number_ = 0;  // of line_, from 1
    SaState state_;
};

}  // namespace

std::string to_text(const SaMemory& memory, Nanoseconds saved, const Saving& saving) {
    constexpr std::size_t kLine = 128;  // as long as a record ever gets in practice; only saves allocations
    std::string text;
    text.reserve((memory.size() + 4) * kLine);
    text.append(kFamily).append(saving.generation == 0 ? kVersionBefore : kVersion).append("\n").append(kSaved);
    append_number(text, saved, '\n');
    if (saving.generation != 0) {
        append_number(text.append(kGeneration), saving.generation, '\n');
        append_hex(text.append(kBoot), saving.boot);
        append_number(text.append("\n").append(kUp), saving.up, '\n');
    }
    text.append(kColumns).append("\n");
    for (const auto& [key, record] : memory) {
        append_hex(text, key.fingerprint);
        text.append(key.outbound ? " out " : " in ");
        append_number(text, key.number, ' ');
        append_number(text, record.sequence, ' ');
        append_number(text, record.packets, ' ');
        append_number(text, record.bytes, ' ');
        append_number(text, record.age, '\n');
    }
    const auto seal = digest(text);
    return text.append(kDigest).append(seal).append("\n");
}

std::expected<SaState, std::string> parse_sa_state(std::string_view text) {
    return Parser(text).run();
}

}  // namespace peerlane::dataplane
