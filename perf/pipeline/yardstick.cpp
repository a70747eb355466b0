#include "perf/pipeline/yardstick.hpp"

#include <intel-ipsec-mb.h>

#include <new>

namespace peerlane::perf {

struct Yardstick::Parts {
    IMB_MGR* manager = nullptr;
    alignas(64) gcm_key_data key{};
    alignas(64) gcm_context_data context{};
    alignas(64) std::uint8_t data[64]{}, nonce[12]{}, extra[8]{}, tag[16]{};
};

Yardstick::Yardstick() : parts_(std::make_unique<Parts>()) {
    parts_->manager = alloc_mb_mgr(0);
    if (parts_->manager == nullptr) { throw std::bad_alloc(); }
    init_mb_mgr_auto(parts_->manager, nullptr);
    alignas(64) const std::uint8_t key[16] = {1, 2, 3};
    IMB_AES128_GCM_PRE(parts_->manager, key, &parts_->key);
}

Yardstick::~Yardstick() {
    free_mb_mgr(parts_->manager);
}

void Yardstick::seal(unsigned times) noexcept {
    auto& p = *parts_;
    for (unsigned i = 0; i < times; ++i) {
        IMB_AES128_GCM_ENC(p.manager, &p.key, &p.context, p.data, p.data, sizeof(p.data), p.nonce, p.extra,
                           sizeof(p.extra), p.tag, sizeof(p.tag));
    }
}

}  // namespace peerlane::perf
