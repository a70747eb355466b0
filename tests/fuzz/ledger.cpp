#include "tests/fuzz/ledger.hpp"

#include <algorithm>

#include "tests/fuzz/require.hpp"

namespace peerlane::fuzz {
namespace {

using namespace dataplane;

// The clock of a worker may be some cycles off.
constexpr __int128_t kSlack = __int128_t{2} * static_cast<__int128_t>(meter::kUnitsPerByte);

double bytes(__int128_t units) {
    return static_cast<double>(units) / static_cast<double>(meter::kUnitsPerByte);
}

/// All tokens there are at `now`: in the parent and in the hands of workers.
__int128_t level_of(const Life& life, const meter::SharedBucket& bucket, const meter::BucketRate& rate,
                    std::uint64_t hold, Nanoseconds now, ReservedArray<meter::Credit> WorkerState::* credits,
                    std::uint32_t cell) {
    __int128_t units = meter::settled(bucket.bucket, rate, now).level;
    for (const auto& worker : life.state.workers) {
        if (life.workers() > 1) { units += std::min(((*worker).*credits)[cell].units, hold * meter::kUnitsPerByte); }
    }
    return units;
}

}  // namespace

void Nonces::use(unsigned key, std::uint64_t first, std::uint64_t last) {
    auto& ranges = used_[key];
    auto next = ranges.upper_bound(last);
    if (next != ranges.begin()) {
        const auto before = std::prev(next);
        require(before->second < first, "key {}: IV {:#x} is used twice ({:#x} to {:#x} were used before)", key,
                std::max(first, before->first), before->first, before->second);
        if (before->second + 1 == first) {
            before->second = last;
            return;
        }
    }
    ranges.emplace(first, last);
}

void Buckets::pass(unsigned customer, Link link, Direction direction, unsigned length) {
    passed_[cell(customer, link, direction)].bytes += length + overhead(customer);
}

void Buckets::pass_own(unsigned customer, Link link, Direction direction, unsigned length) {
    // However it is accounted.
    passed_[cell(customer, link, direction)].own += length + 64;
}

void Buckets::compare(const std::string& what, std::map<Cell, Level>& known, Cell cell, const Reading& reading,
                      Nanoseconds now, bool reloaded) {
    const auto full = static_cast<__int128_t>(reading.size.burst) * static_cast<__int128_t>(meter::kUnitsPerByte);
    require(reading.units <= full + full / 8 + kSlack, "{}: {:.0f} bytes in a bucket of {}", what, bytes(reading.units),
            reading.size.burst);
    const auto before = known.find(cell);
    if (before != known.end()) {
        const auto& passed = passed_[cell];
        const auto unit = static_cast<__int128_t>(meter::kUnitsPerByte);
        const auto rate = std::max(before->second.rate, reading.size.rate);
        const auto brought = static_cast<__int128_t>(now - before->second.at) * static_cast<__int128_t>(rate);
        const auto most = before->second.units + brought - static_cast<__int128_t>(passed.bytes) * unit;
        require(reading.units <= most + kSlack,
                "{}: {:.0f} bytes, at most {:.0f} can be left: {:.0f} before, {:.0f} came with time, {} passed", what,
                bytes(reading.units), bytes(most), bytes(before->second.units), bytes(brought), passed.bytes);
        const auto least = before->second.units - static_cast<__int128_t>(passed.bytes + passed.own) * unit;
        require(reloaded || reading.units + kSlack >= least, "{}: {:.0f} bytes are left of {:.0f}, of which {} passed",
                what, bytes(reading.units), bytes(before->second.units), passed.bytes);
    }
    known[cell] = {reading.units, now, reading.size.rate};
}

void Buckets::check(const Life& life, Variant variant, Nanoseconds now, bool reloaded) {
    const auto& snapshot = life.snapshot();
    for (const auto& peering : snapshot.names.peerings) {
        const auto customer = static_cast<unsigned>(peering.customer.back() - '0');
        const auto own = peering_bucket(variant, customer);
        const auto size = circuit_bucket(variant, customer);
        for (const auto link : {Link::primary, Link::secondary}) {
            const auto index = peering.slot * kLinks + raw(link);
            const auto& attachment = snapshot.attachments[index];
            for (const auto direction : {Direction::to_cloud, Direction::to_customer}) {
                const auto what = [&](const char* of) {
                    return fmt::format("{} of c{}, {} link, {}", of, customer,
                                       link == Link::primary ? "primary" : "secondary",
                                       direction == Direction::to_cloud ? "to_cloud" : "to_customer");
                };
                const auto here = cell(customer, link, direction);
                const auto at = attachment.bucket + raw(direction);
                compare(what("circuit"), known_[0], here,
                        {level_of(life, life.state.circuit_buckets[at], attachment.rate, attachment.hold, now,
                                  &WorkerState::circuit_credits, at),
                         size},
                        now, reloaded);
                if (!own) {
                    known_[1].erase(here);
                    continue;
                }
                const auto& info = snapshot.peerings[peering.slot];
                const auto cell = circuit_cell(peering.slot, link, direction);
                compare(what("peering"), known_[1], here,
                        {level_of(life, life.state.peering_buckets[cell], info.rate, info.hold, now,
                                  &WorkerState::peering_credits, cell),
                         *own},
                        now, reloaded);
            }
        }
    }
    for (unsigned customer = 0; customer < kCustomers; ++customer) {
        if (variant.there(customer)) { continue; }
        for (const auto link : {Link::primary, Link::secondary}) {
            for (const auto direction : {Direction::to_cloud, Direction::to_customer}) {
                known_[0].erase(cell(customer, link, direction));
                known_[1].erase(cell(customer, link, direction));
            }
        }
    }
    passed_.clear();
}

}  // namespace peerlane::fuzz
