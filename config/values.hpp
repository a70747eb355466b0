// One scalar of the file, read as its field's type says.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/fields.hpp"

namespace peerlane::config {

struct Complaint {
    std::string what;
    std::string remedy;
};

/// With a complaint there may still be a value, the nearest right one, so that later rules have something to look at.
/// Neither: the word that leaves the member unset.
struct Parsed {
    std::optional<Value> value;
    std::optional<Complaint> complaint;
};

/// As YAML writes that there is no value. `plain`: written without quotes.
bool looks_null(std::string_view text, bool plain);

/// `model` gives the ports for a reference.
Parsed parse_value(const Field& field, std::string_view text, bool plain, const Model& model);

/// What a value of the field looks like: "a whole number from 1 to 4094".
std::string type_text(const Field& field);
/// A value of that type, and its units; empty where the type's text says enough.
std::string_view example_text(Type type);
/// "write …", with an example.
std::string wanted(const Field& field);

/// What a configuration calls a port, circuit and so on: at most 63 of letters, digits, `.`, `_` and `-`, the first no
/// punctuation.
bool is_name(std::string_view text);
inline constexpr std::string_view kNamePattern = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}";
inline constexpr std::string_view kNameRule =
    "a name: up to 63 letters, digits, `.`, `_` and `-`, a letter or digit first";

}  // namespace peerlane::config
