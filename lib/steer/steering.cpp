#include "lib/steer/steering.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/net/headers.hpp"

namespace peerlane::steer {
namespace {

constexpr std::array<std::string_view, STEER_VERDICTS> kNames{
    "to_peering", "to_address",    "to_arp",         "to_solicited_node", "untagged",  "unknown_vlan",
    "tagged",     "other_address", "other_protocol", "truncated",         "no_socket", "not_ready",
};

[[noreturn]] void failed(const std::string& what) {
    throw SteeringError(what + ": " + std::strerror(errno), kElse);
}

auto order(const steer_vlan& key) {
    return std::uint32_t{key.outer} << 16U | key.inner;
}
auto order(const steer_address& key) {
    return std::to_array(key.octets);
}

template <class Key>
bool before(const Key& a, const Key& b) {
    return order(a) < order(b);
}

template <class Key>
std::vector<Key> sorted(std::span<const Key> keys) {
    std::vector<Key> all(keys.begin(), keys.end());
    std::sort(all.begin(), all.end(), before<Key>);
    const auto same = [](const Key& a, const Key& b) { return order(a) == order(b); };
    all.erase(std::unique(all.begin(), all.end(), same), all.end());
    return all;
}

}  // namespace

std::string_view to_text(steer_verdict verdict) noexcept {
    return kNames[verdict];
}

steer_address key_of(const Ip6& address) noexcept {
    Be64 halves[2];
    halves[0].set(address.high);
    halves[1].set(address.low);
    steer_address key{};
    std::memcpy(key.octets, halves, sizeof(key.octets));
    return key;
}

template <class Key>
void KeySet<Key>::add(std::span<const Key> keys) {
    const __u32 present = 1;
    std::vector<Key> fresh;
    const auto wanted = sorted(keys);
    std::set_difference(wanted.begin(), wanted.end(), keys_.begin(), keys_.end(), std::back_inserter(fresh),
                        before<Key>);
    const auto old = keys_.size();
    for (const Key& key : fresh) {
        if (bpf_map_update_elem(map_.number(), &key, &present, BPF_ANY) != 0) {
            const int error = errno;
            std::inplace_merge(keys_.begin(), keys_.begin() + static_cast<std::ptrdiff_t>(old), keys_.end(),
                               before<Key>);
            errno = error;
            failed(std::string("the XDP program takes no more ") + what_);
        }
        keys_.push_back(key);
    }
    std::inplace_merge(keys_.begin(), keys_.begin() + static_cast<std::ptrdiff_t>(old), keys_.end(), before<Key>);
}

template <class Key>
void KeySet<Key>::keep(std::span<const Key> keys) {
    const auto wanted = sorted(keys);
    std::erase_if(keys_, [&](const Key& key) {
        if (std::binary_search(wanted.begin(), wanted.end(), key, before<Key>)) { return false; }
        return bpf_map_delete_elem(map_.number(), &key) == 0 || errno == ENOENT;
    });
}

template class KeySet<steer_vlan>;
template class KeySet<steer_address>;

Steering::Steering(const std::string& interface, std::span<const int> sockets)
    : interface_(interface), index_(if_nametoindex(interface.c_str())) {
    const auto now = attached(index_);
    if (!now || now->program == 0) { throw SteeringError("DPDK has attached no XDP program to " + interface, kElse); }
    find_program(now->program);
    attach_by_link();
    if (const auto linked = attached(index_)) { mode_ = linked->mode; }
    for (const int socket : sockets) {
        xdp_options options{};
        socklen_t length = sizeof(options);
        if (getsockopt(socket, SOL_XDP, XDP_OPTIONS, &options, &length) != 0) { continue; }
        // One queue that copies makes a port that copies.
        zero_copy_ = zero_copy_.value_or(true) && (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
    }
}

/// Among this process's own files, which takes no privilege; asking the kernel by number would take CAP_SYS_ADMIN.
void Steering::find_program(std::uint32_t id) {
    std::array<__u32, 16> maps{};
    __u32 map_count = 0;
    for (const int number : own_files("anon_inode:bpf-prog")) {
        bpf_prog_info info{};
        info.nr_map_ids = maps.size();
        info.map_ids = reinterpret_cast<std::uintptr_t>(maps.data());
        __u32 size = sizeof(info);
        if (bpf_obj_get_info_by_fd(number, &info, &size) != 0 || info.id != id) { continue; }
        program_ = another(number);
        map_count = std::min<__u32>(info.nr_map_ids, maps.size());
        break;
    }
    if (!program_) {
        throw SteeringError("the XDP program on " + interface_ + " (number " + std::to_string(id) +
                                ") is not the one that this edge has loaded",
                            "ip link set dev " + interface_ + " xdp off, or " + kElse);
    }
    for (const int number : own_files("anon_inode:bpf-map")) {
        bpf_map_info info{};
        __u32 size = sizeof(info);
        if (bpf_obj_get_info_by_fd(number, &info, &size) != 0) { continue; }
        if (std::find(maps.begin(), maps.begin() + map_count, info.id) == maps.begin() + map_count) { continue; }
        const std::string_view name(info.name);
        if (name == "vlans") { vlans_ = {another(number), "VLANs"}; }
        if (name == "addresses") { addresses_ = {another(number), "addresses"}; }
        if (name == "settings") { settings_ = another(number); }
        if (name == "verdicts") { verdicts_ = another(number); }
    }
    if (!settings_ || !verdicts_) {
        throw SteeringError("the maps of the XDP program on " + interface_ + " are not to be found", kElse);
    }
}

/// The same program by a bpf_link, which ends with this process; what netlink attached would stay, and block the next
/// start. Between the two everything passes to the kernel.
void Steering::attach_by_link() {
    bpf_xdp_attach_opts mine{};
    mine.sz = sizeof(mine);
    mine.old_prog_fd = program_.number();
    if (bpf_xdp_detach(static_cast<int>(index_), 0, &mine) != 0) { failed("the XDP program on " + interface_); }
    link_ = File(bpf_link_create(program_.number(), static_cast<int>(index_), BPF_XDP, nullptr));
    if (!link_) { failed("the XDP program cannot be linked to " + interface_); }
}

static_assert(ether::tpid_bit(0x8100) == STEER_TPID_8100 && ether::tpid_bit(0x88a8) == STEER_TPID_88A8 &&
              ether::tpid_bit(0x9100) == STEER_TPID_9100 && ether::tpid_bit(0x9200) == STEER_TPID_9200 &&
              ether::tpid_bit(0x9300) == STEER_TPID_9300);

void Steering::settle(const steer_settings& settings) {
    const __u32 first = 0;
    if (bpf_map_update_elem(settings_.number(), &first, &settings, BPF_ANY) != 0) { failed("the settings of XDP"); }
}

void Steering::receive(bool promiscuous) {
    members_ = File(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));  // protocol 0: it gets no frame
    if (!members_) { failed("a packet socket on " + interface_); }
    for (const std::uint16_t type : {std::uint16_t{PACKET_MR_ALLMULTI}, std::uint16_t{PACKET_MR_PROMISC}}) {
        if (type == PACKET_MR_PROMISC && !promiscuous) { continue; }
        packet_mreq request{};
        request.mr_ifindex = static_cast<int>(index_);
        request.mr_type = type;
        if (setsockopt(members_.number(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) != 0) {
            failed(interface_ + " does not receive every group's frames");
        }
    }
}

Verdicts Steering::verdicts() const {
    Verdicts sums{};
    const int processors = libbpf_num_possible_cpus();
    if (processors <= 0) { return sums; }
    std::vector<std::uint64_t> each(static_cast<std::size_t>(processors));
    for (__u32 verdict = 0; verdict < STEER_VERDICTS; ++verdict) {
        if (bpf_map_lookup_elem(verdicts_.number(), &verdict, each.data()) != 0) { continue; }
        for (const auto count : each) { sums[verdict] += count; }
    }
    return sums;
}

}  // namespace peerlane::steer
