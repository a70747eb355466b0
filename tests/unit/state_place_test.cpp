// Where the state directory lies: who else can change it, an older file that is put back, memory.
#include "dataplane/control/state_place.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "dataplane/control/sa_store.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane {
namespace state_place_test {

namespace fs = std::filesystem;

std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

SaMemory memory_of(std::uint64_t sequence) {
    return {{SaKey{}, SaRecord{.sequence = sequence}}};
}

class StatePlace : public testing::Test {
  protected:
    /// What a look and a start say, which is the same; "" where nothing is wrong.
    [[nodiscard]] std::string refusal() const {
        const auto seen = SaStore::obstacle(directory_);
        std::string said;
        try {
            const SaStore store(directory_);
        } catch (const Failure& failure) { said = failure.what(); }
        EXPECT_EQ(seen ? seen->what() : "", said);
        return said;
    }
    void expect(std::string_view part) const {
        const auto said = refusal();
        EXPECT_NE(said.find(part), std::string::npos) << said;
        EXPECT_NE(said.find("state"), std::string::npos) << said;
    }
    void made() const { SaStore(directory_).save(memory_of(10)); }
    static void give(const fs::path& path, uid_t user) {
        ASSERT_EQ(lchown(path.c_str(), user, static_cast<gid_t>(-1)), 0) << "these tests are root's";
    }

    static constexpr uid_t kStranger = 1'234;
    const peerlane::test::OwnDirectory own_{"state-place"};
    const fs::path root_ = own_.path();
    fs::path directory_ = root_ / "above" / "state";
};

TEST_F(StatePlace, WhatOthersCanWriteToIsRefused) {
    made();
    EXPECT_EQ(refusal(), "");
    for (const auto mode : {0777U, 0770U, 0702U, 01777U}) {
        fs::permissions(directory_, fs::perms(mode));
        expect("it is writable by others than its owner (mode ");
        expect("chmod go-w");
    }
    fs::permissions(directory_, fs::perms(0755));
    EXPECT_EQ(refusal(), "");
    for (const auto* name : {"sa-state", "lock"}) {
        fs::permissions(directory_ / name, fs::perms(0660));
        expect(std::string(name) + " in it is writable by others than its owner (mode 0660)");
        fs::permissions(directory_ / name, fs::perms(0644));
        EXPECT_EQ(refusal(), "");
    }
}

TEST_F(StatePlace, WhatOthersCanRenameIsRefused) {
    made();
    const auto above = directory_.parent_path();
    for (const auto mode : {0777U, 0775U}) {
        fs::permissions(above, fs::perms(mode));
        expect(above.native() + ", on the way to it, is writable by others");
    }
    fs::permissions(above, fs::perms(01777));
    EXPECT_EQ(refusal(), "") << "a sticky directory is nobody's";
    fs::permissions(above, fs::perms(0755));
    // By whatever link it is reached.
    fs::create_directory(root_ / "open");
    fs::create_symlink("../above", root_ / "open" / "link");
    const auto real = directory_;
    directory_ = root_ / "open" / "link" / "state";
    EXPECT_EQ(refusal(), "");
    fs::permissions(root_ / "open", fs::perms(0777));
    expect((root_ / "open").native() + ", on the way to it, is writable by others");
    fs::permissions(root_ / "open", fs::perms(0755));
    fs::permissions(above, fs::perms(0777));
    expect(above.native() + ", on the way to it, is writable by others");
    // What has still to be made lies there too.
    directory_ = above / "new" / "state";
    expect(above.native() + ", on the way to it, is writable by others");
    EXPECT_FALSE(fs::exists(above / "new"));
    fs::permissions(above, fs::perms(0755));
    directory_ = real;
    EXPECT_EQ(refusal(), "");
}

TEST_F(StatePlace, WhatBelongsToSomebodyElseIsRefused) {
    if (geteuid() != 0) { return; }  // who may not give away has nothing that is another's
    made();
    const auto above = directory_.parent_path();
    for (const auto& path : {directory_, above}) {
        give(path, kStranger);
        expect(path.native() + " belongs to somebody else (user 1234)");
        EXPECT_FALSE(open_to_others(directory_, Owners::not_checked));
        give(path, 0);
    }
    for (const auto* name : {"sa-state", "lock"}) {
        give(directory_ / name, kStranger);
        expect(std::string(name) + " in it belongs to somebody else (user 1234)");
        give(directory_ / name, 0);
    }
    EXPECT_EQ(refusal(), "");
    // In a sticky directory a link is whose it is.
    fs::create_directory(root_ / "sticky");
    fs::permissions(root_ / "sticky", fs::perms(01777));
    fs::create_symlink(directory_, root_ / "sticky" / "link");
    const auto real = directory_;
    directory_ = root_ / "sticky" / "link";
    EXPECT_EQ(refusal(), "");
    give(directory_, kStranger);
    expect(directory_.native() + " belongs to somebody else (user 1234)");
    directory_ = real;
}

TEST_F(StatePlace, WhatItMakesIsItsOwnWhateverTheUmask) {
    const auto before = umask(0);
    made();
    umask(before);
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(fs::status(directory_).permissions(), fs::perms(0700));
    EXPECT_EQ(fs::status(directory_.parent_path()).permissions(), fs::perms(0755));
}

TEST_F(StatePlace, AnotherPathIsTheSameState) {
    const SaStore store(directory_);
    fs::create_symlink(directory_, root_ / "link");
    directory_ = root_ / "link";
    expect("another edge, process");
}

TEST_F(StatePlace, AnOlderFileThatIsPutBackIsRefused) {
    const auto state = directory_ / "sa-state";
    made();
    fs::copy_file(state, root_ / "older");
    made();
    const auto newer = read(state);
    fs::copy_file(root_ / "older", state, fs::copy_options::overwrite_existing);
    expect("it is an older one that was put back: generation 2, and 3 was saved here after it");
    expect("take new keys for every SA");
    std::ofstream(state, std::ios::binary) << newer;
    EXPECT_EQ(refusal(), "");
    // One that was saved before there were generations.
    std::ofstream(state, std::ios::binary) << to_text(memory_of(10), 0);
    expect("it is an older one that was put back: generation 0");
    std::ofstream(state, std::ios::binary) << newer;
    made();
}

TEST_F(StatePlace, AFileFromBeforeGenerationsIsTaken) {
    fs::create_directories(directory_);
    std::ofstream(directory_ / "sa-state", std::ios::binary) << to_text(memory_of(10), 0);
    std::ofstream(directory_ / "lock") << "4711\n";
    {
        SaStore store(directory_);
        EXPECT_EQ(store.loaded(), memory_of(10));
        EXPECT_TRUE(store.save(memory_of(11)));
    }
    EXPECT_EQ(SaStore(directory_).loaded(), memory_of(11));
    EXPECT_EQ(parse_sa_state(read(directory_ / "sa-state"))->saving.generation, 1U);
}

TEST_F(StatePlace, WhatHappensToTheFileMeanwhileIsNoticed) {
    const auto state = directory_ / "sa-state";
    SaStore store(directory_);
    EXPECT_TRUE(store.save(memory_of(10)));
    fs::copy_file(state, root_ / "older");
    EXPECT_TRUE(store.save(memory_of(20)));
    fs::rename(state, root_ / "away");
    EXPECT_FALSE(store.save(memory_of(20))) << "it was moved away";
    EXPECT_EQ(parse_sa_state(read(state))->memory, memory_of(20));
    EXPECT_TRUE(store.save(memory_of(21))) << "once";
    fs::rename(root_ / "away", state);
    EXPECT_FALSE(store.save(memory_of(22))) << "it was put back";
    std::ofstream(state, std::ios::binary) << read(root_ / "older");
    EXPECT_FALSE(store.save(memory_of(23))) << "it was written to";
    EXPECT_TRUE(store.save(memory_of(24)));
    // The same in another file is the same.
    fs::copy_file(state, root_ / "copy");
    fs::rename(root_ / "copy", state);
    EXPECT_TRUE(store.save(memory_of(25)));
    EXPECT_EQ(parse_sa_state(read(state))->memory, memory_of(25));
}

TEST_F(StatePlace, APutBackFileIsKnownAlsoAfterACrash) {
    const auto state = directory_ / "sa-state";
    {
        SaStore store(directory_);
        store.save(memory_of(10));
        fs::copy_file(state, root_ / "older");
        store.save(memory_of(20));
    }
    fs::rename(root_ / "older", state);
    expect("it is an older one that was put back: generation 2, and 3 was saved here after it");
}

TEST(StatePlaceInMemory, IsRefusedUnlessItIsSaidTwice) {
    ASSERT_TRUE(lies_in_memory("/dev/shm")) << "this test needs a tmpfs there";
    EXPECT_TRUE(lies_in_memory("/dev/shm/peerlane-none/state"));
    EXPECT_FALSE(lies_in_memory("/proc"));
    const auto failure = forgetful("/dev/shm/peerlane-none/state", false);
    ASSERT_TRUE(failure);
    EXPECT_NE(failure->remedy.find("edge.state_dir_volatile: true"), std::string::npos);
    EXPECT_FALSE(forgetful("/dev/shm/peerlane-none/state", true));
    EXPECT_FALSE(forgetful("/", false));
}

}  // namespace state_place_test
}  // namespace peerlane::dataplane
