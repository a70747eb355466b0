// Keys: what is one and what is none, files and their modes, and that nothing shows or keeps any of it.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "config/key_material.hpp"
#include "tests/unit/config_ipsec_case.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::config::test {
namespace {

namespace fs = std::filesystem;

std::string read_as(std::string_view text) {
    const auto key = parse_hex(text);
    if (!key) return key.error();
    std::string result;
    for (const std::uint8_t octet : key->octets()) result += fmt::format("{:02x}", octet);
    return result;
}

TEST(ConfigKeys, Hex) {
    for (const std::string_view text :
         {"0123abCD", "0x0123abCD", "0X0123abcd", "01 23 ab cd", "01:23:ab:cd", " 0x 01\t23\r\nab::cd \n"})
        EXPECT_EQ(read_as(text), "0123abcd") << text;
    EXPECT_EQ(read_as("00"), "00");
    EXPECT_EQ(read_as("0x"), "no hex digits are given");
    EXPECT_EQ(read_as(""), "no hex digits are given");
    EXPECT_EQ(read_as(" :\n"), "no hex digits are given");
    EXPECT_EQ(read_as("0123a"), "the octet at character 5 has one digit");
    EXPECT_EQ(read_as("01 2 3abc"), "the octet at character 4 has one digit");
    EXPECT_EQ(read_as("g1"), "character 1 is no hex digit (and not shown)");
    EXPECT_EQ(read_as("010g"), "character 4 is no hex digit (and not shown)");
    EXPECT_EQ(read_as("01-02"), "character 3 is no hex digit (and not shown)");
    EXPECT_EQ(read_as("01\n0x02"), "character 5 is no hex digit (and not shown)");
    EXPECT_EQ(read_as(std::string_view("01\0", 3)), "character 3 is no hex digit (and not shown)");
}

TEST(ConfigKeys, MaterialIsExplained) {
    EXPECT_EQ(material_text(EspSuite::aes_gcm_128), "aes-gcm-128 needs 20 octets: 16 of key and 4 of salt");
    EXPECT_EQ(material_text(EspSuite::aes_cbc_256_hmac_sha256_128),
              "aes-cbc-256-hmac-sha256-128 needs 64 octets: 32 of key and 32 of authentication key");
    EXPECT_EQ(material_text(EspSuite::chacha20_poly1305), "chacha20-poly1305 needs 36 octets: 32 of key and 4 of salt");
}

TEST(ConfigKeys, WrongOnesAreNamedButNotShown) {
    const std::string short_key(kKeyA.substr(0, 32));
    const std::string needs = "key: 16 octets, but aes-gcm-128 needs 20 octets: 16 of key and 4 of salt";
    run_cases({
        {"without salt", {kOneWorker, ipsec(sas(short_key, kKeyB))}, {{"25@a1f0 error", needs, "give 40 hex digits"}}},
        {"the suite behind it",
         {kOneWorker, ipsec("inbound: { spi: 256, key: " + std::string(kKeyB) +
                            " }\noutbound: { spi: 256, key: " + short_key + " }\nsuite: aes-gcm-128")},
         {{"25@a1f0 error", needs, "give 40 hex digits"}}},
        {"of another suite",
         {kOneWorker, ipsec(sas(kKeyA, kKeyB, "aes-gcm-256"))},
         {{"25@a1f0 error", "20 octets, but aes-gcm-256 needs 36 octets: 32 of key and 4 of salt", "72 hex digits"},
          {"26@b2f0 error", "20 octets, but aes-gcm-256 needs 36", "correct the suite"}}},
        {"no such suite is one complaint",
         {kOneWorker, ipsec(sas(kKeyA, kKeyB, "aes-gcm-182"))},
         {{"24@aes error", "suite: `aes-gcm-182` is not one of", "did you mean `aes-gcm-128`?"}}},
        {"no hex",
         {kOneWorker, ipsec(sas(std::string(kKeyA) + "xy", kKeyB))},
         {{"25@a1f0 error", "key: character 41 is no hex digit (and not shown)", "key material in hex"}}},
        {"half an octet",
         {kOneWorker, ipsec(sas(std::string(kKeyA) + "7", kKeyB))},
         {{"25@a1f0 error", "key: the octet at character 41 has one digit", "two digits an octet"}}},
        {"nothing",
         {kOneWorker, ipsec(sas("", kKeyB))},
         {{"25:50 error", "key: nothing is given", "leave the key out"}}},
        {"neither key nor file",
         {kOneWorker, ipsec("suite: aes-gcm-128\noutbound: { spi: 256 }\ninbound: " + std::string("{ spi: 256, key: ") +
                            std::string(kKeyB) + " }")},
         {{"25@{ error", "outbound: one of `key`, `key_file` is needed", "add one"}}},
        {"both",
         {kOneWorker, ipsec(sas(std::string(kKeyA) + ", key_file: a.hex", kKeyB))},
         {{"25@a.hex error", "outbound: only one of `key`, `key_file` may be given", "keep one"}}},
        {"no SAs",
         {kOneWorker, ipsec("suite: aes-gcm-128\ninbound: []")},
         {{"24@suite error", "ipsec: `outbound` is missing", "add `outbound`"},
          {"25@[ error", "inbound: the list is empty", "at least one"}}},
        {"nothing at all",
         {kOneWorker,
          {22,
           "                tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 1 }\n"
           "                ipsec:"}},
         {{"23:23 error", "ipsec: nothing is given", "KEY: VALUE"}}},
    });
}

/// Keys in the wrong place: nothing says any six digits of one in a row.
TEST(ConfigKeys, NoFindingShowsOne) {
    const std::string key(kKeyA);
    std::string spaced;
    for (std::size_t i = 0; i < key.size(); i += 2) spaced += key.substr(i, 2) + (i % 4 == 0 ? ":" : " ");
    const auto sa = [](const std::string& inside) {
        return ipsec("suite: aes-gcm-128\noutbound: { " + inside +
                     " }\ninbound: { spi: 256, key: " + std::string(kKeyB) + " }");
    };
    std::vector<Edit> wrong;
    for (const std::string& text : {key, "0x" + key, "'" + key + "'", "'" + spaced + "'"}) {
        wrong.push_back(sa("spi: 256, key: " + text + "0"));
        wrong.push_back(sa("spi: 256, key: " + text + ", key: " + text));
        wrong.push_back(sa("spi: 256, key: [" + text + "]"));
        wrong.push_back(sa("spi: 256, key: { " + text + ": 1 }"));
        wrong.push_back(sa("spi: 256, key " + text));
        wrong.push_back(sa("spi: 256, key=" + text));
        wrong.push_back(sa("spi: 256, " + text));
        wrong.push_back(sa("spi: 256, keys: " + text));
        wrong.push_back(sa("spi: 256, key: " + text + ", key_file: " + text));
        wrong.push_back(sa("spi: 256, key_file: " + text));
        wrong.push_back(sa("spi: " + text + ", key: 256"));
        wrong.push_back(sa("spi: 256, spi_count: " + text));
        wrong.push_back(sa("spi: 256, key: " + text + " }"));
        wrong.push_back(sa("spi: 256, key: \"" + text));
        wrong.push_back(ipsec("outbound: " + text));
        wrong.push_back(ipsec("outbound: [" + text + "]"));
        wrong.push_back(ipsec("suite: " + text));
        wrong.push_back(ipsec("local: " + text));
        wrong.push_back(ipsec("esn: " + text));
        wrong.push_back(ipsec("dscp: " + text));
        wrong.push_back(ipsec("lifetime: { soft: { bytes: " + text + ", time: " + text + "} }"));
        wrong.push_back(ipsec(sas(text, text)));
    }
    for (const Edit& edit : wrong) {
        const Loaded loaded = load_text(edited({kOneWorker, edit}), "f.yaml");
        EXPECT_FALSE(loaded.findings.empty()) << edit.text;
        const std::string said = text(loaded.findings);
        for (std::size_t i = 0; i + 6 <= key.size(); ++i)
            ASSERT_EQ(said.find(key.substr(i, 6)), std::string::npos) << said << edit.text;
        for (std::size_t i = 0; i + 9 <= spaced.size(); ++i)
            ASSERT_EQ(said.find(spaced.substr(i, 9)), std::string::npos) << said << edit.text;
    }
}

class ConfigKeyFiles : public ::testing::Test {
  protected:
    fs::path write(const std::string& name, const std::string& content, mode_t mode = 0600) const {
        fs::create_directories((directory_ / name).parent_path());
        std::ofstream(directory_ / name) << content;
        EXPECT_EQ(chmod((directory_ / name).c_str(), mode), 0);
        return directory_ / name;
    }
    /// Of a configuration that names the file for its outbound SA; without the directory.
    [[nodiscard]] std::string said(const std::string& key_file) const {
        const std::string yaml =
            edited({kOneWorker, ipsec("suite: aes-gcm-128\noutbound: { spi: 256, key_file: " + key_file +
                                      " }\ninbound: { spi: 256, key: " + std::string(kKeyB) + " }")});
        std::string result = text(load(write("edge.yaml", yaml)).findings);
        const std::string prefix = directory_.string() + "/";
        for (std::size_t at; (at = result.find(prefix)) != std::string::npos;) result.erase(at, prefix.size());
        return result;
    }

    const peerlane::test::OwnDirectory own_{"keys"};
    const fs::path directory_ = own_.path();
};

constexpr std::string_view kAt = "edge.yaml:25:51 error: key_file: ";

TEST_F(ConfigKeyFiles, Right) {
    write("keys/a.hex", "0x" + std::string(kKeyA) + "\n");
    EXPECT_EQ(said("keys/a.hex"), "");
    EXPECT_EQ(said((directory_ / "keys/a.hex").string()), "");
    for (const mode_t mode : {0400U, 0700U, 0500U}) {
        write("b.hex", "a1f0c3d2e5b49786\r\n89fa1b2c3d4e5f60\r\n718293a4\r\n", mode);
        EXPECT_EQ(said("b.hex"), "");
        fs::remove(directory_ / "b.hex");
    }
    fs::create_symlink("keys/a.hex", directory_ / "link.hex");
    EXPECT_EQ(said("link.hex"), "");
}

TEST_F(ConfigKeyFiles, Unusable) {
    const std::string right = std::string(kKeyA) + "\n";
    const std::string at(kAt);
    EXPECT_EQ(
        said("none.hex"),
        at + "`none.hex` cannot be read: No such file or directory\n    correct the path, which is relative to the "
             "file that names it, or its permissions\n");
    EXPECT_TRUE(said(std::string(kKeyA)).starts_with(at + "`…` (not shown: it may be a key) cannot be read"));
    fs::create_directory(directory_ / "d");
    EXPECT_EQ(said("d"), at + "`d` is no regular file\n    name a file with the key in hex\n");
    ASSERT_EQ(mkfifo((directory_ / "fifo").c_str(), 0600), 0);
    EXPECT_EQ(said("fifo"), at + "`fifo` is no regular file\n    name a file with the key in hex\n");
    write("empty", "");
    EXPECT_EQ(said("empty"), at + "`empty` is empty\n    write the key into it, in hex\n");
    write("short", right.substr(0, 32));
    EXPECT_EQ(said("short"),
              at + "16 octets, but aes-gcm-128 needs 20 octets: 16 of key and 4 of salt\n    give 40 hex digits, or "
                   "correct the suite\n");
    write("binary", std::string("\x01\x02\x03", 3));
    EXPECT_EQ(
        said("binary"),
        at + "`binary`: character 1 is no hex digit (and not shown)\n    write nothing but the key into it, in hex, "
             "two digits an octet\n");
    write("large", right + std::string(4097 - right.size(), '\n'));
    EXPECT_EQ(said("large"), at + "`large` is larger than 4 KiB\n    name a file with nothing but one key in hex\n");
    write("as-large-as-may-be", right + std::string(4096 - right.size(), '\n'));
    EXPECT_EQ(said("as-large-as-may-be"), "");
    EXPECT_EQ(said("\"\""), at + "`` is not the path of a file\n    write the path of a file\n");
}

TEST_F(ConfigKeyFiles, OpenToOthers) {
    for (const mode_t bit : {040U, 020U, 010U, 04U, 02U, 01U}) {
        write("a.hex", std::string(kKeyA), 0600U | bit);
        EXPECT_EQ(
            said("a.hex"),
            std::string(kAt) +
                fmt::format("`a.hex` is open to others than its owner (mode {:04o})\n    run `chmod 600 a.hex`, and "
                            "change the key if somebody may have read it\n",
                            0600U | bit));
    }
}

/// A key file stands beside the file that names it.
TEST_F(ConfigKeyFiles, OfAnIncludedFile) {
    const std::string all =
        edited({{1, ""},
                ipsec("suite: aes-gcm-128\noutbound: { spi: 256, key_file: k.hex }\ninbound: { spi: 256, "
                      "key_file: ../in.hex }")});
    const std::size_t customers = all.find("customers:");
    write("customers.d/a.yaml", all.substr(customers));
    write("customers.d/k.hex", std::string(kKeyA));
    write("in.hex", std::string(kKeyB));
    const Loaded loaded = load(write("edge.yaml", all.substr(0, customers) + "include: customers.d/*.yaml\n"));
    ASSERT_TRUE(loaded.findings.empty()) << text(loaded.findings);
    const Ipsec& got = *loaded.model.customers.at(0).circuits.at(0).peerings.at(0).virtual_networks.at(0).ipsec;
    EXPECT_EQ(got.outbound.at(0).key.octets()[0], 0xa1);
    EXPECT_EQ(got.inbound.at(0).key.octets()[0], 0xb2);
}

/// How often the inverse of each of `inverted` is in memory this process can write; never because of this search.
__attribute__((no_sanitize("address", "undefined"), noinline)) void count_between(
    const volatile char* from, const volatile char* to, const std::vector<std::string>& inverted,
    std::vector<std::size_t>& counts) {
    bool first[256] = {};  // octets that one of them begins with
    for (const std::string& one : inverted) { first[static_cast<unsigned char>(~one[0])] = true; }
    for (; from < to; ++from) {
        if (!first[static_cast<unsigned char>(*from)]) continue;
        for (std::size_t i = 0; i < inverted.size(); ++i) {
            const std::string_view one = inverted[i];
            if (to - from < static_cast<std::ptrdiff_t>(one.size())) continue;
            std::size_t same = 0;
            while (same < one.size() && from[same] == static_cast<char>(~one[same])) ++same;
            if (same == one.size()) ++counts[i];
        }
    }
}

std::string count_in_memory(const std::vector<std::string>& inverted) {
    constexpr unsigned long kShadow = 1UL << 28U;  // larger ones are a sanitizer's own
    std::vector<std::size_t> counts(inverted.size());
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long from = 0;
        unsigned long to = 0;
        char mode[5] = {};
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, mode) != 3 || std::string_view(mode) != "rw-p")
            continue;
        if (to - from > kShadow || line.contains('/')) continue;
        count_between(reinterpret_cast<const char*>(from), reinterpret_cast<const char*>(to), inverted, counts);
    }
    return fmt::format("{}", fmt::join(counts, " "));
}

/// The end of a key as octets and as hex, both inverted; made of random octets, of which nothing else is in memory. The
/// end, because a beginning is overwritten when memory is given back, wiped or not.
struct Needles {
    std::string octets;
    std::string hex;
};
Needles write_random_key(const fs::path& path, const std::string& before, const std::string& behind) {
    std::random_device random;
    Needles needles;
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT_EQ(::write(file, before.data(), before.size()), static_cast<ssize_t>(before.size()));
    for (int i = 0; i < 64; ++i) {
        const unsigned octet = random() & 0xffU;
        for (int j = 0; j < 2; ++j) {
            const unsigned digit = (octet >> (j == 0 ? 4U : 0U)) & 15U;
            const char one = static_cast<char>(digit < 10 ? '0' + digit : 'a' + digit - 10);
            EXPECT_EQ(::write(file, &one, 1), 1);
            if (i >= 44) needles.hex += static_cast<char>(~one);
        }
        if (i >= 44) needles.octets += static_cast<char>(~octet);
    }
    EXPECT_EQ(::write(file, behind.data(), behind.size()), static_cast<ssize_t>(behind.size()));
    close(file);
    return needles;
}

TEST_F(ConfigKeyFiles, NothingStaysInMemory) {
    const std::string lines =
        "suite: aes-cbc-256-hmac-sha256-128\noutbound: { spi: 256, key_file: k.hex }\ninbound: { spi: 256, key: ";
    const std::string yaml = edited({kOneWorker, ipsec(lines + "@ }")});
    const std::size_t at = yaml.find('@');
    const Needles file = write_random_key(directory_ / "k.hex", "", "\n");
    const Needles inline_key = write_random_key(directory_ / "edge.yaml", yaml.substr(0, at), yaml.substr(at + 1));
    const std::vector<std::string> needles{file.octets, inline_key.octets, file.hex, inline_key.hex};
    {
        const Loaded loaded = load(directory_ / "edge.yaml");
        ASSERT_TRUE(loaded.findings.empty()) << text(loaded.findings);
        // Where the model holds it, and nowhere else.
        EXPECT_EQ(count_in_memory(needles), "1 1 0 0");
    }
    EXPECT_EQ(count_in_memory(needles), "0 0 0 0");
}

}  // namespace
}  // namespace peerlane::config::test
