// A process of a test's own, to be killed.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <string>

namespace peerlane::test {

/// A forked process that does `deed(pipe)`, `pipe` being the end that it speaks into. Killed with its owner.
class Child {
  public:
    template <class Deed>
    explicit Child(Deed deed) {
        int ends[2];
        EXPECT_EQ(pipe(ends), 0);
        pid_ = fork();
        if (pid_ == 0) {
            close(ends[0]);
            deed(ends[1]);
            _exit(0);
        }
        close(ends[1]);
        from_ = ends[0];
    }
    ~Child() { kill(); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Waits for the next number from it; 0 at the end.
    [[nodiscard]] std::uint64_t hear() const {
        std::uint64_t number = 0;
        return ::read(from_, &number, sizeof(number)) == sizeof(number) ? number : 0;
    }
    /// All it says until it ends.
    [[nodiscard]] std::string hear_all() const {
        std::string all;
        char piece[512];
        for (;;) {
            const auto got = ::read(from_, piece, sizeof(piece));
            if (got <= 0) { return all; }
            all.append(piece, static_cast<std::size_t>(got));
        }
    }
    void kill() {
        if (pid_ < 0) { return; }
        ::kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        close(from_);
        pid_ = -1;
    }

  private:
    pid_t pid_ = -1;
    int from_ = -1;
};

/// Says a number into the pipe of a child.
inline void say(int pipe, std::uint64_t number) {
    if (::write(pipe, &number, sizeof(number)) != sizeof(number)) { _exit(1); }
}

}  // namespace peerlane::test
