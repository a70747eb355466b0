// How the field table writes into the model: one function per member, made from the member pointer.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "config/fields.hpp"
#include "config/key_material.hpp"
#include "config/units.hpp"

namespace peerlane::config {

inline void assign(std::string& to, const Value& value) {
    to = std::get<std::string_view>(value);
}
inline void assign(bool& to, const Value& value) {
    to = std::get<bool>(value);
}
inline void assign(Mac& to, const Value& value) {
    to = std::get<Mac>(value);
}
inline void assign(IpAddress& to, const Value& value) {
    to = std::get<IpAddress>(value);
}
inline void assign(Ip4& to, const Value& value) {
    to = std::get<Ip4>(std::get<IpAddress>(value));
}
inline void assign(Ip6& to, const Value& value) {
    to = std::get<Ip6>(std::get<IpAddress>(value));
}
inline void assign(Prefix& to, const Value& value) {
    to = std::get<Prefix>(value);
}
inline void assign(Prefix4& to, const Value& value) {
    to = std::get<Prefix4>(std::get<Prefix>(value));
}
inline void assign(Prefix6& to, const Value& value) {
    to = std::get<Prefix6>(std::get<Prefix>(value));
}
/// Only hex comes this far.
inline void assign(Secret& to, const Value& value) {
    to = parse_hex(std::get<std::string_view>(value)).value_or(Secret{});
}
template <class Number>
    requires(std::is_integral_v<Number> || std::is_enum_v<Number>)
void assign(Number& to, const Value& value) {
    to = static_cast<Number>(std::get<std::uint64_t>(value));
}
template <class Inner>
void assign(std::optional<Inner>& to, const Value& value) {
    assign(to.emplace(), value);
}
template <class Inner>
void assign(std::vector<Inner>& to, const Value& value) {
    assign(to.emplace_back(), value);
}

template <class Pointer>
struct MemberPointer;
template <class Owner_, class Type_>
struct MemberPointer<Type_ Owner_::*> {
    using Owner = Owner_;
};
template <auto Member>
using OwnerOf = typename MemberPointer<decltype(Member)>::Owner;

/// Assigns to the member, or appends to it if it is a vector.
template <auto Member>
void store(void* object, const Value& value) {
    assign(static_cast<OwnerOf<Member>*>(object)->*Member, value);
}

/// A burst in octets; a time is of the bandwidth, which the table stores first (a missing one is found elsewhere).
template <auto Bandwidth, auto Burst>
void store_burst(void* object, const Value& value) {
    const auto& owner = *static_cast<const OwnerOf<Bandwidth>*>(object);
    const BurstValue written = std::get<BurstValue>(value);
    const std::optional<BitsPerSecond> rate{owner.*Bandwidth};
    static_cast<OwnerOf<Burst>*>(object)->*Burst =
        written.is_time ? bytes_in(rate.value_or(BitsPerSecond{0}), written.amount) : Bytes{written.amount};
}

template <auto Member>
void* member(void* object, std::string_view) {
    return &(static_cast<OwnerOf<Member>*>(object)->*Member);
}

template <auto Member>
void* append(void* object, std::string_view) {
    return &(static_cast<OwnerOf<Member>*>(object)->*Member).emplace_back();
}

inline void* itself(void* object, std::string_view) {
    return object;
}

template <class Owner>
Place& place_of(void* object) {
    return static_cast<Owner*>(object)->place;
}

}  // namespace peerlane::config
