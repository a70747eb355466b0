// Sources that are no host: the edge's own addresses, and the network and broadcast addresses of its links.
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace source_test {

/// kPair with other subnets for contoso's links.
std::string with_subnets(std::string_view primary, std::string_view secondary, std::string_view primary6,
                         std::string_view secondary6) {
    std::string yaml(kPair);
    const auto replace = [&](std::string_view before, const std::string& after) {
        yaml.replace(yaml.find(before), before.size(), after);
    };
    const auto quoted = [](std::string_view one, std::string_view two) {
        return "{ primary: \"" + std::string(one) + "\", secondary: \"" + std::string(two) + "\" }";
    };
    replace("{ primary: 172.16.0.0/30, secondary: 172.16.0.4/30 }", quoted(primary, secondary));
    replace("{ primary: \"fd00:172::/126\", secondary: \"fd00:172::4/126\" }", quoted(primary6, secondary6));
    return yaml;
}

struct Links {
    const char* primary;
    const char* secondary;
    const char* primary6;
    const char* secondary6;
    std::vector<const char*> refused;
    std::vector<const char*> passed;  // from a tunnel
};

TEST(Source, FromATunnel) {
    const std::vector<Links> all{
        {"172.16.0.0/30",
         "172.16.0.4/30",
         "fd00:172::/126",
         "fd00:172::4/126",
         {"172.16.0.0", "172.16.0.2", "172.16.0.3", "172.16.0.4", "172.16.0.6", "172.16.0.7", "fd00:172::2",
          "fd00:172::6"},
         {"172.16.0.1", "172.16.0.5", "172.16.0.8", "172.16.1.2", "172.15.255.255", "fd00:172::", "fd00:172::1",
          "fd00:172::5", "fd00:172::a", "fd00:173::2"}},
        {"10.9.0.0/29",
         "198.51.100.248/29",
         "fd00:a::/64",
         "2001:db8:b::/64",
         {"10.9.0.0", "10.9.0.2", "10.9.0.7", "198.51.100.248", "198.51.100.250", "198.51.100.255", "fd00:a::2",
          "2001:db8:b::2"},
         {"10.9.0.1", "10.9.0.8", "198.51.100.249", "172.16.0.2", "203.0.113.1", "fd00:a::3", "fd00:172::2"}},
        {"192.168.4.0/31",
         "192.168.7.254/31",
         "fd00:a::/127",
         "fd00:a::2/127",
         {"192.168.4.1", "192.168.7.255", "fd00:a::1", "fd00:a::3"},
         {"192.168.4.0", "192.168.7.254", "192.168.5.255", "fd00:a::", "fd00:a::2"}},
    };
    for (const auto& links : all) {
        SCOPED_TRACE(links.primary);
        std::vector<Case> cases;
        const auto add = [&](const char* source, bool passes) {
            const bool six = std::string_view(source).find(':') != std::string_view::npos;
            const auto ip = six ? down6("fd00:10::1", source) : down4("10.0.0.1", source);
            for (const char* network : {"v4key", "v6none"}) {
                Case one{source, "core0", from_gateway(network, ip), Fate::source_not_accepted, {}, kContoso};
                if (passes) {
                    one.fate = Fate::sent;
                    one.circuit = "";
                }
                cases.push_back(one);
            }
        };
        for (const char* source : links.refused) { add(source, false); }
        for (const char* source : links.passed) { add(source, true); }
        const auto yaml = with_subnets(links.primary, links.secondary, links.primary6, links.secondary6);
        for (const auto& one : cases) {
            SCOPED_TRACE(one.name);
            Edge edge(yaml);
            const auto sent = edge.send(one.port, {one.packet});
            EXPECT_EQ(sent.fate(), one.fate);
            EXPECT_EQ(sent.out.size(), one.fate == Fate::sent ? 1U : 0U);
            std::uint64_t charged = 0;
            for (const auto link : {Link::primary, Link::secondary}) {
                charged += edge.circuit(kContoso, link, Direction::to_customer).dropped(Fate::source_not_accepted);
            }
            EXPECT_EQ(charged, one.fate == Fate::sent ? 0U : 1U);
            EXPECT_EQ(edge.drops(Fate::source_not_accepted), charged);
        }
    }
}

TEST(Source, FromTheCustomer) {
    // Nor if a wider prefix is the customer's.
    std::string yaml(kPair);
    const std::string_view prefixes = "customer_prefixes: [10.0.0.0/16, 10.100.9.0/24,";
    yaml.replace(yaml.find(prefixes), prefixes.size(),
                 "customer_prefixes: [10.0.0.0/16, 10.100.9.0/24, 172.16.0.0/16,");
    std::vector<Case> cases;
    for (const char* source : {"172.16.0.0", "172.16.0.2", "172.16.0.3", "172.16.0.4", "172.16.0.6", "172.16.0.7"}) {
        cases.push_back(
            {source, "access0", from_contoso(up4("10.100.0.1", source)), Fate::source_not_accepted, {}, kContoso});
        cases.push_back(
            {source, "access0", from_contoso(up4("10.0.0.9", source)), Fate::source_not_accepted, {}, kContoso});
    }
    for (const char* source : {"172.16.0.1", "172.16.0.8", "172.16.0.255"}) {
        cases.push_back({source,
                         "access0",
                         from_contoso(up4("10.100.0.1", source)),
                         Fate::sent,
                         {output("core0", to_gateway("v4key", 0, hop(up4("10.100.0.1", source))))}});
    }
    check(cases, yaml);
}

}  // namespace source_test
}  // namespace peerlane::test
