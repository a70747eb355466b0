// The XDP program of a net_af_xdp port: the edge's own frames go to the AF_XDP socket of their receive queue,
// everything else goes on to the kernel as if the program were not there. It changes no frame and drops none.
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/steer/steer.h"

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, STEER_QUEUES);
    __type(key, __u32);
    __type(value, __u32);
} xsks_map SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, STEER_VLANS);
    __type(key, struct steer_vlan);
    __type(value, __u32);
} vlans SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, STEER_ADDRESSES);
    __type(key, struct steer_address);
    __type(value, __u32);
} addresses SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct steer_settings);
} settings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, STEER_VERDICTS);
    __type(key, __u32);
    __type(value, __u64);
} verdicts SEC(".maps");

#define ALWAYS static __attribute__((always_inline)) inline

enum {
    kEthernet = 14,
    kTag = 4,
    kVidMask = 0x0fff,
    kMostVlanTags = 2,
    kMostPriorityTags = 2,
    // From the start of the frame:
    kArpTypes = kEthernet,        // hardware and protocol type, their lengths: six octets (RFC 826)
    kArpTarget = kEthernet + 24,  // target protocol address
    kArpEnd = kEthernet + 28,
    kIp4Target = kEthernet + 16,  // RFC 791
    kIp4End = kEthernet + 20,
    kIp6Next = kEthernet + 6,  // RFC 8200
    kIp6Target = kEthernet + 24,
    kIp6End = kEthernet + 40,
    kNdTarget = kIp6End + 8,  // RFC 4861 section 4.3
    kNdEnd = kIp6End + 24,
    kIcmp6 = 58,
    kSolicitation = 135,
};

/// An octet, and numbers in memory order; the caller has compared with the end of the frame.
#define OCTET(frame, at) (*(const __u8*)((frame) + (at)))
#define WORD16(frame, at) (*(const __u16*)((frame) + (at)))
#define WORD32(frame, at) (*(const __u32*)((frame) + (at)))
#define WORD64(frame, at) (*(const __u64*)((frame) + (at)))

ALWAYS __u32 tpid_bit(__u16 type) {
    if (type == bpf_htons(ETH_P_8021Q)) { return STEER_TPID_8100; }
    if (type == bpf_htons(ETH_P_8021AD)) { return STEER_TPID_88A8; }
    if (type == bpf_htons(0x9100)) { return STEER_TPID_9100; }
    if (type == bpf_htons(0x9200)) { return STEER_TPID_9200; }
    return type == bpf_htons(0x9300) ? STEER_TPID_9300 : 0;
}

/// VID 0 names no VLAN (IEEE 802.1Q section 9.6): up to two such tags are passed over, wherever they are. Of the two
/// others each has to have a TPID that is accepted there. What is behind them is the edge's to judge.
ALWAYS enum steer_verdict access(const __u8* frame, const __u8* end, __u32 outer_tpids, __u32 inner_tpids) {
    struct steer_vlan key = {.outer = 0, .inner = 0};
    int priorities = 0;
#pragma unroll
    for (int tag = 0; tag < kMostVlanTags + kMostPriorityTags + 1; ++tag) {
        if (frame + kEthernet > end) { return STEER_TRUNCATED; }
        const __u16 type = WORD16(frame, 12);
        const __u32 tpid = tpid_bit(type);
        if (key.inner != 0 || !tpid) { break; }
        if (frame + kEthernet + kTag > end) { return STEER_TRUNCATED; }
        const __u16 vid = bpf_ntohs(WORD16(frame, 14)) & kVidMask;
        if (vid == 0) {
            if (++priorities > kMostPriorityTags) { return STEER_UNKNOWN_VLAN; }
        } else if (!(tpid & (key.outer == 0 ? outer_tpids : inner_tpids))) {
            break;
        } else if (key.outer == 0) {
            key.outer = vid;
        } else {
            key.inner = vid;
        }
        frame += kTag;
    }
    if (key.outer == 0) { return STEER_UNTAGGED; }
    return bpf_map_lookup_elem(&vlans, &key) ? STEER_TO_PEERING : STEER_UNKNOWN_VLAN;
}

ALWAYS int is_mine(const struct steer_address* address) {
    return bpf_map_lookup_elem(&addresses, address) != 0;
}

ALWAYS int is_mine4(__u32 address) {
    struct steer_address key __attribute__((aligned(8)));
    *(__u64*)&key.octets[0] = 0;
    *(__u32*)&key.octets[8] = bpf_htonl(0x0000ffff);
    *(__u32*)&key.octets[12] = address;
    return is_mine(&key);
}

/// A mapped address on the wire is nobody's.
ALWAYS int is_mine6(const __u8* address) {
    if (WORD64(address, 0) == 0 && WORD32(address, 8) == bpf_htonl(0x0000ffff)) { return 0; }
    struct steer_address key __attribute__((aligned(8)));
    *(__u64*)&key.octets[0] = WORD64(address, 0);
    *(__u64*)&key.octets[8] = WORD64(address, 8);
    return is_mine(&key);
}

/// ff02::1:ff00:0/104 (RFC 4291 section 2.7.1).
ALWAYS int is_solicited_node(const __u8* address) {
    return WORD64(address, 0) == bpf_cpu_to_be64(0xff02000000000000ull) &&
           (WORD64(address, 8) & bpf_cpu_to_be64(0xffffffffff000000ull)) == bpf_cpu_to_be64(0x00000001ff000000ull);
}

ALWAYS enum steer_verdict core6(const __u8* frame, const __u8* end) {
    if (frame + kIp6End > end) { return STEER_TRUNCATED; }
    if (is_mine6(frame + kIp6Target)) { return STEER_TO_ADDRESS; }
    if (OCTET(frame, kIp6Next) != kIcmp6 || !is_solicited_node(frame + kIp6Target)) { return STEER_OTHER_ADDRESS; }
    if (frame + kNdEnd > end) { return STEER_TRUNCATED; }
    if (OCTET(frame, kIp6End) != kSolicitation) { return STEER_OTHER_ADDRESS; }
    return is_mine6(frame + kNdTarget) ? STEER_TO_SOLICITED_NODE : STEER_OTHER_ADDRESS;
}

/// A frame with up to two priority tags is the one without them.
ALWAYS enum steer_verdict core(const __u8* frame, const __u8* end) {
#pragma unroll
    for (int tag = 0; tag < kMostPriorityTags; ++tag) {
        if (frame + kEthernet + kTag > end || !tpid_bit(WORD16(frame, 12))) { break; }
        if ((WORD16(frame, 14) & bpf_htons(kVidMask)) != 0) { break; }
        frame += kTag;
    }
    if (frame + kEthernet > end) { return STEER_TRUNCATED; }
    const __u16 type = WORD16(frame, 12);
    if (type == bpf_htons(ETH_P_IP)) {
        if (frame + kIp4End > end) { return STEER_TRUNCATED; }
        return is_mine4(WORD32(frame, kIp4Target)) ? STEER_TO_ADDRESS : STEER_OTHER_ADDRESS;
    }
    if (type == bpf_htons(ETH_P_IPV6)) { return core6(frame, end); }
    if (type == bpf_htons(ETH_P_ARP)) {
        if (frame + kArpEnd > end) { return STEER_TRUNCATED; }
        if (WORD32(frame, kArpTypes) != bpf_htonl(0x00010800) || WORD16(frame, kArpTypes + 4) != bpf_htons(0x0604)) {
            return STEER_OTHER_PROTOCOL;
        }
        return is_mine4(WORD32(frame, kArpTarget)) ? STEER_TO_ARP : STEER_OTHER_ADDRESS;
    }
    return tpid_bit(type) ? STEER_TAGGED : STEER_OTHER_PROTOCOL;
}

SEC("xdp")
int peerlane_steer(struct xdp_md* context) {
    const __u8* frame = (const __u8*)(long)context->data;
    const __u8* end = (const __u8*)(long)context->data_end;
    const __u32 zero = 0;
    const struct steer_settings* setting = bpf_map_lookup_elem(&settings, &zero);
    __u32 verdict = STEER_NOT_READY;
    if (setting && setting->role == STEER_ROLE_ACCESS) {
        verdict = access(frame, end, setting->outer_tpids, setting->inner_tpids);
    } else if (setting && setting->role == STEER_ROLE_CORE) {
        verdict = core(frame, end);
    }
    int action = XDP_PASS;
    if (verdict < STEER_PASSED) {
        action = (int)bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
        if (action != XDP_REDIRECT) { verdict = STEER_NO_SOCKET; }
    }
    __u64* count = bpf_map_lookup_elem(&verdicts, &verdict);
    if (count) { *count += 1; }  // this CPU's
    return action;
}

const char steer_license[] SEC("license") = "Apache-2.0";
