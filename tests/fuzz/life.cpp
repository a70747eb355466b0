#include "tests/fuzz/life.hpp"

#include <cstring>

#include "config/load.hpp"
#include "dataplane/io/failure.hpp"
#include "tests/fuzz/disk.hpp"
#include "tests/fuzz/require.hpp"

namespace peerlane::fuzz {
namespace {

using namespace dataplane;

config::Model loaded(const std::filesystem::path& file) {
    auto read = config::load(file, {.live = true});
    for (const auto& finding : read.findings) {
        require(finding.severity != config::Finding::Severity::error, "{}: {}", finding.where, finding.what);
    }
    return std::move(read.model);
}

}  // namespace

Life::Life(const std::filesystem::path& file, unsigned workers, const Nanoseconds& now)
    : state(workers),
      now_(now),
      publication_(workers),
      upkeep_(state, [this] { return now_; }),
      local_(*Wires::get().local, state, std::vector<std::optional<Tap>>(kPorts), Wires::get().pool),
      configuration_(file, loaded(file), state, publication_, upkeep_, std::vector<Mac>(kPorts),
                     [this] { return now_; }),
      team_(state, workers) {
    local_.adopt(configuration_.snapshot(), now_);
    for (unsigned i = 0; i < workers; ++i) {
        publication_.join(i);
        adopt(i);
    }
}

void Life::adopt(unsigned index) {
    Worker& worker = team_[index];
    const Snapshot* published = publication_.current();
    if (published == worker.snapshot) { return; }
    worker.snapshot = published;
    if (index != 0) { return; }
    settle(*published, state, now_);
    publication_.settled(published);
}

void Life::serve() {
    upkeep_.tick(configuration_.snapshot());
    local_.serve(configuration_.snapshot(), std::vector<bool>(kPorts, true), now_);
}

Applied Life::reload(unsigned first, const std::function<void(unsigned worker)>& between) {
    unsigned done = 0;
    while_asleep() = [&] {
        require(done < workers(), "control waits for workers that have been quiet");
        const unsigned turn = (first + done++) % workers();
        adopt(turn);
        between(turn);
        publication_.quiet(turn);
    };
    auto applied = configuration_.reload();
    while_asleep() = nullptr;
    for (unsigned i = 0; i < workers(); ++i) {
        require(team_[i].snapshot == &configuration_.snapshot(), "worker {} has another snapshot", i);
    }
    if (applied.ok) { local_.adopt(configuration_.snapshot(), now_); }
    return applied;
}

void Life::end() {
    for (unsigned round = 0; round < 2 * workers(); ++round) { poll(round % workers()); }
    upkeep_.end(configuration_.snapshot());
}

}  // namespace peerlane::fuzz
