// The XDP program's verdict on frames of every kind, and on random ones beside a plain reading of the rules.
#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>

#include "tests/unit/steer_case.hpp"
#include "tests/unit/steer_frames.hpp"

namespace peerlane::steer {
namespace {

constexpr std::uint32_t kEdge4 = 0xc000'0201;    // 192.0.2.1
constexpr std::uint32_t kKernel4 = 0xc000'0202;  // 192.0.2.2
constexpr Ip6 kMapped{0, 0xffff'0000'0000 | std::uint64_t{kEdge4}};
constexpr Ip6 kEdge6{0x2001'0db8'0000'0000, 0x0000'0000'0012'3456};
constexpr Ip6 kNear6{0x2001'0db8'0000'0000, 0x0000'0001'0012'3456};  // shares its group with the edge's
constexpr Ip6 kAll{0xff02'0000'0000'0000, 1};
constexpr std::uint16_t kTpids[] = {0x8100, 0x88a8, 0x9100};
constexpr std::uint16_t kTypes[] = {0x0800, 0x0806, 0x86dd, 0x88cc, 0x002e};
constexpr std::pair<std::uint16_t, std::uint16_t> kVlans[] = {{100, 10}, {100, 11}, {200, 0}, {4094, 4094}};

struct Access : testing::Test {
    Access() {
        program.settle(STEER_ROLE_ACCESS);
        for (const auto& [outer, inner] : kVlans) { program.vlan(outer, inner); }
    }
    Program program;
};

struct Core : testing::Test {
    Core() {
        program.settle(STEER_ROLE_CORE);
        program.address(kMapped);
        program.address(kEdge6);
    }
    Program program;
};

void expect(Program& program, const Frame& frame, steer_verdict verdict, const char* what) {
    const auto result = program.run(frame);
    EXPECT_EQ(result.verdict, static_cast<int>(verdict)) << what;
    EXPECT_EQ(result.redirected, verdict < STEER_PASSED) << what;
}

void add_tag(Frame& frame, std::uint16_t tpid, std::uint16_t tci) {
    const std::uint8_t tag[] = {static_cast<std::uint8_t>(tpid >> 8U), static_cast<std::uint8_t>(tpid),
                                static_cast<std::uint8_t>(tci >> 8U), static_cast<std::uint8_t>(tci)};
    frame.insert(frame.begin() + 12, std::begin(tag), std::end(tag));
}

TEST_F(Access, TwoTags) {
    for (const auto tpid : kTpids) {
        expect(program, ethernet({{tpid, 100}, {0x8100, 10}}, 0x0800), STEER_TO_PEERING, "a peering");
    }
    expect(program, ethernet({{0x88a8, 0xf000 | 100}, {0x8100, 0x7000 | 11}}, 0x0806), STEER_TO_PEERING, "PCP and DEI");
    expect(program, ethernet({{0x88a8, 4094}, {0x8100, 4094}}, 0x86dd), STEER_TO_PEERING, "the last VIDs");
    expect(program, ethernet({{0x88a8, 100}, {0x8100, 12}}, 0x0800), STEER_UNKNOWN_VLAN, "another C-VID");
    expect(program, ethernet({{0x88a8, 101}, {0x8100, 10}}, 0x0800), STEER_UNKNOWN_VLAN, "another S-VID");
    expect(program, ethernet({{0x88a8, 10}, {0x8100, 100}}, 0x0800), STEER_UNKNOWN_VLAN, "the wrong way round");
    expect(program, ethernet({{0x88a8, 100}, {0x88a8, 10}}, 0x0800), STEER_UNKNOWN_VLAN, "the inner TPID of an S-TAG");
    expect(program, ethernet({{0x8100, 0}, {0x88a8, 100}, {0x8100, 10}}, 0x0800), STEER_TO_PEERING, "VID 0 before");
    expect(program, ethernet({{0x88a8, 100}, {0x8100, 0}, {0x8100, 10}}, 0x0800), STEER_TO_PEERING, "VID 0 between");
    expect(program, ethernet({{0x88a8, 100}, {0x8100, 10}, {0x8100, 0}}, 0x0800), STEER_TO_PEERING, "VID 0 behind");
    expect(program, ethernet({{0x8100, 0}, {0x88a8, 100}, {0x8100, 0}, {0x8100, 10}}, 0x0800), STEER_TO_PEERING, "two");
    expect(program, ethernet({{0x8100, 0}, {0x8100, 0}, {0x8100, 0}, {0x88a8, 100}, {0x8100, 10}}, 0x0800),
           STEER_UNKNOWN_VLAN, "three");
    expect(program, ethernet({{0x88a8, 0}, {0x8100, 10}}, 0x0800), STEER_UNKNOWN_VLAN, "a C-VID alone");
    expect(program, ethernet({{0x9200, 100}, {0x8100, 10}}, 0x0800), STEER_UNTAGGED, "a TPID that is none");
    program.settle(STEER_ROLE_ACCESS, STEER_TPID_8100 | STEER_TPID_9200, STEER_TPID_8100 | STEER_TPID_88A8);
    expect(program, ethernet({{0x9200, 100}, {0x8100, 10}}, 0x0800), STEER_TO_PEERING, "a further TPID");
    expect(program, ethernet({{0x8100, 100}, {0x88a8, 10}}, 0x0800), STEER_TO_PEERING, "a further one inside");
    expect(program, ethernet({{0x9100, 100}, {0x8100, 10}}, 0x0800), STEER_UNTAGGED, "one that is not accepted");
    expect(program, ethernet({{0x9300, 100}, {0x8100, 10}}, 0x0800), STEER_UNTAGGED, "one that is not accepted");
    expect(program, ethernet({{0x9200, 200}}, 0x0800), STEER_TO_PEERING, "alone");
}

TEST_F(Access, OneTagOrNone) {
    for (const auto tpid : kTpids) {
        expect(program, ethernet({{tpid, 200}}, 0x0800), STEER_TO_PEERING, "a peering");
        expect(program, ethernet({{tpid, 100}}, 0x0800), STEER_UNKNOWN_VLAN, "an S-VID alone");
        expect(program, ethernet({{tpid, 0}}, 0x0800), STEER_UNTAGGED, "a priority tag");
        expect(program, ethernet({{tpid, 0}, {tpid, 200}}, 0x0800), STEER_TO_PEERING, "behind a priority tag");
        expect(program, ethernet({{tpid, 200}, {tpid, 0}}, 0x0800), STEER_TO_PEERING, "before one");
    }
    expect(program, ethernet({{0x8100, 200}, {0x8100, 5}}, 0x0800), STEER_UNKNOWN_VLAN, "a second tag");
    expect(program, ethernet({{0x8100, 200}}, 0x88cc), STEER_TO_PEERING, "whatever is in it");
    for (const auto type : kTypes) { expect(program, ethernet({}, type), STEER_UNTAGGED, "no tag"); }
    expect(program, arp(1, kKernel4, kEdge4), STEER_UNTAGGED, "core addresses are nothing here");
}

TEST_F(Access, CutShort) {
    const auto two = ethernet({{0x88a8, 100}, {0x8100, 10}}, 0x0800, 64);
    const auto one = ethernet({{0x8100, 200}}, 0x0800, 64);
    for (std::size_t length = 14; length < 24; ++length) {
        expect(program, Frame(two.begin(), two.begin() + static_cast<std::ptrdiff_t>(length)),
               length < 22 ? STEER_TRUNCATED : STEER_TO_PEERING, "two tags");
        expect(program, Frame(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(length)),
               length < 18 ? STEER_TRUNCATED : STEER_TO_PEERING, "one tag");
    }
    expect(program, ethernet({}, 0x0800, 14), STEER_UNTAGGED, "nothing but Ethernet");
}

TEST_F(Core, InternetProtocol) {
    expect(program, ip4(kEdge4), STEER_TO_ADDRESS, "the edge's");
    expect(program, ip4(kKernel4), STEER_OTHER_ADDRESS, "the kernel's");
    expect(program, ip4(0xe000'0005), STEER_OTHER_ADDRESS, "a group");
    expect(program, ip4(0xffff'ffff), STEER_OTHER_ADDRESS, "broadcast");
    expect(program, ip6(kEdge6, 47), STEER_TO_ADDRESS, "the edge's, GRE");
    expect(program, ip6(kEdge6, 58), STEER_TO_ADDRESS, "the edge's, ICMPv6");
    expect(program, ip6(kNear6, 47), STEER_OTHER_ADDRESS, "the kernel's");
    expect(program, ip6(kAll, 58), STEER_OTHER_ADDRESS, "all nodes");
    expect(program, ip6(kMapped, 47), STEER_OTHER_ADDRESS, "::ffff:192.0.2.1 on the wire is nobody's");
    for (std::size_t length = 14; length < 60; ++length) {
        auto four = ip4(kEdge4);
        auto six = ip6(kEdge6, 47);
        four.resize(length);
        six.resize(length);
        expect(program, four, length < 34 ? STEER_TRUNCATED : STEER_TO_ADDRESS, "IPv4 cut short");
        expect(program, six, length < 54 ? STEER_TRUNCATED : STEER_TO_ADDRESS, "IPv6 cut short");
    }
}

TEST_F(Core, PriorityTags) {
    for (const auto tpid : kTpids) {
        for (auto [frame, verdict] : {std::pair{ip4(kEdge4), STEER_TO_ADDRESS},
                                      {ip4(kKernel4), STEER_OTHER_ADDRESS},
                                      {ip6(kEdge6, 47), STEER_TO_ADDRESS},
                                      {arp(1, kKernel4, kEdge4), STEER_TO_ARP}}) {
            for (unsigned tags = 1; tags <= 3; ++tags) {
                add_tag(frame, tpid, 0xe000);
                expect(program, frame, tags <= 2 ? verdict : STEER_TAGGED, "VID 0");
            }
        }
        auto vlan = ip4(kEdge4);
        add_tag(vlan, tpid, 1);
        expect(program, vlan, STEER_TAGGED, "a VLAN");
    }
}

TEST_F(Core, AddressResolution) {
    for (const unsigned operation : {1U, 2U}) {
        expect(program, arp(operation, kKernel4, kEdge4), STEER_TO_ARP, "for the edge");
        expect(program, arp(operation, kEdge4, kKernel4), STEER_OTHER_ADDRESS, "for the kernel");
        expect(program, arp(operation, kKernel4, kKernel4), STEER_OTHER_ADDRESS, "gratuitous");
    }
    expect(program, arp(1, 0, kEdge4), STEER_TO_ARP, "a probe");
    for (std::size_t octet = 14; octet < 20; ++octet) {
        auto frame = arp(1, kKernel4, kEdge4);
        frame[octet] ^= 0x40U;
        expect(program, frame, STEER_OTHER_PROTOCOL, "ARP of another kind");
    }
    for (std::size_t length = 14; length < 60; ++length) {
        auto frame = arp(1, kKernel4, kEdge4);
        frame.resize(length);
        expect(program, frame, length < 42 ? STEER_TRUNCATED : STEER_TO_ARP, "cut short");
    }
}

TEST_F(Core, NeighbourDiscovery) {
    const auto group = solicited_node(kEdge6);
    ASSERT_EQ(group, solicited_node(kNear6));
    expect(program, discovery(135, group, kEdge6), STEER_TO_SOLICITED_NODE, "for the edge");
    expect(program, discovery(135, kEdge6, kEdge6), STEER_TO_ADDRESS, "a probe of the edge");
    expect(program, discovery(136, kEdge6, kNear6), STEER_TO_ADDRESS, "an answer to the edge");
    expect(program, discovery(135, group, kNear6), STEER_OTHER_ADDRESS, "for the kernel, in the same group");
    expect(program, discovery(135, kNear6, kEdge6), STEER_OTHER_ADDRESS, "sent to the kernel");
    expect(program, discovery(136, kAll, kNear6), STEER_OTHER_ADDRESS, "unsolicited");
    expect(program, discovery(136, group, kEdge6), STEER_OTHER_ADDRESS, "an answer to a group");
    expect(program, discovery(135, kAll, kEdge6), STEER_OTHER_ADDRESS, "not its group");
    auto other = discovery(135, group, kEdge6);
    other[20] = 17;
    expect(program, other, STEER_OTHER_ADDRESS, "not ICMPv6");
    for (std::size_t length = 54; length < 78; ++length) {
        auto frame = discovery(135, group, kEdge6);
        frame.resize(length);
        expect(program, frame, STEER_TRUNCATED, "cut short");
    }
}

TEST_F(Core, AnythingElse) {
    expect(program, ethernet({}, 0x88cc), STEER_OTHER_PROTOCOL, "LLDP");
    expect(program, ethernet({}, 0x0026), STEER_OTHER_PROTOCOL, "LLC");
    for (const auto tpid : kTpids) {
        expect(program, ethernet({{tpid, 100}}, 0x0800), STEER_TAGGED, "a VLAN of the kernel's");
    }
}

TEST(Steer, WithoutASocketTheKernelGetsIt) {
    Program program;
    program.settle(STEER_ROLE_ACCESS);
    program.vlan(100, 10);
    const auto frame = ethernet({{0x88a8, 100}, {0x8100, 10}}, 0x0800);
    program.serve(false);
    expect(program, frame, STEER_NO_SOCKET, "no socket");
    expect(program, ethernet({}, 0x0800), STEER_UNTAGGED, "no socket needed");
    program.serve(true);
    expect(program, frame, STEER_TO_PEERING, "a socket");
}

TEST(Steer, NothingIsTheEdgesBeforeItSaysSo) {
    Program program;
    program.vlan(100, 10);
    program.address(kMapped);
    expect(program, ethernet({{0x88a8, 100}, {0x8100, 10}}, 0x0800), STEER_NOT_READY, "access");
    expect(program, ip4(kEdge4), STEER_NOT_READY, "core");
}

/// The rules once more, one octet at a time.
class Model {
  public:
    explicit Model(const Frame& frame) : frame_(frame) {}

    steer_verdict access() const {
        std::vector<std::uint64_t> vids;
        unsigned priorities = 0;
        for (std::size_t at = 12; vids.size() < 2 && tpid(at); at += 4) {
            if (frame_.size() < at + 6) { return STEER_TRUNCATED; }
            const auto vid = number(at + 2, 2) % 4096;
            if (vid == 0) {
                if (++priorities == 3) { return STEER_UNKNOWN_VLAN; }
                continue;
            }
            if (number(at, 2) != 0x8100 && (!vids.empty() || number(at, 2) > 0x9100)) { break; }
            vids.push_back(vid);
        }
        if (vids.empty()) { return STEER_UNTAGGED; }
        const auto outer = vids[0];
        const auto inner = vids.size() == 2 ? vids[1] : 0;
        const bool known =
            std::ranges::any_of(kVlans, [&](const auto& vlan) { return vlan.first == outer && vlan.second == inner; });
        return known ? STEER_TO_PEERING : STEER_UNKNOWN_VLAN;
    }

    /// As if the first two priority tags were not there.
    steer_verdict core() const {
        Frame bare = frame_;
        for (unsigned i = 0; i < 2 && Model(bare).is_priority(); ++i) {
            bare.erase(bare.begin() + 12, bare.begin() + 16);
        }
        return Model(bare).untagged();
    }

  private:
    [[nodiscard]] bool is_priority() const { return tpid(12) && frame_.size() >= 18 && number(14, 2) % 4096 == 0; }
    steer_verdict untagged() const {
        switch (number(12, 2)) {
            case 0x0800:
                if (frame_.size() < 34) { return STEER_TRUNCATED; }
                return number(30, 4) == kEdge4 ? STEER_TO_ADDRESS : STEER_OTHER_ADDRESS;
            case 0x0806:
                if (frame_.size() < 42) { return STEER_TRUNCATED; }
                if (number(14, 6) != 0x0001'0800'0604) { return STEER_OTHER_PROTOCOL; }
                return number(38, 4) == kEdge4 ? STEER_TO_ARP : STEER_OTHER_ADDRESS;
            case 0x86dd:
                return core6();
            default:
                return tpid(12) ? STEER_TAGGED : STEER_OTHER_PROTOCOL;
        }
    }

    steer_verdict core6() const {
        if (frame_.size() < 54) { return STEER_TRUNCATED; }
        const Ip6 target = address(38);
        if (target == kEdge6) { return STEER_TO_ADDRESS; }
        const bool group = target.high == 0xff02'0000'0000'0000 && target.low >> 24U == 0x1ff;
        if (number(20, 1) != 58 || !group) { return STEER_OTHER_ADDRESS; }
        if (frame_.size() < 78) { return STEER_TRUNCATED; }
        return number(54, 1) == 135 && address(62) == kEdge6 ? STEER_TO_SOLICITED_NODE : STEER_OTHER_ADDRESS;
    }
    [[nodiscard]] bool tpid(std::size_t at) const {
        const auto type = number(at, 2);
        return type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200 || type == 0x9300;
    }
    [[nodiscard]] std::uint64_t number(std::size_t at, std::size_t octets) const {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < octets; ++i) { value = value * 256 + frame_.at(at + i); }
        return value;
    }
    [[nodiscard]] Ip6 address(std::size_t at) const { return {number(at, 8), number(at + 8, 8)}; }

    const Frame& frame_;
};

/// A frame near what matters: one of the kinds above, some octets changed, cut or lengthened.
Frame random_frame(std::mt19937_64& random) {
    const auto any = [&](std::uint64_t below) { return random() % below; };
    const auto tag = [&] {
        constexpr std::uint16_t kOuter[] = {0x8100, 0x88a8, 0x9100, 0x8100, 0x0800};
        constexpr std::uint16_t kVids[] = {100, 10, 11, 200, 4094, 0, 4095, 12};
        return std::pair<std::uint16_t, std::uint16_t>{kOuter[any(5)],
                                                       static_cast<std::uint16_t>(kVids[any(8)] | any(16) << 12U)};
    };
    const auto address = [&] {
        const Ip6 all[] = {kEdge6, kNear6, kMapped, kAll, solicited_node(kEdge6)};
        return all[any(5)];
    };
    const auto four = [&] { return any(2) == 0 ? kEdge4 : kKernel4; };
    Frame frame;
    switch (any(7)) {
        case 0:
            frame = ethernet({}, static_cast<std::uint16_t>(any(65'536)));
            break;
        case 1:
            frame = ethernet({tag()}, 0x0800);
            break;
        case 2:
            frame = ethernet({tag(), tag()}, 0x0800);
            if (any(2) == 0) { frame = ethernet({tag(), tag(), tag(), tag()}, 0x0800); }
            break;
        case 3:
            frame = ip4(four());
            break;
        case 4:
            frame = arp(static_cast<unsigned>(1 + any(2)), four(), four());
            break;
        case 5:
            frame = ip6(address(), any(2) == 0 ? 58 : 47);
            break;
        default:
            frame = discovery(static_cast<std::uint8_t>(133 + any(4)), address(), address());
            break;
    }
    for (auto tags = any(8); tags < 3; ++tags) { add_tag(frame, 0x8100, static_cast<std::uint16_t>(any(16) << 12U)); }
    for (auto changes = any(3); changes > 0; --changes) {
        frame[any(frame.size())] ^= static_cast<std::uint8_t>(1U << any(8));
    }
    if (any(4) == 0) { frame.resize(14 + any(100)); }
    return frame;
}

TEST(Steer, AgreesWithAPlainReadingOfTheRules) {
    const char* given = std::getenv("PEERLANE_SEED");
    const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    const char* rounds = std::getenv("PEERLANE_ROUNDS");
    SCOPED_TRACE("PEERLANE_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    Program access;
    access.settle(STEER_ROLE_ACCESS);
    for (const auto& [outer, inner] : kVlans) { access.vlan(outer, inner); }
    Program core;
    core.settle(STEER_ROLE_CORE);
    core.address(kMapped);
    core.address(kEdge6);
    std::set<int> seen;
    const auto count = rounds != nullptr ? std::strtoul(rounds, nullptr, 10) : 20'000UL;
    for (unsigned long i = 0; i < count && !HasFailure(); ++i) {
        const auto frame = random_frame(random);
        expect(access, frame, Model(frame).access(), "access");
        expect(core, frame, Model(frame).core(), "core");
        seen.insert({Model(frame).access(), Model(frame).core()});
    }
    EXPECT_EQ(seen.size(), std::size_t{STEER_VERDICTS} - 2) << "all but no_socket and not_ready are met";
}

}  // namespace
}  // namespace peerlane::steer
