// What holds for every edge and every input: nothing is lost or counted twice (the fixture checks each burst), nobody
// gets another's packets, and where a burst ends changes nothing. PEERLANE_ROUNDS and PEERLANE_SEED set how many random
// edges are tried, and which.
#include <cstdlib>

#include "tests/pipeline/edge.hpp"
#include "tests/property/edges.hpp"

namespace peerlane::test {
namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

template <class Check>
void for_random_edges(std::uint64_t rounds, Check check) {
    const auto first = setting("PEERLANE_SEED", 1);
    for (std::uint64_t seed = first; seed < first + setting("PEERLANE_ROUNDS", rounds); ++seed) {
        SCOPED_TRACE(testing::Message() << "PEERLANE_SEED=" << seed);
        Random random(seed);
        const auto edge = random_edge(random);
        check(random, edge);
        if (testing::Test::HasFailure()) {
            std::fprintf(stderr, "PEERLANE_SEED=%llu PEERLANE_ROUNDS=1 with\n%s", static_cast<unsigned long long>(seed),
                         edge.yaml.c_str());
            return;
        }
    }
}

struct Input {
    std::string port;
    std::vector<Octets> frames;
};
/// Frames for one port at one time; `hostile` of a hundred are mutated.
Input random_input(Random& random, const RandomEdge& edge, std::size_t count, unsigned hostile,
                   std::uint32_t mark = 0) {
    Input input{std::vector<std::string>{"access0", "access1", "core0", "core0"}[below(random, 4)], {}};
    const bool from_cloud = input.port == "core0";
    while (input.frames.size() < count) {
        const auto tenant = below(random, edge.tenants.size());
        if (!from_cloud && edge.tenants[tenant].attachments[0].port != input.port && !one_in(random, 3)) {
            bool any = false;
            for (const auto& who : edge.tenants) { any |= who.attachments[0].port == input.port; }
            if (any) { continue; }
        }
        auto frame = right_frame(random, edge, tenant, from_cloud, mark++);
        if (below(random, 100) < hostile) { mutate(random, frame); }
        input.frames.push_back(std::move(frame));
    }
    return input;
}

TEST(Property, IsolationAndConservation) {
    std::uint64_t inputs = 0;
    std::uint64_t outputs = 0;
    for_random_edges(40, [&](Random& random, const RandomEdge& random_edge) {
        Edge edge(random_edge.yaml);
        for (int burst = 0; burst < 25; ++burst) {
            edge.now += below(random, 20'000'000);
            const auto input =
                random_input(random, random_edge, 1 + below(random, 32), 60, static_cast<std::uint32_t>(burst) * 100);
            const auto sent = edge.send_frames(input.port, input.frames);
            inputs += input.frames.size();
            for (const auto& out : sent.out) {
                const Octets& cause = input.frames[out.slot];
                const auto from = owner(random_edge, input.port, cause, false);
                const auto to = owner(random_edge, out.port, out.frame, true);
                ++outputs;
                if (!from) {
                    // An echo reply of the edge itself on the core side belongs to nobody.
                    EXPECT_TRUE(out.reply && out.port == "core0" && input.port == "core0" && !to)
                        << hex(cause) << "\nbecame\n"
                        << hex(out.frame);
                    continue;
                }
                ASSERT_TRUE(to) << hex(cause) << "\nbecame\n" << hex(out.frame);
                EXPECT_EQ(*from, *to) << hex(cause) << "\nbecame\n" << hex(out.frame);
                if (const auto mark = mark_of(out.frame)) { EXPECT_EQ(mark_of(cause), mark); }
            }
        }
    });
    EXPECT_GT(outputs, inputs / 10) << "of " << inputs << ": hardly anything was put to the test";
}

/// Of the outer IPv4 header, so that it is not what gives a forgery away.
void right_checksum(Octets& frame) {
    frame[24] = frame[25] = 0;
    const unsigned sum = internet_checksum(Octets(frame.begin() + 14, frame.begin() + 34));
    frame[24] = static_cast<std::uint8_t>(sum >> 8U);
    frame[25] = static_cast<std::uint8_t>(sum);
}

TEST(Property, ForgedIdentities) {
    // Nobody's tags, keys, remotes and local addresses, made from somebody's by one step: nothing may come out.
    for_random_edges(40, [&](Random& random, const RandomEdge& random_edge) {
        Edge edge(random_edge.yaml);
        for (int i = 0; i < 300; ++i) {
            const auto input = random_input(random, random_edge, 1, 0);
            auto frame = input.frames[0];
            const std::size_t header = input.port == "core0" ? (frame[12] == 0x86 ? 14 + 40 + 8 : 14 + 20 + 8) : 22;
            const std::size_t first = input.port == "core0" ? 14 : 12;
            frame[first + below(random, header - first)] ^= static_cast<std::uint8_t>(1U << below(random, 8));
            if (input.port == "core0" && frame[12] == 0x08) { right_checksum(frame); }
            if (owner(random_edge, input.port, frame, false)) { continue; }
            for (const auto& out : edge.send_frames(input.port, {frame}).out) {
                EXPECT_FALSE(owner(random_edge, out.port, out.frame, true)) << hex(frame) << "\nbecame\n"
                                                                            << hex(out.frame);
                EXPECT_TRUE(out.reply);
            }
        }
    });
}

TEST(Property, BurstsMayEndAnywhere) {
    for_random_edges(15, [&](Random& random, const RandomEdge& random_edge) {
        std::vector<std::pair<std::uint64_t, Input>> script;
        for (int step = 0; step < 12; ++step) {
            script.emplace_back(below(random, 5'000'000), random_input(random, random_edge, 1 + below(random, 96), 20));
        }
        std::vector<Sent> first;
        std::string counters;
        for (const unsigned burst : {32U, 1U, 2U, 7U}) {
            SCOPED_TRACE(testing::Message() << "bursts of " << burst);
            Edge edge(random_edge.yaml);
            std::size_t step = 0;
            for (const auto& [pause, input] : script) {
                edge.now += pause;
                auto sent = edge.send_frames(input.port, input.frames, burst);
                if (burst == 32) {
                    first.push_back(std::move(sent));
                    continue;
                }
                const Sent& other = first[step++];
                EXPECT_EQ(sent.fates, other.fates);
                ASSERT_EQ(sent.out.size(), other.out.size());
                for (std::size_t i = 0; i < sent.out.size(); ++i) {
                    EXPECT_EQ(sent.out[i], other.out[i]) << hex(sent.out[i].frame) << "\n" << hex(other.out[i].frame);
                    EXPECT_EQ(sent.out[i].slot, other.out[i].slot);
                }
            }
            if (burst == 32) {
                counters = edge.json();
            } else {
                EXPECT_EQ(edge.json(), counters);
            }
        }
    });
}

TEST(Property, Noise) {
    // Nothing but random octets, of every length.
    for_random_edges(10, [&](Random& random, const RandomEdge& random_edge) {
        Edge edge(random_edge.yaml);
        for (int i = 0; i < 60; ++i) {
            std::vector<Octets> frames(32);
            for (auto& frame : frames) {
                frame.resize(below(random, 120));
                for (auto& octet : frame) { octet = static_cast<std::uint8_t>(random()); }
                if (frame.size() > 1) { frame[0] = 2; }
            }
            const auto sent = edge.send_frames(edge.port_names()[below(random, 3)], frames);
            EXPECT_TRUE(sent.out.empty());
        }
    });
}

TEST(Property, BuffersOfEveryShape) {
    // Chains, little headroom and no memory: the fixture's checks are the test.
    for_random_edges(15, [&](Random& random, const RandomEdge& random_edge) {
        Edge edge(random_edge.yaml);
        for (int burst = 0; burst < 20; ++burst) {
            const auto input = random_input(random, random_edge, 16, 20);
            std::vector<Packet> packets;
            for (const auto& frame : input.frames) {
                packets.push_back(Packet()
                                      .raw(frame)
                                      .headroom(static_cast<unsigned>(below(random, 200)))
                                      .segments(one_in(random, 3) ? 1 + static_cast<unsigned>(below(random, 5)) : 1));
            }
            edge.starve = one_in(random, 4);
            edge.refuse = one_in(random, 4)
                              ? std::function<bool(const Output&)>([&](const Output&) { return one_in(random, 2); })
                              : nullptr;
            edge.now += below(random, 10'000'000);
            edge.send(input.port, packets);
        }
    });
}

}  // namespace
}  // namespace peerlane::test
