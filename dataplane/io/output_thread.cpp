#include "dataplane/io/output_thread.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace peerlane::dataplane {
namespace {

constexpr std::size_t kPiece = 32'768;            // bytes of one write(2)
constexpr std::chrono::milliseconds kAgain{500};  // between two attempts to say that lines were lost

std::uint64_t lines_in(std::string_view text) noexcept {
    return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

/// No signal is for a thread that writes: neither SIGTERM, nor SIGPIPE and SIGXFSZ, which would end the process.
class SignalsBlocked {
  public:
    SignalsBlocked() noexcept {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

  private:
    sigset_t before_{};
};

}  // namespace

struct OutputThread::Core {
    Core(int to, std::size_t bytes) : file(to), room(bytes) { waiting.reserve(room); }

    const int file;
    const std::size_t room;
    std::mutex mutex;
    std::condition_variable wake;   // the thread
    std::condition_variable moved;  // drain()
    std::string waiting;            // lines not taken by the thread yet
    std::uint64_t dropped = 0;      // lines for which there was no room, behind `waiting`
    std::uint64_t unwritten = 0;    // lines that the file did not take, before `waiting`
    std::uint64_t written = 0;      // bytes, ever
    bool busy = false;              // the thread is at a batch
    bool ending = false;
    // The thread's own:
    int error = 0;     // of the last write that failed
    bool cut = false;  // it ended within a line

    void run();
    std::uint64_t write_batch(const std::string& batch, std::uint64_t before, std::uint64_t behind);
    std::size_t write_all(std::string_view text);
};

/// Returns how many bytes of it were written; where that is fewer than it has, `error` says why.
std::size_t OutputThread::Core::write_all(std::string_view text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const auto got = ::write(file, text.data() + done, std::min(text.size() - done, kPiece));
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0 && errno == EAGAIN) {  // somebody made the file non-blocking; this thread has time
            pollfd one{file, POLLOUT, 0};
            poll(&one, 1, -1);
            continue;
        }
        if (got <= 0) {
            error = got < 0 ? errno : EIO;
            break;
        }
        done += static_cast<std::size_t>(got);
        const std::lock_guard lock(mutex);
        written += static_cast<std::uint64_t>(got);
        moved.notify_all();
    }
    if (done > 0) { cut = text[done - 1] != '\n'; }
    return done;
}

/// `before` and `behind` lines were lost before and after the batch. Returns how many are lost and not told of now.
std::uint64_t OutputThread::Core::write_batch(const std::string& batch, std::uint64_t before, std::uint64_t behind) {
    const auto lines = lines_in(batch);
    if (before != 0) {
        const auto notice = fmt::format("{}peerlane: {} lines of this output are lost: it could not be written: {}\n",
                                        cut ? "\n" : "", before, std::strerror(error));
        if (write_all(notice) != notice.size()) { return before + lines + behind; }
    }
    if (const auto done = write_all(batch); done != batch.size()) {
        return lines - lines_in(std::string_view(batch).substr(0, done)) + behind;
    }
    if (behind == 0) { return 0; }
    const auto notice = fmt::format("peerlane: {} lines of this output are lost: it was not read in time\n", behind);
    return write_all(notice) == notice.size() ? 0 : behind;
}

void OutputThread::Core::run() {
    std::unique_lock lock(mutex);
    for (;;) {
        const auto something = [&] { return !waiting.empty() || dropped != 0 || ending; };
        if (unwritten == 0) {
            wake.wait(lock, something);
        } else {
            wake.wait_for(lock, kAgain, something);
        }
        if (ending) { return; }
        std::string batch;
        batch.swap(waiting);
        const auto behind = std::exchange(dropped, 0);
        const auto before = std::exchange(unwritten, 0);
        busy = true;
        lock.unlock();
        std::uint64_t failed = 0;
        try {
            failed = write_batch(batch, before, behind);
        } catch (const std::bad_alloc&) {
            error = ENOMEM;
            failed = before + lines_in(batch) + behind;
        }
        lock.lock();
        unwritten += failed;
        busy = false;
        moved.notify_all();
    }
}

OutputThread::OutputThread(int file, std::size_t room) : core_(std::make_shared<Core>(file, room)) {
    const SignalsBlocked blocked;
    std::thread thread([core = core_] { core->run(); });
    pthread_setname_np(thread.native_handle(), "output");
    thread.detach();  // it may be stuck in a write, and nobody waits for it then
}

OutputThread::~OutputThread() {
    const std::lock_guard lock(core_->mutex);
    core_->ending = true;
    core_->waiting.clear();
    core_->wake.notify_all();
}

bool OutputThread::put(std::string_view lines) noexcept {
    const std::lock_guard lock(core_->mutex);
    try {
        // Nothing overtakes what was lost, so that the count stands where the lines would.
        if (core_->dropped == 0 && core_->waiting.size() + lines.size() <= core_->room) {
            core_->waiting += lines;
            core_->wake.notify_one();
            return true;
        }
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): it is lost, as if there was no room
    }
    core_->dropped += std::max<std::uint64_t>(lines_in(lines), 1);
    core_->wake.notify_one();
    return false;
}

void OutputThread::lose() noexcept {
    const std::lock_guard lock(core_->mutex);
    ++core_->dropped;
    core_->wake.notify_one();
}

bool OutputThread::drain(std::chrono::milliseconds patience) const noexcept {
    std::unique_lock lock(core_->mutex);
    const auto done = [&] { return core_->waiting.empty() && core_->dropped == 0 && !core_->busy; };
    const auto end = std::chrono::steady_clock::now() + 10 * patience;
    while (!done() && std::chrono::steady_clock::now() < end) {
        const auto before = core_->written;
        if (!core_->moved.wait_for(lock, patience, [&] { return done() || core_->written != before; })) { break; }
    }
    return done();
}

std::uint64_t OutputThread::lost() const noexcept {
    const std::lock_guard lock(core_->mutex);
    return core_->dropped + core_->unwritten;
}

}  // namespace peerlane::dataplane
