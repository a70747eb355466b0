// Answers as tables: a row for each object, a column for each of its keys.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "dataplane/control/client.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

std::string cell(const Json& value) {
    if (value.is_null() || (value.is_object() && value.empty())) { return "-"; }
    if (value.is_string()) { return value.get<std::string>(); }
    if (value.is_boolean()) { return value.get<bool>() ? "yes" : "no"; }
    if (!value.is_object()) { return value.dump(); }
    std::string text;
    for (const auto& [key, one] : value.items()) { text += (text.empty() ? "" : ", ") + key + ' ' + cell(one); }
    return text;
}

struct Table {
    std::vector<std::string> names;
    std::vector<std::vector<std::string>> rows;
    std::vector<bool> right;  // numbers

    void add(const Json& object) {
        auto& row = rows.emplace_back();
        for (const auto& [key, value] : object.items()) {
            if (rows.size() == 1) {
                names.push_back(key);
                right.push_back(value.is_number());
            }
            // As it is configured, and as other tools show it.
            const bool spi = key == "spi" && value.is_number_unsigned();
            row.push_back(spi ? fmt::format("{:#x}", value.get<std::uint32_t>()) : cell(value));
        }
        row.resize(names.size());
    }

    [[nodiscard]] std::string text() const {
        std::vector<std::size_t> widths;
        for (std::size_t i = 0; i < names.size(); ++i) {
            auto width = names[i].size();
            for (const auto& row : rows) { width = std::max(width, row[i].size()); }
            widths.push_back(width);
        }
        std::string all;
        const auto line = [&](const std::vector<std::string>& row) {
            std::string one;
            for (std::size_t i = 0; i < row.size(); ++i) {
                const std::string gap(widths[i] - row[i].size(), ' ');
                one += (i == 0 ? "" : "  ") + (right[i] ? gap + row[i] : row[i] + gap);
            }
            all += one.substr(0, one.find_last_not_of(' ') + 1) + '\n';
        };
        line(names);
        for (const auto& row : rows) { line(row); }
        return all;
    }
};

}  // namespace

std::string table(const Json& rows) {
    if (rows.empty()) { return "none\n"; }
    Table table;
    for (const auto& [key, value] : rows.items()) {
        if (rows.is_array()) {
            table.add(value);
        } else if (value.is_object()) {  // {"access0": {…}}
            Json named{{"name", key}};
            named.update(value);
            table.add(named);
        } else {  // {"no_route": 3}
            table.add({{"name", key}, {"count", value}});
        }
    }
    return table.text();
}

}  // namespace peerlane::dataplane
