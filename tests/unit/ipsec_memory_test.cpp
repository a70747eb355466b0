// Where keys lie, and what is left of them.
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "lib/ipsec/locked_memory.hpp"

namespace peerlane::ipsec {
namespace {

constexpr std::array<std::uint8_t, 20> kMaterial{0xc0, 0xff, 0xee, 0x42};

std::shared_ptr<const Key> some_key() {
    return make_key(EspSuite::aes_gcm_128, kMaterial, Way::seal);
}

bool wiped(const Key* key) {
    return std::all_of(std::begin(key->octets), std::end(key->octets), [](auto octet) { return octet == 0; });
}

/// The kernel's flags (proc(5), VmFlags) of the mapping that `address` is in.
std::set<std::string> kernel_flags(const void* address) {
    std::ifstream smaps("/proc/self/smaps");
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    bool inside = false;
    for (std::string line; std::getline(smaps, line);) {
        std::istringstream words(line);
        std::uintptr_t start = 0;
        std::uintptr_t end = 0;
        char dash = 0;
        if (words >> std::hex >> start >> dash >> end && dash == '-') {
            inside = start <= wanted && wanted < end;
        } else if (inside && line.starts_with("VmFlags:")) {
            std::istringstream flags(line.substr(8));
            return {std::istream_iterator<std::string>(flags), {}};
        }
    }
    return {};
}

/// What a child process's function wrote, in which no memory can be locked.
std::string without_locked_memory(std::string (*function)()) {
    int ends[2];
    if (pipe(ends) != 0) { return "no pipe"; }
    const pid_t child = fork();
    if (child == 0) {
        // CAP_IPC_LOCK lifts the limit, so it goes with all the others.
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct none[2]{};
        const rlimit nothing{0, 0};
        std::string said = "cannot lower the limit";
        if (setrlimit(RLIMIT_MEMLOCK, &nothing) == 0 && syscall(SYS_capset, &header, none) == 0) { said = function(); }
        const auto written = write(ends[1], said.data(), said.size());
        _exit(written == static_cast<ssize_t>(said.size()) ? 0 : 1);
    }
    close(ends[1]);
    std::string said;
    char buffer[512];
    for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof(buffer))) > 0;) {
        said.append(buffer, static_cast<std::size_t>(got));
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? said : "the child died: " + said;
}

// Before anything else of this program has keys: the child inherits no room to spare.
TEST(KeyMemory, ARefusalIsSaid) {
    const auto said = without_locked_memory([]() -> std::string {
        try {
            some_key();
            return "a key";
        } catch (const LockedMemoryError& error) { return error.what(); }
    });
    EXPECT_NE(said.find(std::to_string(locked_octets(1)) + " octets are needed"), std::string::npos) << said;
    EXPECT_NE(said.find("RLIMIT_MEMLOCK allows 0 octets"), std::string::npos) << said;
}

TEST(KeyMemory, ARefusalCanBeWaived) {
    EXPECT_EQ(without_locked_memory([]() -> std::string {
                  allow_unlocked();
                  const auto key = some_key();
                  const auto flags = kernel_flags(key.get());
                  return flags.contains("lo") || !flags.contains("dd") ? "wrong flags" : "a key";
              }),
              "a key");
}

TEST(KeyMemory, LockedAndHidden) {
    const auto key = some_key();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(key.get()) % alignof(Key), 0U);
    const auto flags = kernel_flags(key.get());
    EXPECT_TRUE(flags.contains("lo")) << "not locked: more than RLIMIT_MEMLOCK?";
    EXPECT_TRUE(flags.contains("dd")) << "in core dumps";
    EXPECT_TRUE(flags.contains("dc")) << "in children";
}

TEST(KeyMemory, NotInChildren) {
    const auto key = some_key();
    EXPECT_EXIT(
        {
            const volatile auto* octets = key->octets;
            _exit(octets[0] == 0 ? 2 : 3);
        },
        // A sanitizer that meets the signal ends with 1.
        [](int status) {
            return (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) ||
                   (WIFEXITED(status) && WEXITSTATUS(status) == 1);
        },
        "");
}

TEST(KeyMemory, WipedAndUsedAgain) {
    auto key = some_key();
    const Key* room = key.get();
    EXPECT_FALSE(wiped(room));
    auto other_owner = key;
    key.reset();
    EXPECT_FALSE(wiped(room));
    other_owner.reset();
    EXPECT_TRUE(wiped(room));
    key = some_key();
    EXPECT_EQ(key.get(), room);
}

TEST(KeyMemory, SaltStaysOutside) {
    for (const auto suite : {EspSuite::aes_gcm_128, EspSuite::aes_gcm_256, EspSuite::chacha20_poly1305}) {
        std::vector<std::uint8_t> material(row(suite).material(), 0x11);
        const auto key = make_key(suite, material, Way::seal);
        for (auto i = std::size_t{row(suite).cipher_key}; i < material.size(); ++i) { material[i] = 0xee; }
        const auto salted = make_key(suite, material, Way::seal);
        EXPECT_EQ(std::memcmp(key->octets, salted->octets, sizeof(key->octets)), 0);
    }
}

TEST(KeyMemory, ManyKeysNeedWhatWasSaid) {
    const auto before = locked_octets(1);
    EXPECT_EQ(locked_octets(0), 0U);
    std::size_t fits = 1;
    while (locked_octets(fits + 1) == before) { ++fits; }
    EXPECT_GT(fits, 1'000U);
    std::vector<std::shared_ptr<const Key>> keys;
    std::set<const Key*> rooms;
    for (std::size_t i = 0; i < fits; ++i) { rooms.insert(keys.emplace_back(some_key()).get()); }
    EXPECT_EQ(rooms.size(), fits);
    // All in one chunk, and no two overlap.
    const auto* first = *rooms.begin();
    EXPECT_LE(reinterpret_cast<std::uintptr_t>(*rooms.rbegin()) + sizeof(Key),
              reinterpret_cast<std::uintptr_t>(first) + before);
    for (auto room = rooms.begin(); std::next(room) != rooms.end(); ++room) {
        ASSERT_GE(reinterpret_cast<std::uintptr_t>(*std::next(room)),
                  reinterpret_cast<std::uintptr_t>(*room) + sizeof(Key));
    }
    const auto another = some_key();
    EXPECT_FALSE(rooms.contains(another.get()));
    EXPECT_EQ(locked_octets(fits + 1), 2 * before);
}

}  // namespace
}  // namespace peerlane::ipsec
