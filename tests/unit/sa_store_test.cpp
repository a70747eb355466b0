// The state directory: what is saved comes back, whatever happens to the process; what is not whole is refused.
#include "dataplane/control/sa_store.hpp"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <set>
#include <thread>

#include "dataplane/control/sa_state_text.hpp"
#include "tests/unit/child.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane {
namespace sa_store_test {

namespace fs = std::filesystem;
using test::Child;
using test::say;

SaKey key(std::uint8_t first, bool outbound = true, std::uint32_t number = 0) {
    SaKey made{.outbound = outbound, .number = number};
    made.fingerprint[0] = first;
    return made;
}

SaMemory memory_of(std::uint64_t sequence, unsigned records = 3) {
    SaMemory memory;
    for (unsigned i = 0; i < records; ++i) {
        memory[key(static_cast<std::uint8_t>(i), i % 2 == 0, i)] = {
            .sequence = sequence, .packets = i, .bytes = 64 * i};
    }
    return memory;
}

std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& file, std::string_view text) {
    std::ofstream(file, std::ios::binary) << text;
}

/// What `deed` fails with, or "" where it does not.
template <class Deed>
std::string failure_of(Deed deed) {
    try {
        deed();
    } catch (const Failure& failure) {
        EXPECT_FALSE(failure.remedy.empty());
        return failure.what();
    }
    return "";
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// To the user of failure_as_nobody().
void give_away(const fs::path& path) {
    if (geteuid() == 0) { ASSERT_EQ(chown(path.c_str(), 65'534, 65'534), 0); }
}

/// What `deed` fails with when it is done by a user whom permissions bind.
template <class Deed>
std::string failure_as_nobody(Deed deed) {
    const Child child([&](int pipe) {
        constexpr uid_t kNobody = 65'534;
        const bool bound =
            geteuid() != 0 || (setgroups(0, nullptr) == 0 && setgid(kNobody) == 0 && setuid(kNobody) == 0);
        const auto text = bound ? failure_of(deed) : "cannot give up being root";
        if (::write(pipe, text.data(), text.size()) < 0) { _exit(1); }
    });
    return child.hear_all();
}

class SaStoreTest : public testing::Test {
  protected:
    void SetUp() override { fs::permissions(root_, fs::perms(0755)); }
    void TearDown() override {
        if (fs::exists(directory_)) { fs::permissions(directory_, fs::perms(0755)); }
    }

    [[nodiscard]] fs::path state() const { return directory_ / "sa-state"; }
    void save(const SaMemory& memory) const { SaStore(directory_).save(memory); }
    [[nodiscard]] std::string open_failure() const {
        return failure_of([&] { SaStore store(directory_); });
    }
    [[nodiscard]] std::string obstacle() const {
        const auto found = SaStore::obstacle(directory_);
        return found ? found->what() : "";
    }

    const peerlane::test::OwnDirectory own_{"sa-store"};
    const fs::path root_ = own_.path();
    fs::path directory_ = root_ / "state";
};

TEST_F(SaStoreTest, AFirstStartKnowsNothing) {
    directory_ = root_ / "made" / "on the way" / "";
    const SaStore store(directory_);
    EXPECT_TRUE(store.loaded().empty());
    EXPECT_EQ(fs::status(root_ / "made" / "on the way").permissions(), fs::perms(0700));
    EXPECT_EQ(fs::status(state()).permissions(), fs::perms(0600));
    EXPECT_EQ(read(directory_ / "lock"), std::to_string(getpid()) + "\ngeneration 00000000000000000001\n");
}

TEST_F(SaStoreTest, WhatWasSavedIsLoaded) {
    auto memory = memory_of(4711, 300);
    const Clocks still{.wall = [] { return Nanoseconds{50}; }, .up = [] { return Nanoseconds{50}; }};
    {
        SaStore store(directory_, still);
        store.save(memory);
        for (auto& [key, record] : memory) { record = {record.sequence + 1, record.packets + 1, 5, 6}; }
        memory[key(9, false, ~std::uint32_t{0})] = {~std::uint64_t{0}, 1, 2, 3};
        store.save(memory);
        EXPECT_TRUE(store.loaded().empty());
    }
    EXPECT_EQ(SaStore(directory_, still).loaded(), memory);
    EXPECT_EQ(SaStore(directory_, still).loaded(), memory);
    EXPECT_FALSE(fs::exists(directory_ / "sa-state.new"));
}

TEST_F(SaStoreTest, ARelativeDirectoryStaysTheSame) {
    const auto before = fs::current_path();
    fs::current_path(root_);
    SaStore store("state");
    fs::current_path(before);
    EXPECT_EQ(failure_of([&] { store.save(memory_of(1)); }), "");
    EXPECT_EQ(parse_sa_state(read(state()))->memory, memory_of(1));
}

TEST_F(SaStoreTest, NothingGoesBackwards) {
    save(memory_of(10));
    SaStore store(directory_);
    auto memory = memory_of(11);
    memory.rbegin()->second.sequence = 9;
    EXPECT_THROW(store.save(memory), std::logic_error) << "behind what was loaded";
    store.save(memory_of(10));
    memory = memory_of(11);
    memory.erase(memory.begin());
    EXPECT_THROW(store.save(memory), std::logic_error) << "the first is missing";
    memory = memory_of(11);
    memory.erase(std::prev(memory.end()));
    EXPECT_THROW(store.save(memory), std::logic_error) << "the last is missing";
    EXPECT_THROW(store.save({}), std::logic_error);
    EXPECT_EQ(parse_sa_state(read(state()))->memory, memory_of(10));

    store.save(memory_of(20, 5));
    EXPECT_THROW(store.save(memory_of(19, 5)), std::logic_error) << "behind what was saved";
    EXPECT_THROW(store.save(memory_of(20, 4)), std::logic_error);
    EXPECT_EQ(parse_sa_state(read(state()))->memory, memory_of(20, 5));
}

TEST_F(SaStoreTest, WhatWasReservedInThisRunCanBeGivenBack) {
    save(memory_of(10, 1));
    SaStore store(directory_);
    store.save(memory_of(1000, 2));
    store.give_back(key(200), 5);  // never heard of
    store.give_back(key(0), 50);
    store.give_back(key(0), 2000);
    EXPECT_THROW(store.save(memory_of(50, 2)), std::logic_error) << "the other record was not given back";
    auto memory = memory_of(1000, 2);
    memory[key(0)].sequence = 49;
    EXPECT_THROW(store.save(memory), std::logic_error);
    memory[key(0)].sequence = 50;
    store.save(memory);
    EXPECT_EQ(parse_sa_state(read(state()))->memory, memory);

    store.give_back(key(0), 9);
    memory[key(0)].sequence = 9;
    EXPECT_THROW(store.save(memory), std::logic_error) << "an earlier run may have used it";
    memory[key(0)].sequence = 10;
    store.save(memory);
}

TEST_F(SaStoreTest, ASecondEdgeIsKeptOffUntilTheFirstIsDead) {
    Child other([&](int pipe) {
        SaStore store(directory_);
        store.save(memory_of(7));
        say(pipe, 1);
        pause();
    });
    ASSERT_EQ(other.hear(), 1);
    for (const auto& why : {open_failure(), obstacle()}) {
        EXPECT_TRUE(has(why, directory_.native())) << why;
        EXPECT_TRUE(has(why, "process " + std::to_string(other.pid()) + ",")) << why;
        EXPECT_TRUE(has(why, "stop that edge, or give this one another edge.state_dir")) << why;
    }
    other.kill();
    EXPECT_EQ(obstacle(), "");
    const SaStore store(directory_);
    EXPECT_EQ(store.loaded().size(), 3);
    EXPECT_NE(open_failure(), "") << "one process is no exception";
}

TEST_F(SaStoreTest, KilledAtAnyMomentItContinuesBehindWhatWasSaved) {
    std::uint64_t last = 0;
    for (unsigned round = 0; round < 20; ++round) {
        Child edge([&](int pipe) {
            SaStore store(directory_);
            const auto start = store.loaded().empty() ? 0 : store.loaded().begin()->second.sequence;
            for (auto sequence = start + 1;; ++sequence) {
                store.save(memory_of(sequence, 40));
                say(pipe, sequence);
            }
        });
        for (unsigned i = 0; i <= round % 3; ++i) {
            const auto saved = edge.hear();
            ASSERT_GT(saved, last);
            last = saved;
        }
        edge.kill();
        const SaStore store(directory_);
        const auto found = store.loaded().begin()->second.sequence;
        ASSERT_GE(found, last);
        for (const auto& [key, record] : store.loaded()) { EXPECT_EQ(record.sequence, found); }
        last = found;
    }
}

TEST_F(SaStoreTest, AReaderNeverSeesATornFile) {
    SaStore store(directory_);
    std::atomic<bool> done = false;
    std::thread reader([&] {
        std::set<std::uint64_t> seen;
        while (seen.size() < 100 && !HasFailure()) {
            const auto found = parse_sa_state(read(state()));
            EXPECT_TRUE(found) << found.error();
            if (found && !found->memory.empty()) { seen.insert(found->memory.begin()->second.sequence); }
        }
        done = true;
    });
    for (std::uint64_t sequence = 1; !done; ++sequence) { store.save(memory_of(sequence, 250)); }
    reader.join();
}

TEST_F(SaStoreTest, ALeftoverTemporaryIsNothing) {
    fs::create_directory(directory_);
    write(directory_ / "sa-state.new", "peerlane sa-state 1\nsaved_");
    EXPECT_EQ(obstacle(), "");
    EXPECT_TRUE(SaStore(directory_).loaded().empty());
    save(memory_of(3));
    write(directory_ / "sa-state.new", to_text(memory_of(2), 0));
    EXPECT_EQ(SaStore(directory_).loaded().begin()->second.sequence, 3);
    EXPECT_FALSE(fs::exists(directory_ / "sa-state.new"));
}

TEST_F(SaStoreTest, AFileThatIsGoneIsNoFirstStart) {
    save({});
    fs::remove(state());
    for (const auto& why : {open_failure(), obstacle(), open_failure()}) {
        EXPECT_TRUE(has(why, state().native() + ": it is gone")) << why;
        EXPECT_TRUE(has(why, "take new keys for every SA and move sa-state and lock away")) << why;
        EXPECT_TRUE(has(why, "Never just delete it")) << why;
    }
    fs::remove(directory_ / "lock");  // as the remedy says
    EXPECT_EQ(open_failure(), "");
}

TEST_F(SaStoreTest, AnEdgeThatDiedBeforeItSavedLeavesAFirstStart) {
    fs::create_directory(directory_);
    write(directory_ / "lock", "");
    EXPECT_EQ(obstacle(), "");
    EXPECT_EQ(open_failure(), "");
}

TEST_F(SaStoreTest, ADamagedFileIsRefusedAndLeftAlone) {
    save(memory_of(5));
    const auto good = read(state());
    auto flipped = good;
    flipped[good.size() / 2] ^= 1;
    for (const auto& bad : {flipped, good.substr(0, good.size() - 1), std::string(), good + '\n'}) {
        write(state(), bad);
        for (const auto& why : {open_failure(), obstacle()}) {
            EXPECT_TRUE(has(why, state().native() + ": line ")) << why;
            EXPECT_TRUE(has(why, "restore sa-state from a copy made after this edge last stopped")) << why;
        }
        EXPECT_EQ(read(state()), bad);
    }
    write(state(), good);
    EXPECT_EQ(SaStore(directory_).loaded().begin()->second.sequence, 5);
}

TEST_F(SaStoreTest, OnlyARegularFileIsRead) {
    save(memory_of(5));
    fs::rename(state(), root_ / "elsewhere");
    fs::create_symlink(root_ / "elsewhere", state());
    EXPECT_TRUE(has(open_failure(), "not a regular file"));
    fs::remove(state());
    ASSERT_EQ(mkfifo(state().c_str(), 0600), 0);
    EXPECT_TRUE(has(open_failure(), "not a regular file"));
    fs::remove(state());
    fs::create_directory(state());
    EXPECT_TRUE(has(open_failure(), "not a regular file"));
    fs::remove(state());
    fs::rename(root_ / "elsewhere", state());
    fs::remove(directory_ / "lock");
    ASSERT_EQ(mkfifo((directory_ / "lock").c_str(), 0600), 0);
    EXPECT_TRUE(has(open_failure(), "lock, which is no regular file"));
}

TEST_F(SaStoreTest, PermissionsAreSaidToBeMissing) {
    fs::permissions(root_, fs::perms(0555));
    const auto open = [&] { SaStore store(directory_); };
    const auto look = [&] {
        if (const auto found = SaStore::obstacle(directory_)) { throw Failure(*found); }
    };
    for (const auto& why : {failure_as_nobody(open), failure_as_nobody(look)}) {
        EXPECT_TRUE(has(why, "cannot make it: Permission denied")) << why;
        EXPECT_TRUE(has(why, "let the user this edge runs as read and write there")) << why;
    }
    fs::permissions(root_, fs::perms(0755));
    save(memory_of(5));
    for (const auto& path : {directory_, directory_ / "lock"}) { give_away(path); }
    fs::permissions(state(), fs::perms(0000));
    for (const auto& why : {failure_as_nobody(open), failure_as_nobody(look)}) {
        EXPECT_TRUE(has(why, "cannot read sa-state: Permission denied")) << why;
    }
    fs::permissions(state(), fs::perms(0644));
    EXPECT_EQ(failure_as_nobody(look), "");
    fs::permissions(directory_ / "lock", fs::perms(0444));
    for (const auto& why : {failure_as_nobody(open), failure_as_nobody(look)}) {
        EXPECT_TRUE(has(why, "cannot open its lock: Permission denied")) << why;
    }
    fs::permissions(directory_ / "lock", fs::perms(0644));
    fs::permissions(directory_, fs::perms(0555));
    EXPECT_TRUE(has(failure_as_nobody(look), "cannot write there: Permission denied"));
    EXPECT_TRUE(has(failure_as_nobody([&] { SaStore(directory_).save(memory_of(6)); }), "Permission denied"));
    EXPECT_EQ(parse_sa_state(read(state()))->memory, memory_of(5));
}

// A limit on files' sizes makes write() come short, then fail, as a full disk does.
TEST_F(SaStoreTest, AWriteThatFailsLeavesTheFileAsItWas) {
    const Child child([&](int pipe) {
        SaStore store(directory_);
        store.save(memory_of(5));
        const auto before = read(state());
        (void)std::signal(SIGXFSZ, SIG_IGN);
        rlimit limit{};
        getrlimit(RLIMIT_FSIZE, &limit);
        const auto full = limit.rlim_cur;
        limit.rlim_cur = 10'000;
        setrlimit(RLIMIT_FSIZE, &limit);
        const auto why = failure_of([&] { store.save(memory_of(6, 256)); });
        const bool clean = read(state()) == before && !fs::exists(directory_ / "sa-state.new");
        limit.rlim_cur = full;
        setrlimit(RLIMIT_FSIZE, &limit);
        store.save(memory_of(5));  // what failed is not what has been saved
        store.save(memory_of(6, 256));
        const bool again = parse_sa_state(read(state()))->memory == memory_of(6, 256);
        const auto text = why + (clean ? "\nclean" : "\nnot clean") + (again ? ", again" : ", not again");
        if (::write(pipe, text.data(), text.size()) < 0) { _exit(1); }
    });
    const auto why = child.hear_all();
    EXPECT_TRUE(has(why, "cannot write the state: File too large")) << why;
    EXPECT_TRUE(has(why, "make room on its file system")) << why;
    EXPECT_TRUE(has(why, "\nclean, again")) << why;
}

TEST_F(SaStoreTest, ADirectoryThatWasReplacedIsNotWrittenTo) {
    SaStore store(directory_);
    store.save(memory_of(5));
    fs::rename(directory_, root_ / "moved");
    EXPECT_TRUE(has(failure_of([&] { store.save(memory_of(6)); }), "moved away or replaced"));
    fs::create_directory(directory_);
    write(directory_ / "lock", "");
    EXPECT_TRUE(has(failure_of([&] { store.save(memory_of(6)); }), "moved away or replaced"));
    fs::remove_all(directory_);
    fs::rename(root_ / "moved", directory_);
    EXPECT_EQ(failure_of([&] { store.save(memory_of(6)); }), "");
    fs::rename(directory_ / "lock", root_ / "lock");
    EXPECT_TRUE(has(failure_of([&] { store.save(memory_of(7)); }), "moved away or replaced"));
    fs::rename(root_ / "lock", directory_ / "lock");
}

TEST_F(SaStoreTest, ALookChangesNothing) {
    directory_ = root_ / "a" / "b";
    EXPECT_EQ(obstacle(), "");
    EXPECT_TRUE(fs::is_empty(root_));
    fs::create_directories(directory_);
    EXPECT_EQ(obstacle(), "");
    EXPECT_TRUE(fs::is_empty(directory_));
    save(memory_of(5));
    const auto before = read(state()) + read(directory_ / "lock");
    EXPECT_EQ(obstacle(), "");
    EXPECT_EQ(read(state()) + read(directory_ / "lock"), before);
}

TEST_F(SaStoreTest, AFileInTheWayIsSaidToBe) {
    write(directory_, "");
    for (const auto& why : {open_failure(), obstacle()}) {
        EXPECT_TRUE(has(why, "cannot open it: Not a directory")) << why;
        EXPECT_TRUE(has(why, "move away what is in the way")) << why;
    }
    directory_ /= "below";
    for (const auto& why : {open_failure(), obstacle()}) { EXPECT_TRUE(has(why, "Not a directory")) << why; }
    directory_ = "";
    for (const auto& why : {open_failure(), obstacle()}) { EXPECT_TRUE(has(why, "set edge.state_dir")) << why; }
    directory_ = root_ / "none";
}

}  // namespace sa_store_test
}  // namespace peerlane::dataplane
