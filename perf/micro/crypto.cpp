#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "lib/ipsec/crypto.hpp"
#include "lib/ipsec/locked_memory.hpp"
#include "perf/ipsec_mb.hpp"
#include "perf/micro/clock.hpp"
#include "perf/micro/micro.hpp"

namespace peerlane::perf {
namespace {

using namespace peerlane::ipsec;

constexpr std::size_t kPackets = 256;  // of one sample: short enough to be done between two interruptions
constexpr std::size_t kKeysDrawn = 8'192;
constexpr std::size_t kBurst = 32;
constexpr std::size_t kRoom = 2'112;

/// Packets in memory, which the caches hold, and the order in which keys come.
struct Packets {
    std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(kPackets * kRoom + 64);
    std::vector<std::uint32_t> length, drawn;
    std::size_t next = 0;

    /// `size` of the text before padding, or 0 for 64, 576 and 1420 octets at 7:4:1.
    Packets(EspSuite suite, std::uint32_t size, std::size_t keys) {
        std::mt19937_64 random(7);
        constexpr std::uint32_t kMixture[] = {64, 64, 64, 64, 64, 64, 64, 576, 576, 576, 576, 1'420};
        for (std::size_t i = 0; i < kPackets; ++i) {
            const auto octets = size != 0 ? size : kMixture[random() % 12];
            length.push_back(esp_sealed(suite, octets) - kEspHeader - row(suite).iv - row(suite).icv);
        }
        for (std::size_t i = 0; i < kKeysDrawn; ++i) { drawn.push_back(static_cast<std::uint32_t>(random() % keys)); }
    }
    std::uint8_t* text(std::size_t i) { return memory.data() + i * kRoom + 64; }
    std::uint32_t draw() { return drawn[next++ % kKeysDrawn]; }
};

/// The library alone; with CBC one or the other instruction set is the faster one.
void measure_bare(EspSuite suite, const std::string& name, Packets& packets, std::size_t keys, bool wide) {
    BareIpsec bare(suite, keys, wide);
    std::vector<BareJob> jobs;
    for (std::size_t i = 0; i < kPackets; ++i) { jobs.push_back({packets.text(i), packets.length[i], 0}); }
    const auto other_keys = [&] {
        for (auto& job : jobs) { job.key = packets.draw(); }
    };
    const std::string kind = wide ? ", bare" : ", bare AVX2";
    measure_after((name + kind + " seal").c_str(), kPackets, other_keys, [&] {
        for (std::size_t i = 0; i < kPackets; i += kBurst) { bare.seal({&jobs[i], kBurst}); }
    });
    measure_after((name + kind + " open").c_str(), kPackets, other_keys, [&] {
        for (std::size_t i = 0; i < kPackets; i += kBurst) { bare.open({&jobs[i], kBurst}); }
    });
}

void measure_crypto(EspSuite suite, std::uint32_t size, std::size_t keys) {
    Packets packets(suite, size, keys);
    const auto name = std::string(row(suite).name) + ", " + (size != 0 ? std::to_string(size) : "IMIX") + ", " +
                      std::to_string(keys) + (keys == 1 ? " key" : " keys");
    measure_bare(suite, name, packets, keys, true);
    if (!row(suite).counter_mode) { measure_bare(suite, name, packets, keys, false); }

    std::vector<std::shared_ptr<const Key>> sealing;
    std::vector<std::shared_ptr<const Key>> opening;
    std::vector<std::uint8_t> material(row(suite).material());
    for (std::size_t i = 0; i < keys; ++i) {
        std::copy_n(reinterpret_cast<const std::uint8_t*>(&i), sizeof(i), material.begin());
        sealing.push_back(make_key(suite, material, Way::seal));
        opening.push_back(make_key(suite, material, Way::open));
    }
    const std::array<std::uint8_t, 16> seed{};
    Engine engine(seed);
    std::vector<Job> jobs(kPackets);
    for (std::size_t i = 0; i < kPackets; ++i) {
        jobs[i].text = packets.text(i);
        jobs[i].length = packets.length[i];
        jobs[i].suite = suite;
    }
    std::vector<std::uint32_t> drawn(kPackets);
    const auto other_keys = [&] {
        for (std::size_t i = 0; i < kPackets; ++i) {
            drawn[i] = packets.draw();
            jobs[i].key = sealing[drawn[i]].get();
        }
    };
    measure_after((name + ", seal").c_str(), kPackets, other_keys, [&] {
        for (std::size_t i = 0; i < kPackets; i += kBurst) { engine.seal({&jobs[i], kBurst}); }
    });
    // What is not authentic costs an AEAD the same. CBC decrypts only what is: sealed anew each time, which leaves the
    // other keys in the caches too.
    const auto ready = [&] {
        other_keys();
        if (!row(suite).counter_mode) { engine.seal(jobs); }
        for (std::size_t i = 0; i < kPackets; ++i) { jobs[i].key = opening[drawn[i]].get(); }
    };
    measure_after((name + ", open").c_str(), kPackets, ready, [&] {
        for (std::size_t i = 0; i < kPackets; i += kBurst) { engine.open({&jobs[i], kBurst}); }
    });
    const auto authentic = [](const Job& job) { return job.authentic; };
    if (!row(suite).counter_mode && !std::all_of(jobs.begin(), jobs.end(), authentic)) {
        std::printf("not authentic\n");
    }
}

}  // namespace

void measure_crypto() {
    allow_unlocked();
    for (std::size_t suite = 0; suite < kEspSuites.size(); ++suite) {
        for (const std::uint32_t size : {64, 512, 1'420, 0}) {
            for (const std::size_t keys : {1, 16, 1'000, 4'000}) {
                measure_crypto(static_cast<EspSuite>(suite), size, keys);
            }
        }
    }
    const std::array<std::uint8_t, 16> seed{};
    Engine engine(seed);
    std::uint8_t iv[16];
    measure("IV of CBC", kPackets, [&] {
        for (std::size_t i = 0; i < kPackets; ++i) {
            engine.next_iv(iv);
            keep(iv[0]);
        }
    });
}

}  // namespace peerlane::perf
