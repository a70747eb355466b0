// What a field of the configuration is. The table of all of them (fields.cpp) drives loading, the JSON Schema, the
// reference page and the hints; a field is named nowhere else but where a rule needs it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "config/model.hpp"

namespace peerlane::config {

enum class Type : std::uint8_t {
    text,          // any non-empty text
    name,          // letters, digits, `.`, `_`, `-`
    choice,        // one of `words`
    integer,       // min .. max, or one of `words`
    boolean,       // true | false
    rate,          // bits per second with a unit
    burst,         // octets or a time, with a unit
    bytes,         // octets, with a unit
    milliseconds,  // a time of whole milliseconds, with a unit
    duration,      // a time of seconds and more, with a unit; stored in milliseconds
    mac,           // a unicast Ethernet address
    ip,            // a unicast address of either family
    ip4,
    ip6,
    interface4,  // an address with its prefix length
    interface6,
    prefix,  // of either family, no host bits set
    subnet4,
    subnet6,
    access_port,  // the name of a port
    paths,        // files to include
    key,          // key material in hex; never shown
    key_file,     // the path of a file that holds one
    mapping       // fields of its own
};

enum class Shape : std::uint8_t {
    one,
    list,
    one_or_list,
    keyed  // a mapping from names to values
};

struct Word {
    std::string_view text;
    std::uint64_t value = 0;
};

/// A burst as it was written: octets, or nanoseconds of the bandwidth.
struct BurstValue {
    std::uint64_t amount = 0;
    bool is_time = false;
};

/// One scalar, checked.
using Value = std::variant<std::uint64_t, bool, std::string_view, Mac, IpAddress, Prefix, BurstValue>;

struct Mapping;

struct Field {
    std::string_view name;
    Type type = Type::text;
    Shape shape = Shape::one;
    bool required = false;
    bool filled = false;  // a list that must not be empty
    std::uint64_t min = 0;
    std::uint64_t max = 0;
    std::span<const Word> words{};
    std::string_view unset_word{};  // this word leaves the member unset
    std::string_view unit{};
    std::string_view preset{};     // the default, as it would be written
    std::string_view otherwise{};  // what happens without it, where that is no plain value
    std::string_view only_role{};  // belongs to ports of this role
    std::string_view meaning;
    const Mapping* mapping = nullptr;

    /// Stores a value in the object (of the type its mapping is for).
    void (*store)(void* object, const Value& value) = nullptr;
    /// The object for a nested mapping; `key` is its name if keyed.
    void* (*child)(void* object, std::string_view key) = nullptr;
};

/// Of these keys one is needed, or none may be next to another.
struct Alternatives {
    std::span<const std::string_view> keys;
    bool one_needed = false;
    bool one_at_most = false;
};

struct Mapping {
    std::string_view name;  // of its definition in the schema
    std::string_view path;  // as people write it
    std::string_view meaning;
    std::span<const Field> fields;  // stored in this order, whatever the order in the file
    std::span<const Alternatives> alternatives{};
    Place& (*place)(void* object) = nullptr;
};

/// ESP around a tunnel (fields_ipsec.cpp); its object is an Ipsec.
extern const Mapping kIpsecMapping;
/// A peering and what is below it (fields_peering.cpp).
extern const Mapping kPeeringMapping;

/// The whole file; its object is a Model.
const Mapping& top_mapping();
/// An included file; its object is a Model.
const Mapping& included_mapping();

/// Every mapping, each once, parents before children; the included file last.
std::vector<const Mapping*> all_mappings();

inline constexpr std::uint32_t kNoPort = ~std::uint32_t{0};
inline constexpr std::uint64_t kMinRate = 1'000;
inline constexpr std::uint64_t kMaxRate = 400'000'000'000;
// A bucket's level is a u64 in units of 1/(8·10^9) octet, so 2^64 units are 2.3 GB.
inline constexpr std::uint64_t kMaxBurst = 2'300'000'000;

}  // namespace peerlane::config
