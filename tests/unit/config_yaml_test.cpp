// Files that are no configuration: bad YAML, what YAML has and we do not, truncation, noise.
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/config_case.hpp"

namespace peerlane::config::test {
namespace {

struct Bad {
    std::string yaml;
    std::string where;
    std::string what;
};

TEST(ConfigYaml, IsRefusedWithItsPlace) {
    const std::vector<Bad> cases = {
        {"", "1:1", "the file is empty"},
        {"# nothing\n", "1:1", "the file is empty"},
        {"---\n...\n", "2:1", "the file is no mapping"},
        {"[a, b]\n", "1:1", "the file is no mapping"},
        {"ports\n", "1:1", "the file is no mapping"},
        {"ports: {\n", "2:1", "not YAML: did not find expected"},
        {"ports:\n\ta: 1\n", "2:1", "not YAML: found character that cannot start any token"},
        {"a: b: c\n", "1:5", "not YAML: mapping values are not allowed in this context"},
        {"a: \"x\n", "1:4", "not YAML: the \" that opens here is not closed"},
        {"a: 'x\n", "1:4", "not YAML: the ' that opens here is not closed"},
        {"a: \xff\n", "1:1", "not YAML: invalid leading UTF-8 octet"},
        {"a: \x01\n", "1:1", "not YAML: control characters are not allowed"},
        {"a: @x\n", "1:4", "not YAML: found character that cannot start any token"},
        {"%TAG\n", "1:5", "not YAML"},
        {"edge: {}\n---\nports: {}\n", "2:1", "a second document begins"},
        {std::string(40, '[') + std::string(40, ']'), "1:33", "nested more than 32 levels deep"},
        {std::string(100'000, '['), "1:33", "nested more than 32 levels deep"},
        {std::string(100'000, '{'), "1:33", "nested more than 32 levels deep"},
    };
    for (const Bad& bad : cases) {
        SCOPED_TRACE(bad.yaml.substr(0, 50));
        const Loaded loaded = load_text(bad.yaml, "f.yaml");
        ASSERT_EQ(loaded.findings.size(), 1U) << text(loaded.findings);
        EXPECT_EQ(loaded.findings[0].where, "f.yaml:" + bad.where);
        EXPECT_TRUE(loaded.findings[0].what.starts_with(bad.what)) << text(loaded.findings);
        EXPECT_FALSE(loaded.findings[0].remedy.empty());
        EXPECT_FALSE(loaded.ok());
    }
}

TEST(ConfigYaml, AnchorsAliasesAndTags) {
    run_cases({
        {"anchor",
         {{12, "        bandwidth: &bw 100 Mbps"}},
         {{"12@&bw error", "anchor &bw: anchors are not used here", "write the value out"}}},
        {"alias",
         {{12, "        bandwidth: &bw 100 Mbps"}, {28, "        bandwidth: *bw"}},
         {{"12@&bw error", "anchor &bw", "remove it"},
          {"28@* error", "alias *bw: aliases are not used here", "write the value out"}}},
        {"alias in a list",
         {{18, "            customer_prefixes: [10.0.0.0/16, *other, 10.1.0.0/16]"}},
         {{"18@*other error", "alias *other", "write the value out"}}},
        {"alias as a key", {{1, "*x : 1"}}, {{"1:1 error", "alias *x", "write the value out"}}},
        {"tag",
         {{12, "        bandwidth: !!str 100 Mbps"}},
         {{"12@!!str error", "tag tag:yaml.org,2002:str: tags are not used here", "remove the tag"}}},
        {"tagged mapping", {{1, "edge: !x { name: e1 }"}}, {{"1@!x error", "tag !x", "remove the tag"}}},
    });
}

TEST(ConfigYaml, WindowsLinesAndByteOrderMark) {
    std::string yaml = "\xef\xbb\xbf";
    for (const char c : kRight) {
        if (c == '\n') yaml += '\r';
        yaml += c;
    }
    const Loaded loaded = load_text(yaml, "f.yaml");
    EXPECT_TRUE(loaded.findings.empty()) << text(loaded.findings);
    EXPECT_EQ(loaded.model.customers.size(), 2U);
}

TEST(ConfigYaml, ColumnsCountCharacters) {
    const Loaded loaded = load_text("edge: { näme: 1, workers: x }\nports: { a0: { role: access } }\n", "f.yaml");
    ASSERT_EQ(loaded.findings.size(), 2U) << text(loaded.findings);
    EXPECT_EQ(loaded.findings[0].where, "f.yaml:1:9");
    EXPECT_EQ(loaded.findings[1].where, "f.yaml:1:27");
}

TEST(ConfigYaml, MessagesCarryNoControlCharactersAndStayShort) {
    std::string yaml(1000, 'x');  // YAML allows 1024
    yaml.insert(0, 1, '"').append("\": 1\n\"a\\e[31m\\n\": 2\nports: { a0: { role: access } }\n");
    const Loaded loaded = load_text(yaml, "f.yaml");
    ASSERT_EQ(loaded.findings.size(), 2U);
    EXPECT_LT(text(loaded.findings).size(), 600U);
    EXPECT_NE(loaded.findings[1].what.find("`a?[31m?`"), std::string::npos) << text(loaded.findings);
}

TEST(ConfigYaml, EveryPrefixOfAFileEndsWell) {
    std::size_t refused = 0;
    for (std::size_t length = 0; length < kRight.size(); ++length)
        refused += load_text(kRight.substr(0, length), "f.yaml").ok() ? 0 : 1;
    // What ends within or behind customers may be a configuration; nothing before line 6 is, for ports lack.
    EXPECT_GT(refused, kRight.size() / 2);
    EXPECT_TRUE(load_text(kRight, "f.yaml").ok());
}

TEST(ConfigYaml, NoiseEndsWell) {
    constexpr unsigned kSeed = 20260;
    SCOPED_TRACE(kSeed);
    std::mt19937 random(kSeed);
    const std::string_view alphabet = "abc019:- \n\t{}[],&*!|>'\"%@`#?~/.\\\xc3\xa4";
    for (int round = 0; round < 3000; ++round) {
        std::string noise(random() % 200, ' ');
        for (char& c : noise) c = static_cast<char>(round % 2 == 0 ? random() : alphabet[random() % alphabet.size()]);
        EXPECT_FALSE(load_text(noise, "f.yaml").ok());
    }
}

TEST(ConfigYaml, ARightFileWithNoiseInItEndsWell) {
    constexpr unsigned kSeed = 7;
    SCOPED_TRACE(kSeed);
    std::mt19937 random(kSeed);
    const std::string_view alphabet = "019:- \n{}[],&*'\"/.ax";
    for (int round = 0; round < 3000; ++round) {
        std::string yaml(kRight);
        for (unsigned n = random() % 4 + 1; n > 0; --n) {
            const std::size_t at = random() % yaml.size();
            switch (random() % 3) {
                case 0:
                    yaml[at] = alphabet[random() % alphabet.size()];
                    break;
                case 1:
                    yaml.erase(at, random() % 40);
                    break;
                default:
                    yaml.insert(at, yaml.substr(random() % yaml.size(), random() % 40));
            }
        }
        const Loaded loaded = load_text(yaml, "f.yaml");
        for (const Finding& finding : loaded.findings) {
            EXPECT_FALSE(finding.what.empty());
            EXPECT_FALSE(finding.remedy.empty()) << finding.what;
            EXPECT_FALSE(finding.where.ends_with(":0:0")) << finding.what;
        }
        if (!loaded.ok()) continue;
        for (const Customer& customer : loaded.model.customers)
            for (const Circuit& circuit : customer.circuits)
                for (const CircuitLink& link : circuit.links) ASSERT_LT(link.port, loaded.model.ports.size());
    }
}

}  // namespace
}  // namespace peerlane::config::test
