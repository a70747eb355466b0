// The main program of a fuzz target where libFuzzer is not linked: replays a corpus, then runs inputs that a mutator
// of its own makes from it. The same corpus, seed and number give the same inputs on every machine.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/require.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());
extern "C" [[gnu::weak]] void __sanitizer_set_report_fd(void* file);

namespace {

namespace fs = std::filesystem;
using peerlane::fuzz::errors;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kLongest = 4096;

// What is running: written to a file where it ends the process.
const Bytes* running = nullptr;
std::uint64_t executions = 0;  // of the mutator's inputs, before this one
std::string crash_file;

void keep_input() {
    if (running == nullptr) { return; }
    const int file = open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, running->data(), running->size()) < 0) { return; }
    close(file);
    dprintf(errors(), "after %llu executions; the input is in %s\n", static_cast<unsigned long long>(executions),
            crash_file.c_str());
    running = nullptr;
}
void on_signal(int signal) {
    keep_input();
    (void)std::signal(signal, SIG_DFL);
    (void)std::raise(signal);
}

void run(const Bytes& input) {
    running = &input;
    LLVMFuzzerTestOneInput(input.data(), input.size());
    running = nullptr;
}

Bytes read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// The same numbers with every standard library.
struct Random {
    std::mt19937_64 engine;
    std::uint64_t below(std::uint64_t count) { return engine() % count; }
    std::uint8_t byte() { return static_cast<std::uint8_t>(engine()); }
};

void mutate_once(Random& random, Bytes& input, const std::vector<Bytes>& corpus) {
    const auto at = [&] { return static_cast<std::ptrdiff_t>(random.below(input.size() + 1)); };
    switch (random.below(8)) {
        case 0:
            if (!input.empty()) {
                input[random.below(input.size())] ^= static_cast<std::uint8_t>(1U << random.below(8));
            }
            break;
        case 1:
        case 2:
            if (!input.empty()) { input[random.below(input.size())] = random.byte(); }
            break;
        case 3: {  // more of anything
            Bytes more(1 + random.below(16));
            for (auto& one : more) { one = random.byte(); }
            input.insert(input.begin() + at(), more.begin(), more.end());
            break;
        }
        case 4: {  // less
            const auto from = at();
            const auto left = static_cast<std::uint64_t>(static_cast<std::ptrdiff_t>(input.size()) - from);
            input.erase(input.begin() + from,
                        input.begin() + from +
                            static_cast<std::ptrdiff_t>(random.below(std::min<std::uint64_t>(left, 16) + 1)));
            break;
        }
        case 5: {  // twice
            const auto from = at();
            const auto left = static_cast<std::uint64_t>(static_cast<std::ptrdiff_t>(input.size()) - from);
            const Bytes part(input.begin() + from,
                             input.begin() + from +
                                 static_cast<std::ptrdiff_t>(random.below(std::min<std::uint64_t>(left, 32) + 1)));
            input.insert(input.begin() + at(), part.begin(), part.end());
            break;
        }
        case 6: {  // the end of another
            if (corpus.empty()) { break; }
            const auto& other = corpus[random.below(corpus.size())];
            input.resize(random.below(input.size() + 1));
            input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(random.below(other.size() + 1)),
                         other.end());
            break;
        }
        default:
            for (auto& one : input) {
                if (random.below(32) == 0) { one = random.byte(); }
            }
    }
}

Bytes make_input(Random& random, const std::vector<Bytes>& corpus) {
    Bytes input;
    if (corpus.empty() || random.below(4) == 0) {
        input.resize(random.below(320));
        for (auto& one : input) { one = random.byte(); }
        return input;
    }
    input = corpus[random.below(corpus.size())];
    for (auto times = 1 + random.below(6); times != 0; --times) { mutate_once(random, input, corpus); }
    if (input.size() > kLongest) { input.resize(kLongest); }
    return input;
}

struct Options {
    std::uint64_t executions = 0, seed = 1, seconds = 0;
    std::vector<fs::path> files;
};

/// What the product logs goes nowhere; what sanitizers say, where it was said before.
void silence_the_log() {
    if (__sanitizer_set_report_fd != nullptr) {
        __sanitizer_set_report_fd(reinterpret_cast<void*>(static_cast<std::intptr_t>(errors())));
    }
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) { dup2(nowhere, STDERR_FILENO); }
}

Options parse(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string name = arguments[i];
        std::uint64_t* value = name == "--executions" ? &options.executions
                               : name == "--seed"     ? &options.seed
                               : name == "--seconds"  ? &options.seconds
                                                      : nullptr;
        if (value != nullptr && i + 1 < count) {
            *value = std::strtoull(arguments[++i], nullptr, 0);
        } else if (fs::is_directory(name)) {
            for (const auto& entry : fs::directory_iterator(name)) { options.files.push_back(entry.path()); }
        } else if (fs::exists(name)) {
            options.files.emplace_back(name);
        } else {
            std::fprintf(stderr, "%s: no such file, directory or option\n", name.c_str());
            std::exit(2);
        }
    }
    std::sort(options.files.begin(), options.files.end());
    return options;
}

}  // namespace

int main(int count, char** arguments) {
    const auto options = parse(count, arguments);
    crash_file = "crash-" + fs::path(arguments[0]).filename().string();
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) { (void)std::signal(signal, on_signal); }
    if (__sanitizer_set_death_callback != nullptr) { __sanitizer_set_death_callback(keep_input); }
    silence_the_log();
    std::vector<Bytes> corpus;
    for (const auto& file : options.files) {
        corpus.push_back(read_file(file));
        run(corpus.back());
    }
    const auto start = std::chrono::steady_clock::now();
    const auto passed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
    Random random{std::mt19937_64(options.seed)};
    while (executions < options.executions ||
           (options.seconds != 0 && passed() < static_cast<double>(options.seconds))) {
        if (executions % 4096 == 0 && executions != 0) {
            dprintf(errors(), "%llu executions, %.0f s\n", static_cast<unsigned long long>(executions), passed());
        }
        run(make_input(random, corpus));
        ++executions;
    }
    std::printf("%zu files of the corpus and %llu executions in %.1f s\n", corpus.size(),
                static_cast<unsigned long long>(executions), passed());
    return 0;
}
