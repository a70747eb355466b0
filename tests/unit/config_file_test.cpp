// Files: unreadable ones, includes, the shipped examples, ten thousand circuits.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/config_case.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::config::test {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = PEERLANE_SOURCE_ROOT;

constexpr std::string_view kPorts = R"(ports:
  a0: { role: access }
  c0: { role: core, mtu: 9000, address: 192.0.2.1/24, gateway_mac: 02:00:00:00:00:fe }
)";

std::string customer(std::string_view name, int n) {
    return fmt::format(R"(  - name: {}
    circuits:
      - name: sea
        port: a0
        service_vlan: {}
        bandwidth: 1 Gbps
        peerings:
          - type: private
            vlan: 10
            subnet: 172.16.0.0/30
            customer_mac: "02:00:00:00:01:01"
            customer_prefixes: [10.0.0.0/16, 10.1.0.0/16, 10.2.0.0/16, 10.3.0.0/16, 10.4.0.0/16]
            virtual_networks:
              - name: prod
                prefixes: [10.100.0.0/16, 10.101.0.0/16]
                tunnel: {{ local: 192.0.2.1, remote: 198.51.100.7, key: {} }}
)",
                       name, n, n);
}

class ConfigFiles : public ::testing::Test {
  protected:
    fs::path write(const std::string& name, const std::string& content) const {
        fs::create_directories((directory_ / name).parent_path());
        std::ofstream(directory_ / name) << content;
        return directory_ / name;
    }
    /// Findings without the directory.
    [[nodiscard]] std::string said(const Loaded& loaded) const {
        std::string result = text(loaded.findings);
        const std::string prefix = directory_.string() + "/";
        for (std::size_t at; (at = result.find(prefix)) != std::string::npos;) result.erase(at, prefix.size());
        return result;
    }

    const peerlane::test::OwnDirectory own_{"config"};
    const fs::path directory_ = own_.path();
};

TEST_F(ConfigFiles, Unreadable) {
    EXPECT_EQ(said(load(directory_ / "none.yaml")),
              "none.yaml:1:1 error: the file cannot be read: No such file or directory\n    correct the path, or its "
              "permissions\n");
    EXPECT_EQ(said(load(directory_)).substr(directory_.string().size()),
              ":1:1 error: the file cannot be read: Is a directory\n    correct the path, or its permissions\n");
}

TEST_F(ConfigFiles, IncludesInOrder) {
    write("customers.d/b.yaml", "customers:\n" + customer("b", 2));
    write("customers.d/a.yaml", "customers:\n" + customer("a", 1));
    write("customers.d/c.txt", "no configuration");
    write("more.yaml", "customers:\n" + customer("more", 3));
    const fs::path main =
        write("edge.yaml", fmt::format("include: [more.yaml, customers.d/*.yaml, customers.d/a*]\n{}customers:\n{}",
                                       kPorts, customer("own", 4)));
    const Loaded loaded = load(main);
    EXPECT_EQ(said(loaded), "");
    std::vector<std::string> names;
    for (const Customer& each : loaded.model.customers) names.push_back(each.name);
    EXPECT_EQ(names, (std::vector<std::string>{"own", "more", "a", "b"}));
    ASSERT_EQ(loaded.model.files.size(), 4U);
    EXPECT_EQ(loaded.model.files[0], main.string());
    EXPECT_EQ(loaded.model.customers[3].place.file, 3U);
    EXPECT_EQ(fs::path(loaded.model.files[3]).filename(), "b.yaml");
}

TEST_F(ConfigFiles, RulesHoldAcrossFiles) {
    write("customers.d/a.yaml", "customers:\n" + customer("a", 1));
    write("customers.d/b.yaml", "customers:\n" + customer("a", 1));
    const Loaded loaded = load(write("edge.yaml", fmt::format("{}include: customers.d/*.yaml\n", kPorts)));
    EXPECT_EQ(said(loaded),
              "customers.d/b.yaml:2:11 error: customer a is there already, at customers.d/a.yaml:2:11\n    choose "
              "another name\n"
              "customers.d/b.yaml:6:23 warning: service_vlan: S-VID 1 on port a0 is another circuit's too, at "
              "customers.d/a.yaml:6:23\n"
              "    give each circuit an S-VID of its own\n"
              "customers.d/b.yaml:10:19 error: vlan: S-VID 1, C-VID 10 on port a0 is another peering's already, at "
              "customers.d/a.yaml:10:19\n"
              "    give this peering a VLAN of its own, or its circuit another port\n"
              "customers.d/b.yaml:17:25 error: tunnel: local 192.0.2.1, remote 198.51.100.7, key 0x1 is another "
              "tunnel's already, at "
              "customers.d/a.yaml:17:25\n    give this tunnel a key of its own\n");
}

TEST_F(ConfigFiles, BadIncludes) {
    write("with-ports.yaml", "ports: {}\ncustomers: []\n");
    write("broken.yaml", "customers: [\n");
    write("cycle.yaml", "include: edge.yaml\ncustomers: []\n");
    write("void.yaml", "");
    fs::create_directories(directory_ / "directory");
    const Loaded loaded = load(write("edge.yaml", std::string(kPorts) + R"(include:
  - missing.yaml
  - nothing-*.yaml
  - with-ports.yaml
  - broken.yaml
  - edge.yaml
  - cycle.yaml
  - void.yaml
  - directory
  - 7 *[
  - [a]
)"));
    const std::string all = said(loaded);
    for (const std::string expected :
         {"edge.yaml:5:5 error: include: `missing.yaml` cannot be read: No such file or directory\n",
          "edge.yaml:6:5 warning: include: nothing matches `nothing-*.yaml`\n",
          "with-ports.yaml:1:1 error: key `ports` in an included file\n",
          "broken.yaml:2:1 error: not YAML:", "edge.yaml:9:5 error: include: `edge.yaml` takes in this file itself\n",
          "cycle.yaml:1:1 error: key `include` in an included file\n", "void.yaml:1:1 error: the file is empty\n",
          "edge.yaml:12:5 error: include: `directory` cannot be read: Is a directory\n",
          "edge.yaml:13:5 warning: include: nothing matches `7 *[`\n",
          "edge.yaml:14:5 error: include: a single value is needed here, not a list\n"})
        EXPECT_NE(all.find(expected), std::string::npos) << expected << "\nin\n" << all;
    EXPECT_EQ(loaded.findings.size(), 10U) << all;
}

TEST_F(ConfigFiles, AnIncludedFileMayBeCommentedOut) {
    write("customers.d/a.yaml", "# customers:\n\n  # - name: a\r\n#");
    write("customers.d/b.yaml", "customers:\n" + customer("b", 1));
    const Loaded loaded = load(write("edge.yaml", std::string(kPorts) + "include: customers.d/*.yaml\n"));
    EXPECT_EQ(said(loaded), "");
    ASSERT_EQ(loaded.model.customers.size(), 1U);
    EXPECT_TRUE(loaded.model.files[loaded.model.customers[0].place.file].ends_with("customers.d/b.yaml"));
}

TEST_F(ConfigFiles, ADirectoryNameIsNoPattern) {
    write("edge[1]/customers.d/a.yaml", "customers:\n" + customer("a", 1));
    const Loaded loaded = load(write("edge[1]/edge.yaml", fmt::format("{}include: customers.d/*.yaml\n", kPorts)));
    EXPECT_EQ(said(loaded), "");
    EXPECT_EQ(loaded.model.customers.size(), 1U);
}

TEST_F(ConfigFiles, ExamplesAreRight) {
    for (const std::string name : {"minimal.yaml", "pair.yaml", "ipsec.yaml", "large/edge.yaml"}) {
        Loaded loaded = load(kRoot / "config/examples" / name);
        // The keys of an example are everybody's.
        std::erase_if(loaded.findings, [&](const Finding& finding) {
            return name == "ipsec.yaml" && finding.what.find("open to others than its owner") != std::string::npos;
        });
        EXPECT_TRUE(loaded.findings.empty()) << text(loaded.findings);
    }
}

TEST_F(ConfigFiles, TenThousandCircuits) {
    std::string yaml(kPorts);
    yaml += "  a1: { role: access }\n  a2: { role: access }\ncustomers:\n";
    for (int n = 0; n < 10'000; ++n) {
        std::string one = customer(fmt::format("c{}", n), n);
        one.replace(one.find("port: a0"), 8, fmt::format("port: a{}", n / 4000));
        const std::string vlan = fmt::format("service_vlan: {}\n", n);
        one.replace(one.find(vlan), vlan.size(), fmt::format("service_vlan: {}\n", n % 4000 + 1));
        yaml += one;
    }
    const Loaded loaded = load_text(yaml, "f.yaml");
    EXPECT_TRUE(loaded.findings.empty()) << text(loaded.findings).substr(0, 1000);
    EXPECT_EQ(loaded.model.customers.size(), 10'000U);
    EXPECT_EQ(raw(*loaded.model.customers.back().circuits[0].peerings[0].virtual_networks[0].tunnel.key), 9999U);
}

}  // namespace
}  // namespace peerlane::config::test
