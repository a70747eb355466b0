// An array that grows in place and never moves: its whole address range is reserved once, pages appear when they are
// first touched.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace peerlane {

/// Zero-filled, indexable from any thread at any time; capacity is fixed, memory is used only where it was written.
/// Element types are trivial, so that a page of zeroes is a page of valid elements.
template <class T>
class ReservedArray {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

  public:
    /// Throws std::bad_alloc if the address range cannot be reserved.
    explicit ReservedArray(std::size_t capacity) : capacity_(capacity) {
        void* memory =
            mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) { throw std::bad_alloc(); }
        madvise(memory, bytes(), MADV_HUGEPAGE);
        data_ = static_cast<T*>(memory);
    }
    ~ReservedArray() {
        if (data_ != nullptr) { munmap(data_, bytes()); }
    }
    ReservedArray(ReservedArray&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), capacity_(other.capacity_) {}
    ReservedArray(const ReservedArray&) = delete;
    ReservedArray& operator=(const ReservedArray&) = delete;
    ReservedArray& operator=(ReservedArray&&) = delete;

    [[nodiscard]] T* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    T& operator[](std::size_t index) const noexcept { return data_[index]; }

  private:
    [[nodiscard]] std::size_t bytes() const noexcept { return capacity_ * sizeof(T); }

    T* data_ = nullptr;
    std::size_t capacity_;
};

}  // namespace peerlane
