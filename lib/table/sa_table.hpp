// Which security association a received ESP packet belongs to.
#pragma once

#include <cstdint>

#include "lib/table/identity_table.hpp"

namespace peerlane::table {

/// What finds an inbound SA (RFC 4303 §2.1). SPIs of one scope know nothing of another's; scope 0 is the core.
struct SaIdentity {
    std::uint32_t scope = 0;
    std::uint32_t spi = 0;  ///< host byte order; 0 is never on the wire (RFC 4303 §2.1)

    [[nodiscard, gnu::always_inline]] std::uint64_t hash(const Mix& mix) const noexcept {
        return mixed((std::uint64_t{scope} << 32U | spi) ^ mix[0], mix[1]);
    }
    [[nodiscard]] bool possible() const noexcept { return spi != 0; }
    static SaIdentity none() noexcept { return {.scope = 0xffff'ffff}; }
    bool operator==(const SaIdentity&) const noexcept = default;
};

template <class Payload>
using SaTable = IdentityTable<SaIdentity, Payload>;

}  // namespace peerlane::table
