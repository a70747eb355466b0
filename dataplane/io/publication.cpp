#include "dataplane/io/publication.hpp"

#include <ctime>
#include <new>

namespace peerlane::dataplane {
namespace {

void nap() {
    const timespec pause{0, 50'000};
    nanosleep(&pause, nullptr);
}

}  // namespace

Publication::Publication(unsigned workers) {
    const auto size = (rte_rcu_qsbr_get_memsize(workers) + 63U) & ~std::size_t{63};
    readers_.reset(static_cast<rte_rcu_qsbr*>(std::aligned_alloc(64, size)));
    if (!readers_ || rte_rcu_qsbr_init(readers_.get(), workers) != 0) { throw std::bad_alloc(); }
}

void Publication::publish(const Snapshot& next) {
    current_.store(&next, std::memory_order_release);
    const auto token = rte_rcu_qsbr_start(readers_.get());
    // A worker that sleeps counts as gone, so worker 0 may not have seen the snapshot yet when no one reads the old.
    while (rte_rcu_qsbr_check(readers_.get(), token, false) == 0 ||
           (settling_.load(std::memory_order_acquire) && settled_.load(std::memory_order_acquire) != &next)) {
        nap();
    }
}

void Publication::wait_for_quiet() const {
    const auto token = rte_rcu_qsbr_start(readers_.get());
    while (rte_rcu_qsbr_check(readers_.get(), token, false) == 0) { nap(); }
}

void Publication::wait_for_workers() const {
    while (settled_.load(std::memory_order_acquire) != current()) { nap(); }
}

void Publication::join(unsigned worker) noexcept {
    rte_rcu_qsbr_thread_register(readers_.get(), worker);
    rte_rcu_qsbr_thread_online(readers_.get(), worker);
    if (worker == 0) { settling_.store(true, std::memory_order_release); }
}

void Publication::leave(unsigned worker) noexcept {
    if (worker == 0) { settling_.store(false, std::memory_order_release); }
    rte_rcu_qsbr_thread_offline(readers_.get(), worker);
    rte_rcu_qsbr_thread_unregister(readers_.get(), worker);
}

void settle(const Snapshot& snapshot, State& state, Nanoseconds now) noexcept {
    for (const auto& change : snapshot.retunes) {
        const bool circuit = change.of == Snapshot::Retune::Of::circuit;
        auto& bucket = (circuit ? state.circuit_buckets : state.peering_buckets)[change.bucket];
        meter::retune(bucket, {change.from, 0}, {change.to, 0}, now);
    }
}

}  // namespace peerlane::dataplane
