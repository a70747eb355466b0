// A configuration that is right, lines of it changed, and what the loader must say then.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "config/load.hpp"

namespace peerlane::config::test {

/// Two customers, each with a QinQ circuit on port a0; no findings. Cases refer to its line numbers.
inline constexpr std::string_view kRight =
    R"(edge: { name: e1, workers: 2 }
ports:
  a0: { role: access, mtu: 1500 }
  a1: { role: access, mtu: 1500 }
  c0: { role: core, mtu: 9000, address: 192.0.2.1/24, gateway: 192.0.2.254, gateway_mac: "02:00:00:00:00:fe" }
customers:
  - name: contoso
    circuits:
      - name: sea
        port: a0
        service_vlan: 100
        bandwidth: 100 Mbps
        peerings:
          - type: private
            vlan: 10
            subnet: 172.16.0.0/30
            customer_mac: "02:00:00:00:01:01"
            customer_prefixes: [10.0.0.0/16]
            virtual_networks:
              - name: prod
                prefixes: [10.100.0.0/16]
                tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 1 }
  - name: fabrikam
    circuits:
      - name: sea
        port: a0
        service_vlan: 200
        bandwidth: 100 Mbps
        peerings:
          - type: private
            vlan: 10
            subnet: 172.16.0.0/30
            customer_mac: "02:00:00:00:01:02"
            customer_prefixes: [10.0.0.0/16]
            virtual_networks:
              - name: prod
                prefixes: [10.100.0.0/16]
                tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 2 }
)";

/// Line `line` (from 1) becomes `text`; "" takes it away but keeps the count of lines. A text may hold several lines:
/// they move what follows.
struct Edit {
    int line;
    std::string text;
};

/// A finding: "LINE:COLUMN error" or "LINE:COLUMN warning", part of what is wrong, part of the remedy. "LINE@TEXT
/// error" stands for where TEXT begins, the last time it is in that line.
struct Expected {
    std::string where;
    std::string what;
    std::string remedy;
};

struct Case {
    std::string name;
    std::vector<Edit> edits;
    std::vector<Expected> findings;
};

inline std::string edited(const std::vector<Edit>& edits) {
    std::istringstream lines{std::string(kRight)};
    std::string result;
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
        for (const Edit& edit : edits)
            if (edit.line == number) line = edit.text;
        result += line + "\n";
    }
    return result;
}

inline std::string resolved(const std::string& where, const std::string& yaml) {
    const std::size_t at = where.find('@');
    const std::size_t end = where.rfind(' ');
    if (at == std::string::npos) return where;
    std::istringstream lines{yaml};
    std::string line;
    for (int number = std::stoi(where); number > 0; --number) std::getline(lines, line);
    const std::size_t column = line.rfind(where.substr(at + 1, end - at - 1));
    return where.substr(0, at) + ":" + (column == std::string::npos ? "?" : std::to_string(column + 1)) +
           where.substr(end);
}

inline std::string text(const std::vector<Finding>& findings) {
    std::string result;
    for (const Finding& f : findings)
        result += f.where + (f.severity == Finding::Severity::error ? " error: " : " warning: ") + f.what + "\n    " +
                  f.remedy + "\n";
    return result;
}

/// Exactly these findings, in this order.
inline void expect_findings(const std::vector<Finding>& findings, const std::vector<Expected>& expected,
                            const std::string& yaml) {
    ASSERT_EQ(findings.size(), expected.size()) << text(findings);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const bool error = findings[i].severity == Finding::Severity::error;
        const std::string where = findings[i].where + (error ? " error" : " warning");
        EXPECT_EQ(where, "f.yaml:" + resolved(expected[i].where, yaml)) << text(findings);
        EXPECT_NE(findings[i].what.find(expected[i].what), std::string::npos) << text(findings) << expected[i].what;
        EXPECT_NE(findings[i].remedy.find(expected[i].remedy), std::string::npos)
            << text(findings) << expected[i].remedy;
    }
}

inline void run_cases(const std::vector<Case>& cases) {
    for (const Case& each : cases) {
        SCOPED_TRACE(each.name);
        const std::string yaml = edited(each.edits);
        const Loaded loaded = load_text(yaml, "f.yaml");
        expect_findings(loaded.findings, each.findings, yaml);
        const bool errors =
            std::ranges::any_of(each.findings, [](const Expected& f) { return f.where.ends_with("error"); });
        EXPECT_EQ(loaded.ok(), !errors);
    }
}

}  // namespace peerlane::config::test
