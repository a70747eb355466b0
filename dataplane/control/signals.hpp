// Signals as a file that the control thread polls.
#pragma once

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
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
    /// The next one waiting, or 0.
    [[nodiscard]] int next() const noexcept {
        signalfd_siginfo info{};
        return ::read(file_, &info, sizeof(info)) == sizeof(info) ? static_cast<int>(info.ssi_signo) : 0;
    }

  private:
    int file_;
};

}  // namespace peerlane::dataplane
