// Output whose reader is slow, gone or full: who writes never waits, and what is lost is counted and told.
#include "dataplane/io/output_thread.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <regex>
#include <string>
#include <thread>

#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kLong{20'000};  // nothing takes as long

/// Waits for a condition; the bound is only there to end a test that fails.
template <class Condition>
bool comes(Condition condition) {
    for (int i = 0; i < 20'000; ++i) {
        if (condition()) { return true; }
        std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
}

struct Pipe {
    int ends[2] = {-1, -1};
    Pipe() { EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0); }
    ~Pipe() {
        close_reader();
        close(ends[1]);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    void close_reader() {
        if (ends[0] >= 0) { close(ends[0]); }
        ends[0] = -1;
    }
    [[nodiscard]] std::string read_some() const {
        char piece[65'536];
        const auto got = ::read(ends[0], piece, sizeof(piece));
        return {piece, got > 0 ? static_cast<std::size_t>(got) : 0};
    }
    /// Until the text ends so.
    [[nodiscard]] std::string read_to(std::string_view last) const {
        std::string all;
        while (!all.ends_with(last)) { all += read_some(); }
        return all;
    }
};

TEST(OutputThread, WritesLinesInOrder) {
    const Pipe pipe;
    OutputThread output(pipe.ends[1], 1000);
    std::string expected;
    for (int i = 0; i < 10; ++i) {
        const auto line = "line " + std::to_string(i) + '\n';
        EXPECT_TRUE(output.put(line));
        expected += line;
    }
    EXPECT_TRUE(output.drain(kLong));
    EXPECT_EQ(pipe.read_to("line 9\n"), expected);
    EXPECT_EQ(output.lost(), 0U);
}

/// Lines that the output says are lost, in all.
std::uint64_t told(const std::string& text) {
    std::uint64_t sum = 0;
    const std::regex notice("peerlane: ([0-9]+) lines of this output are lost: it was not read in time\n");
    for (std::sregex_iterator one(text.begin(), text.end(), notice), end; one != end; ++one) {
        sum += std::stoull((*one)[1]);
    }
    return sum;
}

TEST(OutputThread, AReaderThatStandsStillCostsLinesAndNoTime) {
    const Pipe pipe;
    OutputThread output(pipe.ends[1], 10'000);
    const std::string line = std::string(99, 'x') + '\n';
    std::uint64_t taken = 0;
    std::uint64_t refused = 0;
    const auto full = [&] {
        pollfd one{pipe.ends[1], POLLOUT, 0};
        return poll(&one, 1, 0) == 0;
    };
    do {  // first the pipe fills, then the room; once it is full, nothing moves
        ++(output.put(line) ? taken : refused);
    } while (!full() || output.lost() == 0);
    EXPECT_GT(output.lost(), 0U);
    std::string all;
    while (told(all) < refused) { all += pipe.read_some(); }
    EXPECT_EQ(told(all), refused);
    EXPECT_EQ(static_cast<std::uint64_t>(std::ranges::count(all, 'x')), taken * 99);
    EXPECT_TRUE(output.put(line));
    EXPECT_EQ(pipe.read_to(line), line);
    EXPECT_EQ(output.lost(), 0U);
}

TEST(OutputThread, AReaderThatHasGoneEndsNothing) {
    std::signal(SIGPIPE, SIG_DFL);  // the thread has it blocked
    Pipe pipe;
    OutputThread output(pipe.ends[1], 1000);
    pipe.close_reader();
    EXPECT_TRUE(output.put("one\n"));
    EXPECT_TRUE(output.put("two\nthree\n"));
    EXPECT_TRUE(output.drain(kLong));
    EXPECT_TRUE(comes([&] { return output.lost() == 3; }));
}

TEST(OutputThread, TellsWhatAFullDiskCostWhenThereIsRoom) {
    const peerlane::test::OwnDirectory own("output");
    const auto path = own.path() / "log";
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit full{10, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);  // SIGXFSZ would end the process
    {
        OutputThread output(file, 1000);
        EXPECT_TRUE(output.put("one\n"));
        EXPECT_TRUE(output.drain(kLong));
        EXPECT_TRUE(output.put("two\nthree\nfour\n"));  // "two\nth" fits
        EXPECT_TRUE(output.drain(kLong));
        EXPECT_TRUE(comes([&] { return output.lost() == 2; }));
        ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
        EXPECT_TRUE(comes([&] { return output.lost() == 0; })) << "it is told without a further line";
        EXPECT_TRUE(output.put("five\n"));
        EXPECT_TRUE(output.drain(kLong));
    }
    std::string text(1000, '\0');
    text.resize(static_cast<std::size_t>(pread(file, text.data(), text.size(), 0)));
    EXPECT_EQ(text,
              "one\ntwo\nth\npeerlane: 2 lines of this output are lost: it could not be written: File too large\n"
              "five\n");
    close(file);
}

TEST(OutputThread, WaitsWithAFileThatMayNotBeWaitedFor) {
    const Pipe pipe;
    fcntl(pipe.ends[1], F_SETFL, O_NONBLOCK);
    OutputThread output(pipe.ends[1], 1'000'000);
    std::string text;
    while (text.size() < 500'000) { text += "a line of a text that is longer than a pipe\n"; }
    EXPECT_TRUE(output.put(text + "end\n"));
    EXPECT_EQ(pipe.read_to("end\n"), text + "end\n");
}

TEST(OutputThread, EndsWhileItsThreadIsStuck) {
    const Pipe pipe;
    {
        OutputThread output(pipe.ends[1], 1'000'000);
        EXPECT_TRUE(output.put(std::string(500'000, 'x') + '\n'));
        EXPECT_FALSE(output.drain(milliseconds(1)));
    }
    SUCCEED();
}

}  // namespace
}  // namespace peerlane::dataplane
