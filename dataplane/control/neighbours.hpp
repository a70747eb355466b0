// Who is next to the edge and what their MACs are: asking, learning, confirming, giving up (RFC 826, RFC 4861 §7.3),
// and answering when the edge's own addresses are asked for. Frames in, frames out, a clock as an input; knows no
// device.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

#include "dataplane/control/neighbour_frames.hpp"
#include "dataplane/io/told.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"
#include "lib/net/arp.hpp"
#include "lib/net/ndisc.hpp"

namespace peerlane::dataplane {

/// When what happens. Nanoseconds.
struct NeighbourTimes {
    Nanoseconds reachable = 30'000'000'000;  // from one confirmation to the question for the next (RFC 4861 §10)
    Nanoseconds retry = 1'000'000'000;       // between questions
    Nanoseconds again = 5'000'000'000;       // between questions to who did not answer
    // Of a pair: that it is lost is known within a second.
    Nanoseconds watched_reachable = 150'000'000, watched_retry = 150'000'000;
};
inline constexpr unsigned kQuestions = 3;          // unanswered, before the next step (RFC 4861 §10)
inline constexpr unsigned kQuestionsAtOnce = 504;  // of one tick, so that thousands of silent ones starve nobody
inline constexpr std::size_t kMostHeldByOne = 32;  // packets that wait for one customer's router

/// Control thread.
class Neighbours {
  public:
    enum class State : std::uint8_t {
        incomplete,   // asked for, not known yet; packets may wait
        reachable,    // known
        probe,        // known, asked whether it still holds: first itself, then everybody; used meanwhile
        unreachable,  // asked in vain; asked again now and then
        configured
    };
    struct Entry {
        NeighbourPlan plan;
        State state = State::incomplete;
        Mac mac;
        Nanoseconds confirmed = 0;  // when it last said so itself; 0: never
        Nanoseconds due = 0;        // the next question
        unsigned asked = 0;         // in this state
        bool answers = false;       // it has answered since it was last given up, and since its port came up
        std::uint64_t changes = 0;  // of its MAC
        std::vector<rte_mbuf*> held{};
        bool alive = false;  // packets can reach it, as far as is known
        bool known = false;  // it has answered or been given up, since it is one of the configuration's
        Told told{};         // of alive
    };
    struct Ways {
        /// A whole frame, out of a port.
        std::function<void(std::uint8_t port, std::span<const std::uint8_t> frame)> send;
        /// A packet that has waited goes back to its worker.
        std::function<void(rte_mbuf* packet)> release;
        /// A neighbour stopped answering or answers again, `changes` times since the last call for it (told.hpp).
        std::function<void(const Entry& entry, unsigned changes)> changed{};
    };
    /// Of messages on one port.
    struct Counts {
        std::uint64_t asked = 0;      // questions sent
        std::uint64_t answered = 0;   // questions for the edge's own addresses
        std::uint64_t learnt = 0;     // MACs, new or other ones
        std::uint64_t conflicts = 0;  // messages of somebody who claims an address of the edge
        std::uint64_t ignored = 0;    // wrong, or of nobody's concern
    };

    Neighbours(dataplane::State& state, Ways ways, const NeighbourTimes& times = {})
        : state_(state), ways_(std::move(ways)), times_(times) {}

    /// `snapshot` has been published. What stays is kept; who is new is asked for at the next tick.
    void adopt(const Snapshot& snapshot, Nanoseconds now);
    /// Questions that are due, and State::links_alive. `up` by port.
    void tick(const Snapshot& snapshot, const std::vector<bool>& up, Nanoseconds now);
    /// An ARP packet or a neighbour discovery message in a frame that came in by `port`; `attachment` is kNowhere on
    /// the core side. True if it was a question that has been answered: then it is for nobody else.
    bool receive(const Snapshot& snapshot, std::uint8_t port, std::uint32_t attachment,
                 std::span<const std::uint8_t> frame, Nanoseconds now);
    /// A packet waits for the neighbour with this word. Its owner is the callee.
    void hold(std::uint32_t word, rte_mbuf* packet);
    /// Everything that waits goes back.
    void release_all();

    [[nodiscard]] const std::vector<Entry>& all() const noexcept { return entries_; }
    [[nodiscard]] const Counts& counts(std::uint8_t port) const noexcept { return counts_[port]; }
    [[nodiscard]] std::size_t held() const noexcept { return held_; }

  private:
    using Where = std::tuple<std::uint8_t, std::uint32_t, Ip6>;  // port, attachment, address (IPv4 mapped)

    void ask(const Snapshot& snapshot, Entry& entry, bool everybody);
    [[nodiscard]] Towards towards(const Snapshot& snapshot, std::uint8_t port, std::uint32_t attachment, const Mac& mac,
                                  std::span<const std::uint8_t> answers = {}) const;
    void step(const Snapshot& snapshot, Entry& entry, Nanoseconds now);
    void learn(Entry& entry, const Mac& mac, bool answer, bool may_change, Nanoseconds now);
    void confirm(Entry& entry, Nanoseconds now);
    void publish(Entry& entry);
    void store(std::uint32_t index, std::uint64_t word);
    [[nodiscard]] bool has_room(const Entry& entry) const;
    void release(Entry& entry);
    void set_alive(const std::vector<bool>& up, Nanoseconds now);
    void tell(Entry& entry, Nanoseconds now);
    Entry* find(std::uint8_t port, std::uint32_t attachment, Ip6 address);
    bool receive_arp(const Snapshot& snapshot, std::uint8_t port, std::uint32_t attachment,
                     std::span<const std::uint8_t> frame, unsigned at, Nanoseconds now);
    bool receive_nd(const Snapshot& snapshot, std::uint8_t port, std::uint32_t attachment,
                    std::span<const std::uint8_t> frame, unsigned at, Nanoseconds now);

    dataplane::State& state_;
    Ways ways_;
    NeighbourTimes times_;
    std::vector<Entry> entries_;
    std::map<Where, std::size_t> by_address_;
    std::map<std::uint32_t, std::size_t> by_word_;
    std::vector<bool> up_;   // ports, at the last tick
    std::size_t first_ = 0;  // where the next tick begins to ask
    std::size_t held_ = 0;
    std::array<Counts, kMaxPorts> counts_{};
};

std::string_view to_text(Neighbours::State state) noexcept;

}  // namespace peerlane::dataplane
