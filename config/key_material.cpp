#include "config/key_material.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

namespace peerlane::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxKeyFile = 4096;

std::optional<std::uint8_t> digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
    return std::nullopt;
}

bool is_separator(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ':';
}

struct Descriptor {
    int number = -1;
    explicit Descriptor(int fd) : number(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number >= 0) close(number);
    }
};

KeyFileError unreadable(const fs::path& path, int error) {
    return {fmt::format("{} cannot be read: {}", in_quotes(path.string()), strerror(error)),
            "correct the path, which is relative to the file that names it, or its permissions"};
}

/// The octets of the file, or nothing with errno set.
std::optional<WipedText> read_all(int file) {
    WipedText text(kMaxKeyFile + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t octets = read(file, text.data() + size, text.size() - size);
        if (octets < 0 && errno == EINTR) continue;
        if (octets < 0) return std::nullopt;
        if (octets == 0) break;
        size += static_cast<std::size_t>(octets);
    }
    text.resize(size);
    return text;
}

struct Resolving {
    const Model& model;
    const Sources& sources;
    Report& report;
};

void check_length(const Resolving& to, const Ipsec& ipsec, std::string_view name, Place place, Secret& key) {
    const Cursor suite = to.sources.field(ipsec.place, "suite");
    if (!suite || suite.kind() != Kind::scalar || key.octets().size() == row(ipsec.suite).material()) return;
    to.report.error(place, fmt::format("{}: {} octets, but {}", name, key.octets().size(), material_text(ipsec.suite)),
                    fmt::format("give {} hex digits, or correct the suite", 2 * row(ipsec.suite).material()));
    key = Secret{};
}

void resolve_key(const Resolving& to, const Ipsec& ipsec, Place sa, Secret& key) {
    const Cursor text = to.sources.field(sa, "key");
    const Cursor file = to.sources.field(sa, "key_file");
    if (text && file) {  // complained about
        key = Secret{};
    } else if (!key.empty()) {
        check_length(to, ipsec, "key", text.place(), key);
    } else if (file && file.kind() == Kind::scalar) {
        const fs::path directory = fs::path(to.model.files[sa.file]).parent_path();
        auto read = read_key_file(directory / file.text());
        if (!read) {
            to.report.error(file.place(), fmt::format("key_file: {}", read.error().what), read.error().remedy);
            return;
        }
        key = std::move(*read);
        check_length(to, ipsec, "key_file", file.place(), key);
    }
}

}  // namespace

std::expected<Secret, std::string> parse_hex(std::string_view text) {
    std::size_t at = 0;
    const auto skip = [&] {
        while (at < text.size() && is_separator(text[at])) ++at;
    };
    skip();
    if (text.substr(at).starts_with("0x") || text.substr(at).starts_with("0X")) at += 2;
    std::vector<std::uint8_t> octets;
    octets.reserve(text.size() / 2);  // never grows: nothing is left behind
    for (skip(); at < text.size(); skip()) {
        const auto high = digit(text[at]);
        const auto low = at + 1 < text.size() ? digit(text[at + 1]) : std::nullopt;
        if (!high || !low) {
            const Secret wiped{std::move(octets)};
            const bool half = high && (at + 1 == text.size() || is_separator(text[at + 1]));
            return std::unexpected(
                half ? fmt::format("the octet at character {} has one digit", at + 1)
                     : fmt::format("character {} is no hex digit (and not shown)", at + (high ? 2U : 1U)));
        }
        octets.push_back(static_cast<std::uint8_t>((*high << 4U) | *low));
        at += 2;
    }
    if (octets.empty()) return std::unexpected("no hex digits are given");
    return Secret{std::move(octets)};
}

std::expected<Secret, KeyFileError> read_key_file(const fs::path& path) {
    const std::string name = in_quotes(path.string());
    // A FIFO without a writer would block.
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status{};
    if (file.number < 0 || fstat(file.number, &status) != 0) return std::unexpected(unreadable(path, errno));
    if (!S_ISREG(status.st_mode))
        return std::unexpected(
            KeyFileError{fmt::format("{} is no regular file", name), "name a file with the key in hex"});
    if ((status.st_mode & 077U) != 0)
        return std::unexpected(KeyFileError{
            fmt::format("{} is open to others than its owner (mode {:04o})", name, status.st_mode & 07777U),
            fmt::format("run `chmod 600 {}`, and change the key if somebody may have read it", path.string())});
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return std::unexpected(
            KeyFileError{fmt::format("{} belongs to somebody else (user {})", name, status.st_uid),
                         fmt::format("run `chown root {}`, or as the user of the edge", path.string())});
    const auto text = read_all(file.number);
    if (!text) return std::unexpected(unreadable(path, errno));
    if (text->size() > kMaxKeyFile)
        return std::unexpected(
            KeyFileError{fmt::format("{} is larger than 4 KiB", name), "name a file with nothing but one key in hex"});
    if (text->empty())
        return std::unexpected(KeyFileError{fmt::format("{} is empty", name), "write the key into it, in hex"});
    auto key = parse_hex(*text);
    if (!key)
        return std::unexpected(KeyFileError{fmt::format("{}: {}", name, key.error()),
                                            "write nothing but the key into it, in hex, two digits an octet"});
    return std::move(*key);
}

std::string material_text(EspSuite suite) {
    const EspSuiteRow& s = row(suite);
    std::string parts = fmt::format("{} needs {} octets: {} of key", s.name, s.material(), s.cipher_key);
    if (s.salt != 0) parts += fmt::format(" and {} of salt", s.salt);
    if (s.authentication_key != 0) parts += fmt::format(" and {} of authentication key", s.authentication_key);
    return parts;
}

void resolve_keys(Model& model, const Sources& sources, Report& report) {
    const Resolving to{model, sources, report};
    for (Customer& customer : model.customers)
        for (Circuit& circuit : customer.circuits)
            for (Peering& peering : circuit.peerings)
                for (VirtualNetwork& network : peering.virtual_networks) {
                    if (!network.ipsec) continue;
                    for (OutboundSa& sa : network.ipsec->outbound) resolve_key(to, *network.ipsec, sa.place, sa.key);
                    for (InboundSa& sa : network.ipsec->inbound) resolve_key(to, *network.ipsec, sa.place, sa.key);
                }
}

}  // namespace peerlane::config
