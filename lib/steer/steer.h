// What the XDP program and the edge say to each other: keys and values of the maps, and why a frame went where it went.
// C and C++; both sides check the layouts.
#ifndef PEERLANE_LIB_STEER_STEER_H
#define PEERLANE_LIB_STEER_STEER_H

#include <linux/types.h>

// Maps of the program, by name: `xsks_map` (receive queue -> AF_XDP socket; DPDK's driver fills it), `vlans`
// (steer_vlan -> 1), `addresses` (steer_address -> 1), `settings` (0 -> steer_settings), `verdicts` (steer_verdict ->
// frames, one count for each CPU).
enum {
    STEER_QUEUES = 256,     // receive queues of an interface
    STEER_VLANS = 1 << 18,  // peerings of one edge
    STEER_ADDRESSES = 1 << 16,
};

/// The tags of a configured peering, host byte order.
struct steer_vlan {
    __u16 outer;  // S-VID, or the only tag's VID; 1 .. 4094
    __u16 inner;  // C-VID; 0 for frames with one tag
};

/// An address of the edge in network byte order; IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2).
struct steer_address {
    __u8 octets[16];
};

enum steer_role {
    STEER_ROLE_NONE = 0,  // everything passes: the maps are not filled yet
    STEER_ROLE_ACCESS = 1,
    STEER_ROLE_CORE = 2,
};

/// TPIDs, as bits of a set; in the order of peerlane::ether::kTpids.
enum steer_tpid {
    STEER_TPID_8100 = 1,
    STEER_TPID_88A8 = 2,
    STEER_TPID_9100 = 4,
    STEER_TPID_9200 = 8,
    STEER_TPID_9300 = 16,
};

struct steer_settings {
    __u32 role;         // steer_role
    __u16 outer_tpids;  // access: of an outer or only tag, steer_tpid
    __u16 inner_tpids;
};

/// Where a frame went, and why. The first STEER_PASSED say that it went to the edge; the others, to the kernel.
enum steer_verdict {
    STEER_TO_PEERING,         // its tags are a configured peering
    STEER_TO_ADDRESS,         // IPv4 or IPv6 to one of the edge's addresses
    STEER_TO_ARP,             // ARP whose target is one of them
    STEER_TO_SOLICITED_NODE,  // neighbour solicitation for one of them, to its group
    STEER_PASSED,
    STEER_UNTAGGED = STEER_PASSED,  // access: no tag
    STEER_UNKNOWN_VLAN,             // access: tags of no peering
    STEER_TAGGED,                   // core: a tag
    STEER_OTHER_ADDRESS,            // core: IPv4, IPv6 or ARP, but not for the edge
    STEER_OTHER_PROTOCOL,           // core: neither of them
    STEER_TRUNCATED,                // ends before what would decide
    STEER_NO_SOCKET,                // the edge's, but nobody serves the queue it came by
    STEER_NOT_READY,                // before the edge has filled the maps
    STEER_VERDICTS
};

#ifdef __cplusplus
#define STEER_ASSERT static_assert
#else
#define STEER_ASSERT _Static_assert
#endif
STEER_ASSERT(sizeof(struct steer_vlan) == 4 && __builtin_offsetof(struct steer_vlan, inner) == 2,
             "no padding in a key");
STEER_ASSERT(sizeof(struct steer_address) == 16, "no padding in a key");
STEER_ASSERT(sizeof(struct steer_settings) == 8, "no padding in a value");
STEER_ASSERT(STEER_VERDICTS == 12, "names in steering.cpp, docs/counters.md");
#undef STEER_ASSERT

#endif
