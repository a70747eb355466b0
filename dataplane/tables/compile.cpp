#include "dataplane/tables/compile.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <unordered_map>

#include "config/derive.hpp"
#include "dataplane/tables/compile_neighbours.hpp"
#include "dataplane/tables/compile_parts.hpp"
#include "dataplane/tables/compile_sas.hpp"

namespace peerlane::dataplane {
namespace {

/// A worker may hold half of the quantum (lib/meter/shared_bucket.hpp).
struct SharedBy {
    meter::BucketRate rate;
    std::uint32_t hold;
};
SharedBy bucket_of(BitsPerSecond rate, Bytes burst, unsigned workers) {
    if (workers == 1) { return {meter::bucket_rate(rate, burst), 0}; }
    const auto quantum = meter::quantum(burst, workers);
    const auto shared = meter::shared_rate(rate, burst, workers, quantum);
    return {shared.parent, static_cast<std::uint32_t>(shared.hold / meter::kUnitsPerByte)};
}

/// A bucket that counts packets, one second's worth deep; 0 a second: it never has any.
meter::BucketRate packet_rate(std::uint64_t a_second) {
    return a_second == 0 ? meter::BucketRate{} : meter::bucket_rate(BitsPerSecond{a_second * 8}, Bytes{a_second});
}

class Compilation {
  public:
    Compilation(const config::Model& model, State& state, const Snapshot* previous, const CompileOptions& options)
        : model_(model),
          state_(state),
          previous_(previous),
          options_(options),
          snapshot_(std::make_unique<Snapshot>()),
          sas_(*snapshot_, state, previous, options.now),
          neighbours_(model, *snapshot_, state) {}

    std::unique_ptr<Snapshot> run() {
        if (model_.ports.size() > kMaxPorts) {
            throw std::length_error("more than " + std::to_string(kMaxPorts) + " ports in one edge");
        }
        for (auto* slots : {&state_.customers, &state_.circuits, &state_.peerings, &state_.tunnels, &state_.sas,
                            &state_.core_neighbours}) {
            slots->begin();
        }
        snapshot_->workers = static_cast<unsigned>(state_.workers.size());
        snapshot_->icmp_rate = packet_rate(model_.edge.icmp_errors_per_second);
        snapshot_->announcements = model_.edge.announcements;
        snapshot_->reply_rate = packet_rate(model_.edge.replies_per_second);
        neighbours_.begin();
        for (std::size_t i = 0; i < model_.ports.size(); ++i) { add_port(i); }
        vlans_.resize(model_.ports.size());
        for (const auto& customer : model_.customers) {
            for (const auto& circuit : customer.circuits) { add_circuit(customer, circuit); }
        }
        for (std::size_t i = 0; i < vlans_.size(); ++i) { snapshot_->ports[i].vlans = table::VlanTable(vlans_[i]); }
        neighbours_.finish();
        for (std::uint32_t i = 0; previous_ == nullptr && i < snapshot_->ports.size(); ++i) {
            fill_local_buckets(local_cell::core(i), snapshot_->ports[i].neighbour_rate);
        }
        sas_.finish();
        snapshot_->tunnel_table = table::TunnelTable<TunnelPayload>(tunnel_entries_);
        auto& local = snapshot_->local_addresses;
        for (auto& port : snapshot_->ports) {
            sort_out(port.own);
            local.insert(local.end(), port.own.begin(), port.own.end());
        }
        sort_out(local);
        return std::move(snapshot_);
    }

  private:
    static void sort_out(std::vector<Ip6>& addresses) {
        std::sort(addresses.begin(), addresses.end());
        addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    }

    /// A tunnel's end is an address of the edge on the port that serves it.
    void add_own(const IpAddress& local) {
        snapshot_->ports[config::core_port_of(model_, local).value_or(0)].own.push_back(mapped(local));
    }

    void add_port(std::size_t index) {
        const auto& port = model_.ports[index];
        PortInfo info;
        info.name = port.name;
        info.access = port.role == config::Role::access;
        info.mtu = port.mtu;
        info.tap = !port.tap.empty();
        set_tpids(port, info);
        snapshot_->hears_tpids |= info.hears_tpids;
        const bool live = !options_.device_macs.empty();
        const Mac documented{{2, 0, 0, 0, 0, static_cast<std::uint8_t>(index)}};
        info.mac_address = port.mac.value_or(live ? options_.device_macs[index] : documented);
        std::memcpy(&info.mac, info.mac_address.octets.data(), 6);
        info.mac_mask = live || port.mac ? 0xffff'ffff'ffffU : 0;
        info.has_gateway_mac = port.gateway_mac.has_value();
        info.gateway_mac = port.gateway_mac.value_or(Mac{});
        if (port.address) { info.own.push_back(mapped(IpAddress{port.address->address})); }
        if (port.address6) { info.own.push_back(port.address6->address); }
        neighbours_.add_gateways(index);
        snapshot_->ports.push_back(std::move(info));
    }

    void add_circuit(const config::Customer& customer, const config::Circuit& circuit) {
        const auto [slot, fresh] = state_.circuits.take(config::circuit_label(customer, circuit));
        grow(snapshot_->circuit_rates, slot * kLinks + 1);
        const auto bucket = bucket_of(circuit.bandwidth, circuit.burst, snapshot_->workers);
        const auto overhead = static_cast<std::uint16_t>(config::accounting_overhead(circuit));
        Names::Circuit names{customer.name, circuit.name, slot, {}, overhead, {}, config::accounting_shortest(circuit)};
        snapshot_->pads |= names.shortest != 0;
        if (fresh) { forget_circuit(slot); }
        for (const auto& end : circuit.links) {
            names.links.push_back(end.link);
            const auto at = slot * kLinks + raw(end.link);
            snapshot_->circuit_rates[at] = bucket.rate;
            const auto old = previous_ != nullptr && at < previous_->circuit_rates.size() && !fresh
                                 ? previous_->circuit_rates[at]
                                 : meter::BucketRate{};
            for (const auto way : {Direction::to_cloud, Direction::to_customer}) {
                const auto cell = circuit_cell(slot, end.link, way);
                set_bucket(state_.circuit_buckets[cell], Snapshot::Retune::Of::circuit, cell, old, bucket.rate);
            }
        }
        for (const auto& peering : circuit.peerings) {
            names.peerings.push_back(static_cast<std::uint32_t>(snapshot_->names.peerings.size()));
            add_peering(customer, circuit, peering, slot, bucket);
        }
        snapshot_->names.circuits.push_back(std::move(names));
    }

    void add_peering(const config::Customer& customer, const config::Circuit& circuit, const config::Peering& peering,
                     std::uint32_t circuit_slot, const SharedBy& bucket) {
        const std::string type(config::to_text(peering.type));
        const auto identity = config::circuit_label(customer, circuit) + '/' + type;
        const auto [slot, fresh] = state_.peerings.take(identity);
        grow(snapshot_->peerings, slot);
        grow(snapshot_->vrfs, slot);
        grow(snapshot_->attachments, slot * kLinks + 1);
        grow(snapshot_->exits, slot * kLinks + 1);
        const bool has_primary = std::any_of(circuit.links.begin(), circuit.links.end(),
                                             [](const auto& end) { return end.link == Link::primary; });
        const Link home = has_primary ? Link::primary : Link::secondary;
        if (fresh) {
            forget_peering(slot);
            // Until control knows otherwise.
            for (unsigned link = 0; link < kLinks; ++link) {
                state_.links_alive[slot * kLinks + link] = alive::kV4 | alive::kV6;
            }
        }

        Names::Peering names{customer.name,
                             circuit.name,
                             type,
                             slot,
                             {},
                             static_cast<std::uint16_t>(config::accounting_overhead(circuit)),
                             {}};
        for (const auto& end : circuit.links) { names.links.push_back(end.link); }
        std::vector<std::uint32_t> tunnel_slots;
        for (const auto& network : peering.virtual_networks) {
            tunnel_slots.push_back(take_tunnel(identity, network.tunnel));
            names.tunnels.push_back(tunnel_slots.back());
        }
        snapshot_->vrfs[slot] = compile_vrf(peering, slot, home, tunnel_slots, previous_);
        for (std::size_t i = 0; i < peering.virtual_networks.size(); ++i) {
            add_tunnel(names, peering.virtual_networks[i], tunnel_slots[i], slot, home);
        }
        add_peering_info(circuit, peering, slot, circuit_slot, home, fresh);
        snapshot_->peerings[slot].customer = state_.customers.take(customer.name).slot;
        for (const auto& end : circuit.links) { add_end(circuit, peering, end, slot, circuit_slot, bucket); }
        snapshot_->names.peerings.push_back(std::move(names));
    }

    void add_peering_info(const config::Circuit& circuit, const config::Peering& peering, std::uint32_t slot,
                          std::uint32_t circuit_slot, Link home, bool fresh) {
        PeeringInfo& info = snapshot_->peerings[slot];
        info.circuit = circuit_slot;
        info.home = home;
        for (const auto& link : peering.links) {
            auto& end = info.ends[raw(link.link)];
            end.present = true;
            end.has4 = link.subnet.has_value();
            end.has6 = link.subnet6.has_value();
            if (link.subnet) { end.edge4 = config::edge_address(*link.subnet); }
            if (link.subnet6) { end.edge6 = config::edge_address(*link.subnet6); }
        }
        if (fresh) {
            state_.peering_marks[slot] = ++state_.marks_given;
            state_.icmp_buckets[slot].bucket = meter::full_bucket(snapshot_->icmp_rate, options_.now);
            for (std::uint32_t link = 0; link < kLinks; ++link) {
                fill_local_buckets(slot * kLinks + link, snapshot_->neighbour_rate);
            }
        }
        info.mark = state_.peering_marks[slot];
        info.own_bucket = peering.bandwidth.has_value();
        if (!info.own_bucket) { return; }
        const auto bucket = bucket_of(*peering.bandwidth, peering.burst, snapshot_->workers);
        info.rate = bucket.rate;
        info.hold = bucket.hold;
        const PeeringInfo* before =
            previous_ != nullptr && slot < previous_->peerings.size() && !fresh ? &previous_->peerings[slot] : nullptr;
        for (const auto& end : circuit.links) {
            const bool had = before != nullptr && before->own_bucket && before->ends[raw(end.link)].present;
            const auto old = had ? before->rate : meter::BucketRate{};
            for (const auto way : {Direction::to_cloud, Direction::to_customer}) {
                const auto cell = circuit_cell(slot, end.link, way);
                set_bucket(state_.peering_buckets[cell], Snapshot::Retune::Of::peering, cell, old, info.rate);
            }
        }
    }

    void add_end(const config::Circuit& circuit, const config::Peering& peering, const config::CircuitLink& end,
                 std::uint32_t slot, std::uint32_t circuit_slot, const SharedBy& bucket) {
        const auto index = slot * kLinks + raw(end.link);
        const auto& vrf = *snapshot_->vrfs[slot];
        const auto overhead = static_cast<std::uint16_t>(config::accounting_overhead(circuit));
        const auto& port = model_.ports[end.port];

        Attachment& attachment = snapshot_->attachments[index];
        attachment.routes4 = vrf.routes4.get();
        attachment.routes6 = vrf.routes6.get();
        attachment.rate = bucket.rate;
        attachment.bucket = circuit_cell(circuit_slot, end.link, Direction::to_cloud);
        attachment.peering = slot;
        attachment.accept = route::accept_bit(end.link);
        attachment.hold = bucket.hold;
        attachment.overhead = overhead;
        attachment.shortest = static_cast<std::uint8_t>(config::accounting_shortest(circuit));
        attachment.port = static_cast<std::uint8_t>(end.port);
        attachment.own_bucket = peering.bandwidth.has_value();
        attachment.valid = true;

        Exit& exit = snapshot_->exits[index];
        exit.mtu = port.mtu;
        exit.overhead = overhead;
        exit.shortest = attachment.shortest;
        exit.port = attachment.port;
        exit.own_bucket = attachment.own_bucket;
        exit.rate = bucket.rate;
        exit.bucket = circuit_cell(circuit_slot, end.link, Direction::to_customer);
        compile_link_sources(peering, exit);
        neighbours_.add_customer(circuit, peering, end, index);
        compile_link_header(circuit, peering, port, snapshot_->ports[end.port], exit);

        const std::uint16_t outer = circuit.service_vlan.value_or(peering.vlan);
        const std::uint16_t inner = circuit.service_vlan ? peering.vlan : std::uint16_t{0};
        vlans_[end.port].push_back({outer, inner, index});
    }

    /// A tunnel that changes its peering is another tunnel: its counters are of whom it served.
    std::uint32_t take_tunnel(const std::string& peering, const config::Tunnel& tunnel) {
        const auto key = tunnel.key ? std::to_string(raw(*tunnel.key)) : std::string("none");
        const auto [slot, fresh] =
            state_.tunnels.take(peering + ' ' + to_string(tunnel.local) + ' ' + to_string(tunnel.remote) + ' ' + key);
        if (fresh) { forget_tallies(slot * 4, 4); }
        return slot;
    }

    void add_tunnel(const Names::Peering& peering, const config::VirtualNetwork& network, std::uint32_t slot,
                    std::uint32_t peering_slot, Link home) {
        const auto& tunnel = network.tunnel;
        grow(snapshot_->tunnels, slot);
        grow(snapshot_->tunnel_headers, slot);
        const auto port = config::core_port_of(model_, network).value_or(0);
        TunnelInfo& info = snapshot_->tunnels[slot];
        compile_tunnel(tunnel, model_.ports[port], snapshot_->ports[port], static_cast<std::uint8_t>(port), info,
                       snapshot_->tunnel_headers[slot]);
        info.neighbour = neighbours_.next_hop(port, config::outer_remote(network));
        info.attachment = peering_slot * kLinks + raw(home);
        info.mtu = static_cast<std::uint16_t>(config::largest_inner(network, model_.ports[port].mtu));
        const auto& vrf = *snapshot_->vrfs[peering_slot];
        const TunnelPayload payload{vrf.routes4.get(), vrf.routes6.get(), slot,
                                    tunnel.mss_clamp ? info.mtu : std::uint16_t{0}, 0};
        std::vector<std::uint32_t> sas{0};
        if (network.ipsec) {
            info.flags |= TunnelInfo::kProtected;
            const auto name = static_cast<std::uint32_t>(snapshot_->names.tunnels.size());
            sas = sas_.add(network, snapshot_->ports[port], slot, name);
            sas.push_back(kAnySa);
            add_own(network.ipsec->local);
        }
        for (const auto sa : sas) {
            tunnel_entries_.push_back({tunnel_identity(tunnel), payload});
            tunnel_entries_.back().identity.sa = sa & kAnySa;
        }
        add_own(tunnel.local);
        snapshot_->names.tunnels.push_back({peering.customer, peering.circuit, peering.type, network.name,
                                            to_string(tunnel.local), to_string(tunnel.remote), tunnel.key, slot,
                                            peering.links});
    }

    /// What `cell` (namespace local_cell) may hand to local delivery.
    void fill_local_buckets(std::size_t cell, const meter::BucketRate& neighbour_rate) {
        state_.punt_buckets[cell].bucket = meter::full_bucket(snapshot_->punt_rate, options_.now);
        state_.ask_buckets[cell].bucket = meter::full_bucket(snapshot_->ask_rate, options_.now);
        state_.neighbour_buckets[cell].bucket = meter::full_bucket(neighbour_rate, options_.now);
        state_.reply_buckets[cell].bucket = meter::full_bucket(snapshot_->reply_rate, options_.now);
    }

    /// New buckets begin full; one that changed is settled by worker 0 when it takes the snapshot up.
    template <class Of>
    void set_bucket(meter::SharedBucket& bucket, Of of, std::uint32_t cell, const meter::BucketRate& old,
                    const meter::BucketRate& rate) {
        if (old.rate == 0) {
            bucket.bucket = meter::full_bucket(rate, options_.now);
        } else if (old.rate != rate.rate || old.depth != rate.depth) {
            snapshot_->retunes.push_back({of, cell, old, rate});
        }
    }

    void forget_circuit(std::uint32_t slot) {
        for (auto& worker : state_.workers) {
            for (std::uint32_t cell = slot * 4; cell < slot * 4 + 4; ++cell) {
                worker->circuit_drops[cell] = {};
                worker->circuit_credits[cell] = {};
            }
        }
    }
    void forget_peering(std::uint32_t slot) {
        for (auto& worker : state_.workers) {
            for (unsigned i = 0; i < 4; ++i) {
                worker->peering_credits[slot * 4 + i] = {};
                worker->padding[slot * 4 + i] = 0;
            }
        }
        const auto first = tally::attachment(slot * kLinks, Direction::to_cloud);
        forget_tallies(first, kLinks * kDirections);
        for (unsigned i = 0; i < kLinks * kDirections; ++i) { state_.departed.erase(first + i); }
        for (unsigned i = slot * kLinks; i < (slot + 1) * kLinks; ++i) {
            state_.heard_tpids[i] = 0;
            for (auto& worker : state_.workers) { worker->tpid_mismatches[i] = 0; }
        }
    }
    void forget_tallies(std::uint32_t first, unsigned count) {
        for (auto& worker : state_.workers) {
            for (unsigned i = 0; i < count; ++i) { worker->tallies[first + i] = worker->fragments[first + i] = {}; }
        }
    }

    template <class Vector>
    static void grow(Vector& vector, std::size_t index) {
        if (vector.size() <= index) { vector.resize(index + 1); }
    }

    const config::Model& model_;
    State& state_;
    const Snapshot* previous_;
    const CompileOptions& options_;
    std::unique_ptr<Snapshot> snapshot_;
    SaCompiler sas_;
    NeighbourCompiler neighbours_;
    std::vector<std::vector<table::VlanTable::Entry>> vlans_;
    std::vector<table::TunnelTable<TunnelPayload>::Entry> tunnel_entries_;
};

}  // namespace

State::State(unsigned worker_count) {
    for (unsigned i = 0; i < worker_count; ++i) { workers.push_back(std::make_unique<WorkerState>()); }
    core_neighbours.begin();
    core_neighbours.take("nobody");  // slot 0: neighbour::kNobody
    core_neighbours.commit();
}

void keep_departed(const Snapshot& before, const Snapshot& after, State& state) {
    std::unordered_map<std::uint32_t, const Names::Peering*> now;
    for (const auto& peering : after.names.peerings) { now.emplace(peering.slot, &peering); }
    for (const auto& peering : before.names.peerings) {
        const auto found = now.find(peering.slot);
        if (found == now.end()) { continue; }
        const auto& kept = found->second->tunnels;
        for (const auto tunnel : peering.tunnels) {
            if (std::find(kept.begin(), kept.end(), tunnel) != kept.end()) { continue; }
            for (const auto link : peering.links) {
                for (const auto way : {Direction::to_cloud, Direction::to_customer}) {
                    Tally& sum = state.departed[tally::attachment(peering.slot * kLinks + raw(link), way)];
                    for (const auto& worker : state.workers) {
                        const Tally& one = worker->tallies[tally::tunnel(tunnel, link, way)];
                        sum.packets += read(one.packets);
                        sum.bytes += read(one.bytes);
                    }
                }
            }
        }
    }
}

std::unique_ptr<Snapshot> compile(const config::Model& model, State& state, const Snapshot* previous,
                                  const CompileOptions& options) {
    return Compilation(model, state, previous, options).run();
}

}  // namespace peerlane::dataplane
