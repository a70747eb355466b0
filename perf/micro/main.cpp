// Cycles per look-up of the tables and per packet of the buckets and of the ciphers, alone: what a change of theirs
// costs or gains. Arguments, if any, name the subjects wanted.
#include <cstdio>
#include <string_view>

#include "perf/micro/micro.hpp"

namespace {

struct Subject {
    std::string_view name;
    void (*measure)();
};
constexpr Subject kSubjects[] = {{"routes", peerlane::perf::measure_routes},
                                 {"vlans", peerlane::perf::measure_vlans},
                                 {"tunnels", peerlane::perf::measure_tunnels},
                                 {"buckets", peerlane::perf::measure_buckets},
                                 {"crypto", peerlane::perf::measure_crypto}};

}  // namespace

int main(int count, char** arguments) {
    std::printf("%-60s %8s %8s\n", "TSC cycles", "median", "minimum");
    for (const auto& subject : kSubjects) {
        bool wanted = count < 2;
        for (int i = 1; i < count; ++i) { wanted = wanted || subject.name == arguments[i]; }
        if (wanted) { subject.measure(); }
    }
}
