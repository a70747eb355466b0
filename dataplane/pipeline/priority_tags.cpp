#include "dataplane/pipeline/priority_tags.hpp"

#include <cstring>

#include "dataplane/pipeline/device_marks.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {
namespace {

constexpr unsigned kTag = sizeof(ether::Tag);
constexpr unsigned kMostVlanTags = 2;

bool names_no_vlan(unsigned tci) noexcept {
    return (tci & 0xfffU) == 0;
}

}  // namespace

unsigned take_out_priority_tags(rte_mbuf& mbuf) noexcept {
    if (lost_tags(mbuf)) { return 0; }
    const bool beside = is_stripped(mbuf);
    const bool drop_beside = beside && names_no_vlan(mbuf.vlan_tci);
    unsigned count = drop_beside ? 1 : 0;
    unsigned vlans = beside && !drop_beside ? 1 : 0;
    auto* frame = rte_pktmbuf_mtod(&mbuf, std::uint8_t*);
    unsigned places[kMostPriorityTags]{};  // where the TPIDs are, outermost first
    unsigned found = 0;
    for (unsigned at = sizeof(ether::Header) - sizeof(Be16); at + kTag + sizeof(Be16) <= mbuf.data_len; at += kTag) {
        if (!ether::is_tpid(reinterpret_cast<const Be16*>(frame + at)->get())) { break; }
        if (names_no_vlan(reinterpret_cast<const Be16*>(frame + at + sizeof(Be16))->get())) {
            if (count == kMostPriorityTags) { return 0; }
            places[found++] = at;
            ++count;
        } else if (++vlans > kMostVlanTags) {
            break;
        }
    }
    if (drop_beside) { mbuf.ol_flags &= ~(RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED); }
    for (unsigned i = 0; i < found; ++i) {  // what is before a tag moves over it; inner ones stay where they are
        std::memmove(frame + kTag, frame, places[i] - i * kTag);
        rte_pktmbuf_adj(&mbuf, kTag);
        frame += kTag;
    }
    return count;
}

}  // namespace peerlane::dataplane
