// Signals as a file that the control thread polls.
#pragma once

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {

/// SIGTERM, SIGINT and SIGHUP as a file; every thread started later has them blocked. SIGPIPE and SIGXFSZ end nothing.
class Signals {
  public:
    Signals() {
        sigset_t set;
        sigemptyset(&set);
        for (const int signal : {SIGTERM, SIGINT, SIGHUP}) { sigaddset(&set, signal); }
        sigprocmask(SIG_BLOCK, &set, nullptr);
        std::signal(SIGPIPE, SIG_IGN);  // drivers write to peers that have gone
        std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error to be handled (setrlimit(2))
        file_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
        if (file_ < 0) { throw Failure("signals", std::strerror(errno), "allow more open files"); }
    }
    ~Signals() { close(file_); }
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    Signals(Signals&&) = delete;
    Signals& operator=(Signals&&) = delete;

    [[nodiscard]] int file() const noexcept { return file_; }
    struct Signal {
        int number = 0;  // 0: none is waiting
        std::uint32_t uid = 0;
        std::uint32_t pid = 0;  // 0: of the kernel, or of another namespace
    };
    /// The next one waiting, and who sent it.
    [[nodiscard]] Signal next() const noexcept {
        signalfd_siginfo info{};
        if (::read(file_, &info, sizeof(info)) != sizeof(info)) { return {}; }
        return {static_cast<int>(info.ssi_signo), info.ssi_uid, info.ssi_pid};
    }

  private:
    int file_;
};

}  // namespace peerlane::dataplane
