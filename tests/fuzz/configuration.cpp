// The configuration file as anybody may write it: every text is either taken, and then compiles, or refused with
// findings that say where and what. Reading it twice says the same.
#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "dataplane/tables/compile.hpp"
#include "dataplane/tables/compile_sas.hpp"
#include "lib/ipsec/locked_memory.hpp"
#include "tests/fuzz/disk.hpp"
#include "tests/fuzz/family.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/require.hpp"

namespace peerlane::fuzz {
namespace {

using namespace dataplane;
using Lines = std::vector<std::string>;

// What stands where another value stood: numbers at their ends, addresses of every kind, YAML's own words.
constexpr const char* kWords[] = {"0",
                                  "1",
                                  "4095",
                                  "4094",
                                  "65536",
                                  "-1",
                                  "4294967296",
                                  "18446744073709551616",
                                  "0x0",
                                  "1e9",
                                  "null",
                                  "~",
                                  "[]",
                                  "{}",
                                  "[[[",
                                  "\"",
                                  "'",
                                  "&a",
                                  "*a",
                                  "<<",
                                  "!!binary x",
                                  "|",
                                  "yes",
                                  "off",
                                  "::",
                                  "::/0",
                                  "0.0.0.0/0",
                                  "255.255.255.255/32",
                                  "::ffff:10.0.0.0/104",
                                  "fe80::1/64",
                                  "ff02::1",
                                  "224.0.0.1",
                                  "127.0.0.1",
                                  "192.0.2.1",
                                  "192.0.2.254",
                                  "10.0.0.0/33",
                                  "10.0.0.0/255.0.0.0",
                                  "172.16.0.0/30",
                                  "172.16.0.2",
                                  "2001:db8::1/64",
                                  "1 Gbps",
                                  "0 bps",
                                  "999 Tbps",
                                  "1 B",
                                  "3 GB",
                                  "20 ms",
                                  "100M",
                                  "access0",
                                  "core0",
                                  "access1",
                                  "c0",
                                  "aes-gcm-128",
                                  "chacha20-poly1305",
                                  "aes-cbc-128-hmac-sha256-128",
                                  "00",
                                  "\"00112233445566778899aabbccddeeff00112233\"",
                                  "02:00:00:00:00:fe",
                                  "ff:ff:ff:ff:ff:ff",
                                  "private",
                                  "transport"};

Lines lines_of(const std::string& text) {
    Lines lines;
    for (std::size_t from = 0; from < text.size();) {
        const auto end = std::min(text.find('\n', from), text.size());
        lines.push_back(text.substr(from, end - from));
        from = end + 1;
    }
    return lines;
}

/// Puts something in the place of the `number`th value of a line.
void replace_value(std::string& line, unsigned number, const std::string& word) {
    std::size_t at = 0;
    for (unsigned i = 0; i <= number % 4; ++i) {
        const auto next = line.find(": ", at);
        if (next == std::string::npos) { break; }
        at = next + 2;
    }
    const auto end = std::min(line.find_first_of(",}]", at), line.size());
    if (at != 0) { line.replace(at, end - at, word); }
}

std::string text_of(Input& input) {
    if (input.one_in(8)) {
        const auto rest = input.take(input.size());
        return {rest.begin(), rest.end()};
    }
    auto lines = lines_of(family_text({input.byte()}, 1U + input.below(3), "/nowhere"));
    for (auto edits = input.below(6); edits != 0 && !lines.empty(); --edits) {
        const auto at = static_cast<std::ptrdiff_t>(input.below(256) % lines.size());
        auto& line = lines[static_cast<std::size_t>(at)];
        switch (input.below(8)) {
            case 0:
                lines.erase(lines.begin() + at);
                break;
            case 1: {
                const auto copy = line;
                lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(input.below(256) % lines.size()), copy);
                break;
            }
            case 2:
                line.insert(input.below(256) % (line.size() + 1), 1, static_cast<char>(' ' + input.below(95)));
                break;
            case 3:
                line.erase(input.below(256) % (line.size() + 1), 1U + input.below(6));
                break;
            case 4:
                line.insert(0, input.below(5), ' ');
                break;
            default:
                replace_value(line, input.byte(), kWords[input.below(std::size(kWords))]);
        }
    }
    std::string text;
    for (const auto& line : lines) { text += line + '\n'; }
    return text;
}

void check_findings(const config::Loaded& loaded) {
    bool errors = false;
    for (const auto& finding : loaded.findings) {
        errors |= finding.severity == config::Finding::Severity::error;
        require(!finding.what.empty() && !finding.where.empty(), "a finding says nothing: {} {}", finding.where,
                finding.what);
    }
    require(errors != loaded.ok(), "what is refused and what is wrong are not the same");
}

void compile_twice(const config::Model& model) {
    State state(std::max(1U, static_cast<unsigned>(model.edge.workers)));
    try {
        const auto first = compile(model, state, nullptr, {std::vector<Mac>(model.ports.size()), 1});
        set_limits(*first, state, 1, false);
        state.commit();
        const auto second = compile(model, state, first.get(), {std::vector<Mac>(model.ports.size()), 2});
        require(second->retunes.empty(), "the same configuration changes a bucket");
        require(second->names.circuits.size() == first->names.circuits.size(),
                "the same configuration has other circuits");
        for (std::size_t i = 0; i < first->sas.size(); ++i) {
            require(first->sas[i].slot == second->sas[i].slot, "the same configuration gives an SA another slot");
        }
    } catch (const std::length_error&) {}  // more than an edge can hold
}

}  // namespace
}  // namespace peerlane::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace peerlane;
    static const auto own = fuzz::fast_directory("fuzz-configuration");
    ipsec::allow_unlocked();
    fuzz::Input input(data, size);
    const bool live = input.one_in(2);
    const auto text = fuzz::text_of(input);
    const auto loaded = config::load_text(text, own.path() / "edge.yaml", {.live = live});
    fuzz::check_findings(loaded);
    const auto again = config::load_text(text, own.path() / "edge.yaml", {.live = live});
    fuzz::require(loaded.findings.size() == again.findings.size(), "the same text has other findings");
    fuzz::say("{} findings ({}), {}", loaded.findings.size(),
              loaded.findings.empty() ? "" : loaded.findings.front().what, loaded.ok() ? "taken" : "refused");
    if (loaded.ok()) { fuzz::compile_twice(loaded.model); }
    return 0;
}
