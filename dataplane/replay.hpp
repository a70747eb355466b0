// Captures in, captures out, through the production pipelines: no privilege, no hugepages, no device, no clock but the
// captures'.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace peerlane::dataplane {

struct ReplayInput {
    std::string port;
    std::filesystem::path file;
};

struct ReplayOptions {
    std::filesystem::path config;
    std::vector<ReplayInput> inputs;
    std::filesystem::path out_dir;
    std::filesystem::path json;  // empty: none; "-": standard output
};

/// Runs all inputs merged by time; packets of one time in the order of the inputs, then of the file. Writes
/// OUT_DIR/PORT.pcap (nanoseconds; the time of arrival) for every configured port, prints a summary. The same captures
/// give the same octets every time. Returns the exit status: 0, or 1 after saying on standard error what is wrong.
int replay(const ReplayOptions& options);

}  // namespace peerlane::dataplane
