// A vector for the floor's tables: large ones lie in huge pages, where the kernel gives them.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace peerlane::perf {

/// Allocations of kHugeFrom bytes and more begin at a huge page, and the kernel is asked for such (madvise(2)); if it
/// has none to give, they are ordinary memory.
template <class T>
struct HugeAllocator {
    using value_type = T;
    static constexpr std::size_t kHugePage = std::size_t{2} << 20U;
    static constexpr std::size_t kHugeFrom = std::size_t{128} << 10U;

    HugeAllocator() = default;
    template <class U>
    explicit HugeAllocator(const HugeAllocator<U>& /*other*/) noexcept {}

    /// Throws std::bad_alloc.
    [[nodiscard]] T* allocate(std::size_t count) {
        const std::size_t bytes = count * sizeof(T);
        const bool huge = bytes >= kHugeFrom;
        const std::size_t alignment = huge                                     ? kHugePage
                                      : alignof(std::max_align_t) > alignof(T) ? alignof(std::max_align_t)
                                                                               : alignof(T);
        const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
        void* memory = std::aligned_alloc(alignment, rounded);
        if (memory == nullptr) { throw std::bad_alloc(); }
        if (huge) { madvise(memory, rounded, MADV_HUGEPAGE); }
        return static_cast<T*>(memory);
    }
    void deallocate(T* memory, std::size_t /*count*/) noexcept { std::free(memory); }
    bool operator==(const HugeAllocator&) const = default;
};

template <class T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace peerlane::perf
