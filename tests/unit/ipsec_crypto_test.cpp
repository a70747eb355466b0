// Sealing and opening against published packets and OpenSSL.
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <random>
#include <set>

#include "lib/ipsec/crypto.hpp"
#include "lib/ipsec/locked_memory.hpp"
#include "tests/unit/ipsec_packet.hpp"
#include "tests/unit/ipsec_vectors.hpp"

namespace peerlane::test {
namespace {

using namespace peerlane::ipsec;

constexpr std::uint64_t kSeed = 4'303;
constexpr std::array<std::uint8_t, 16> kIvSeed{1, 2, 3};
constexpr EspSuite kSuites[] = {EspSuite::aes_gcm_128, EspSuite::aes_gcm_256, EspSuite::aes_cbc_128_hmac_sha256_128,
                                EspSuite::aes_cbc_256_hmac_sha256_128, EspSuite::chacha20_poly1305};

[[maybe_unused]] const bool kAnyMemoryWillDo = [] {
    allow_unlocked();
    return true;
}();

Octets random_octets(std::mt19937_64& random, std::size_t count) {
    Octets octets(count);
    for (auto& octet : octets) { octet = static_cast<std::uint8_t>(random()); }
    return octets;
}

EspPacket random_packet(std::mt19937_64& random, EspSuite suite, std::size_t blocks, bool esn) {
    return {.suite = suite,
            .material = random_octets(random, row(suite).material()),
            .esn = esn,
            .sequence = esn ? random() : random() & 0xffff'ffffU,
            .spi = random_octets(random, 4),
            .iv = random_octets(random, row(suite).iv),
            .text = random_octets(random, blocks * row(suite).block)};
}

EspRoom room_to_seal(const EspPacket& packet) {
    return EspRoom::to_seal(packet, make_key(packet.suite, packet.material, Way::seal));
}
EspRoom room_to_open(const EspPacket& packet, const Octets& octets) {
    return {packet, make_key(packet.suite, packet.material, Way::open), octets};
}

/// The jobs of one burst; what they did is in the rooms.
void run(Engine& engine, std::vector<EspRoom>& rooms, Way way) {
    std::vector<Job> jobs;
    for (auto& room : rooms) { jobs.push_back(room.job()); }
    way == Way::seal ? engine.seal(jobs) : engine.open(jobs);
    for (std::size_t i = 0; i < rooms.size(); ++i) { rooms[i].job() = jobs[i]; }
}

void expect_sealed_and_opened(const EspPacket& packet, const Octets& sealed) {
    Engine engine(kIvSeed);
    auto sealing = room_to_seal(packet);
    engine.seal({&sealing.job(), 1});
    EXPECT_EQ(sealing.esp(), sealed);
    EXPECT_TRUE(sealing.untouched_around());
    auto opening = room_to_open(packet, sealed);
    engine.open({&opening.job(), 1});
    EXPECT_TRUE(opening.job().authentic);
    EXPECT_EQ(opening.text(), packet.text);
    EXPECT_TRUE(opening.untouched_around());
}

TEST(IpsecCrypto, PublishedAead) {
    for (const auto& vector : kAeadVectors) {
        SCOPED_TRACE(std::string(vector.source) + " " + vector.text);
        const auto aad = hex(vector.aad);
        EspPacket packet{.suite = vector.suite,
                         .material = hex(vector.material),
                         .esn = aad.size() == 12,
                         .sequence = 0,
                         .spi = {aad.begin(), aad.begin() + 4},
                         .iv = hex(vector.iv),
                         .text = hex(vector.text)};
        for (std::size_t i = 4; i < aad.size(); ++i) { packet.sequence = packet.sequence << 8U | aad[i]; }
        auto sealed = esp_front(packet, false);
        append(sealed, packet.iv);
        append(sealed, hex(vector.sealed));
        expect_sealed_and_opened(packet, sealed);
    }
}

TEST(IpsecCrypto, PublishedCbc) {
    for (const auto& vector : kCbcVectors) {
        SCOPED_TRACE(vector.source);
        const auto front = hex(vector.front);
        EspPacket packet{.suite = vector.suite,
                         .material = hex(vector.key),
                         .sequence = front[7],
                         .spi = {front.begin(), front.begin() + 4},
                         .iv = hex(vector.iv),
                         .text = hex(vector.text)};
        packet.material.resize(row(vector.suite).material(), 0x0b);
        auto expected = front;
        append(expected, packet.iv);
        append(expected, hex(vector.ciphertext));
        const auto sealed = seal_with_openssl(packet);
        EXPECT_EQ(Octets(sealed.begin(), sealed.end() - 16), expected);
        expect_sealed_and_opened(packet, sealed);
    }
}

TEST(IpsecCrypto, LikeOpensslAtEveryLength) {
    std::mt19937_64 random(kSeed);
    for (const auto suite : kSuites) {
        for (const bool esn : {false, true}) {
            Engine engine(kIvSeed);
            for (std::size_t blocks = 1; blocks < 1'536U / row(suite).block; blocks += blocks < 40 ? 1 : 7) {
                SCOPED_TRACE(std::string(row(suite).name) + " " + std::to_string(blocks));
                const auto packet = random_packet(random, suite, blocks, esn);
                const auto sealed = seal_with_openssl(packet);
                auto sealing = room_to_seal(packet);
                engine.seal({&sealing.job(), 1});
                ASSERT_EQ(sealing.esp(), sealed);
                ASSERT_TRUE(sealing.untouched_around());
                auto opening = room_to_open(packet, sealed);
                engine.open({&opening.job(), 1});
                ASSERT_TRUE(opening.job().authentic);
                ASSERT_EQ(opening.text(), packet.text);
                // Nothing but the text has changed, the received ICV least of all.
                auto open = opening.esp();
                std::copy_n(sealed.begin() + (kEspHeader + row(suite).iv), packet.text.size(),
                            open.begin() + (kEspHeader + row(suite).iv));
                ASSERT_EQ(open, sealed);
                ASSERT_TRUE(opening.untouched_around());
            }
        }
    }
}

TEST(IpsecCrypto, BurstsOfEverythingAtOnce) {
    std::mt19937_64 random(kSeed);
    Engine engine(kIvSeed);
    for (const std::size_t count : {0, 1, 2, 7, 8, 16, 17, 32, 33, 63, 64, 65, 128, 200}) {
        for (int mixture = 0; mixture < 6; ++mixture) {
            std::vector<EspPacket> packets;
            std::vector<EspRoom> sealing;
            std::vector<EspRoom> opening;
            std::vector<bool> broken;
            for (std::size_t i = 0; i < count; ++i) {
                // All suites, or one; all lengths, or one.
                const auto suite = kSuites[mixture < 5 ? static_cast<std::size_t>(mixture) : random() % 5];
                const auto length = i % 3 == 0 ? 64 : random() % 2 == 0 ? 1'424 : 16 + random() % 1'400;
                packets.push_back(random_packet(random, suite, length / row(suite).block, random() % 2 == 0));
                sealing.push_back(room_to_seal(packets.back()));
                auto sealed = seal_with_openssl(packets.back());
                broken.push_back(random() % 4 == 0);
                if (broken.back()) {
                    sealed[random() % sealed.size()] ^= static_cast<std::uint8_t>(1U << random() % 8);
                }
                opening.push_back(room_to_open(packets.back(), sealed));
            }
            run(engine, sealing, Way::seal);
            run(engine, opening, Way::open);
            for (std::size_t i = 0; i < count; ++i) {
                ASSERT_EQ(sealing[i].esp(), seal_with_openssl(packets[i]));
                ASSERT_TRUE(sealing[i].untouched_around());
                ASSERT_EQ(opening[i].job().authentic, !broken[i]);
                if (!broken[i]) { ASSERT_EQ(opening[i].text(), packets[i].text); }
                ASSERT_TRUE(opening[i].untouched_around());
            }
        }
    }
}

TEST(IpsecCrypto, EveryFlippedBitIsRefused) {
    std::mt19937_64 random(kSeed);
    for (const auto suite : kSuites) {
        for (const bool esn : {false, true}) {
            Engine engine(kIvSeed);
            const auto packet = random_packet(random, suite, 64U / row(suite).block, esn);
            const auto sealed = seal_with_openssl(packet);
            const auto key = make_key(suite, packet.material, Way::open);
            std::vector<EspRoom> rooms;
            for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
                auto flipped = sealed;
                flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
                rooms.emplace_back(packet, key, flipped);
            }
            rooms.emplace_back(packet, key, sealed);
            run(engine, rooms, Way::open);
            EXPECT_TRUE(rooms.back().job().authentic);
            rooms.pop_back();
            for (auto& room : rooms) { ASSERT_FALSE(room.job().authentic) << row(suite).name; }
        }
    }
}

TEST(IpsecCrypto, IcvKnowsTheEpoch) {
    std::mt19937_64 random(kSeed);
    for (const auto suite : kSuites) {
        Engine engine(kIvSeed);
        auto packet = random_packet(random, suite, 8, true);
        const auto sealed = seal_with_openssl(packet);
        const auto icv = Octets(sealed.end() - 16, sealed.end());
        const auto sent = packet.sequence;
        for (const std::uint64_t epoch : {std::uint64_t{1} << 32U, ~std::uint64_t{0} << 32U}) {
            packet.sequence += epoch;
            auto sealing = room_to_seal(packet);
            engine.seal({&sealing.job(), 1});
            const auto own = sealing.esp();
            EXPECT_EQ(Octets(own.end() - 16, own.end()) == icv, packet.sequence == sent);
            auto opening = room_to_open(packet, sealed);
            engine.open({&opening.job(), 1});
            EXPECT_EQ(opening.job().authentic, packet.sequence == sent);
            // The ICV as it was received, whatever became of it.
            const auto received = opening.esp();
            EXPECT_EQ(Octets(received.end() - 16, received.end()), icv);
        }
        // Without ESN the upper half counts for nothing.
        packet.esn = false;
        auto plain = room_to_seal(packet);
        engine.seal({&plain.job(), 1});
        packet.sequence += std::uint64_t{1} << 32U;
        auto other = room_to_seal(packet);
        engine.seal({&other.job(), 1});
        EXPECT_EQ(plain.esp(), other.esp());
    }
}

TEST(IpsecCrypto, Sha256IsFips180) {
    for (const std::size_t length : {0, 1, 3, 55, 56, 63, 64, 65, 1'000}) {
        const Octets message(length, 'a');
        std::array<std::uint8_t, 32> expected{};
        SHA256(message.data(), message.size(), expected.data());
        EXPECT_EQ(sha256(message), expected);
    }
    const auto abc = hex("616263");
    const auto digest = sha256(abc);
    EXPECT_EQ(Octets(digest.begin(), digest.end()),
              hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

TEST(IpsecCrypto, FingerprintIsOfTheCipherKey) {
    std::mt19937_64 random(kSeed);
    std::set<Fingerprint> prints;
    for (const auto suite : kSuites) {
        auto material = random_octets(random, row(suite).material());
        const auto print = fingerprint(suite, material);
        EXPECT_TRUE(prints.insert(print).second);
        material.back() ^= 1;  // salt or authentication key
        EXPECT_EQ(fingerprint(suite, material), print);
        material.front() ^= 1;
        EXPECT_NE(fingerprint(suite, material), print);
    }
    // The same key is the same key under any suite.
    const auto material = random_octets(random, 64);
    EXPECT_EQ(fingerprint(EspSuite::aes_gcm_256, std::span(material).first(36)),
              fingerprint(EspSuite::aes_cbc_256_hmac_sha256_128, material));
    EXPECT_NE(fingerprint(EspSuite::aes_gcm_256, std::span(material).first(36)),
              fingerprint(EspSuite::aes_gcm_128, std::span(material).first(20)));
}

TEST(IpsecCrypto, MaterialOfTheWrongLength) {
    for (const auto suite : kSuites) {
        for (const auto length :
             {std::size_t{0}, row(suite).material() - std::size_t{1}, row(suite).material() + 1UL}) {
            const Octets material(length);
            EXPECT_THROW(make_key(suite, material, Way::seal), std::invalid_argument);
            EXPECT_THROW(fingerprint(suite, material), std::invalid_argument);
        }
    }
}

TEST(IpsecCrypto, IvsComeFromTheSeedAndOnce) {
    Engine engine(kIvSeed);
    Engine same(kIvSeed);
    auto other_seed = kIvSeed;
    other_seed[15] ^= 1;
    Engine other(other_seed);
    std::set<std::array<std::uint8_t, 16>> seen;
    for (int i = 0; i < 10'000; ++i) {
        std::array<std::uint8_t, 16> iv{};
        std::array<std::uint8_t, 16> again{};
        std::array<std::uint8_t, 16> different{};
        engine.next_iv(iv.data());
        same.next_iv(again.data());
        other.next_iv(different.data());
        EXPECT_EQ(iv, again);
        EXPECT_TRUE(seen.insert(iv).second);
        EXPECT_TRUE(seen.insert(different).second);
    }
}

}  // namespace
}  // namespace peerlane::test
