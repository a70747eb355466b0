// What killed edges leave in /run/dpdk goes when the next one starts, and nothing else does.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "dataplane/io/runtime_directory.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;

/// The id of a process that has ended.
pid_t dead() {
    const pid_t pid = fork();
    if (pid == 0) { _exit(0); }
    waitpid(pid, nullptr, 0);
    return pid;
}

TEST(RuntimeDirectory, RemovesWhatTheDeadHaveLeftAndNothingElse) {
    const peerlane::test::OwnDirectory own("runtime");
    const auto make = [&](const std::string& name) {
        fs::create_directories(own.path() / name / "deep");
        std::ofstream(own.path() / name / "config") << "x";
        return own.path() / name;
    };
    const auto stale = make("peerlane-" + std::to_string(dead()));
    const auto parents = make("peerlane-" + std::to_string(getppid()));
    const auto of_another = make("rte-" + std::to_string(dead()));
    const auto no_number = make("peerlane-lab");
    const auto more = make("peerlane-" + std::to_string(dead()) + "-old");
    const auto target = make("elsewhere");
    const auto link = own.path() / ("peerlane-" + std::to_string(dead()));
    fs::create_directory_symlink(target, link);
    // As from another PID namespace: nobody here has that number, but somebody holds the lock.
    const auto locked = make("peerlane-" + std::to_string(dead()));
    const RuntimeDirectory other(locked);
    EXPECT_FALSE(fs::exists(stale));
    const auto mine = make("peerlane-" + std::to_string(getpid()));
    {
        const RuntimeDirectory directory(mine);
        for (const auto& kept : {mine, parents, of_another, no_number, more, target / "config", link, locked}) {
            EXPECT_TRUE(fs::exists(kept)) << kept;
        }
    }
    EXPECT_FALSE(fs::exists(mine));
    remove_stale_directories(own.path() / "no" / "such");
}

}  // namespace
}  // namespace peerlane::dataplane
