// A fixed piece of other people's work, measured beside ours: if its cycles change, the machine did.
#pragma once

#include <cstdint>
#include <memory>

namespace peerlane::perf {

/// IPsec-MB seals 64 octets with AES-128-GCM by the direct call.
class Yardstick {
  public:
    Yardstick();
    ~Yardstick();
    void seal(unsigned times) noexcept;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace peerlane::perf
