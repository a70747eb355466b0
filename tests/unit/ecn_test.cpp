// ECN at the end of a tunnel, against the table of RFC 6040 Figure 4.
#include "lib/net/ecn.hpp"

#include <gtest/gtest.h>

namespace peerlane {
namespace ecn_test {

TEST(Ecn, Figure4) {
    enum : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3, drop = kEcnDrop };
    // Rows: the arriving inner header; columns: the outer one; both Not-ECT, ECT(0), ECT(1), CE.
    constexpr std::uint8_t order[] = {not_ect, ect0, ect1, ce};
    constexpr std::uint8_t figure[4][4] = {
        {not_ect, not_ect, not_ect, drop}, {ect0, ect0, ect1, ce}, {ect1, ect1, ect1, ce}, {ce, ce, ce, ce}};
    for (unsigned inner = 0; inner < 4; ++inner) {
        for (unsigned outer = 0; outer < 4; ++outer) {
            for (const unsigned dscp : {0U, 0xb8U, 0xfcU}) {
                EXPECT_EQ(ecn_decapsulate(static_cast<std::uint8_t>(dscp | order[inner]),
                                          static_cast<std::uint8_t>(0x28U | order[outer])),
                          figure[inner][outer]);
            }
        }
    }
}

TEST(Ecn, SettingItKeepsTheRest) {
    for (unsigned tos = 0; tos < 256; ++tos) {
        for (std::uint8_t ecn = 0; ecn < 4; ++ecn) {
            Ipv4 four{};
            four.version_ihl = 0x45;
            four.tos = static_cast<std::uint8_t>(tos);
            four.id.set(static_cast<std::uint16_t>(tos * 257));
            ipv4_set_checksum(four);
            set_ecn(four, ecn);
            EXPECT_EQ(four.tos, (tos & 0xfcU) | ecn);
            EXPECT_EQ(four.version_ihl, 0x45);
            EXPECT_TRUE(ipv4_checksum_ok(reinterpret_cast<const std::uint8_t*>(&four), 5));
            Ipv6 six{};
            six.version_class_flow.set(6U << 28U | tos << 20U | 0xabcdeU);
            set_ecn(six, ecn);
            EXPECT_EQ(six.version_class_flow.get(), 6U << 28U | ((tos & 0xfcU) | ecn) << 20U | 0xabcdeU);
        }
    }
}

}  // namespace ecn_test
}  // namespace peerlane
