// Files of this process, by their numbers: one that closes itself, and those that a library opened and keeps to itself.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace peerlane::steer {

/// An open file, closed at the end; -1: none.
class File {
  public:
    File() = default;
    explicit File(int number) noexcept : number_(number) {}
    ~File() { reset(); }
    File(File&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    File& operator=(File&& other) noexcept {
        reset();
        number_ = std::exchange(other.number_, -1);
        return *this;
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    [[nodiscard]] int number() const noexcept { return number_; }
    explicit operator bool() const noexcept { return number_ >= 0; }
    void reset() noexcept;

  private:
    int number_ = -1;
};

/// A file of the same open file as `number`. Throws std::system_error.
File another(int number);

/// A file in memory with these octets, of which nothing is left when it is closed. Throws std::system_error.
File memory_file(const char* name, std::string_view octets);

/// What opens the same file by a path, in this process: /proc/self/fd/N.
std::string path_of(const File& file);

/// The numbers of this process's files whose link in /proc/self/fd begins with `kind`: "anon_inode:bpf-prog",
/// "anon_inode:bpf-map", "socket:".
std::vector<int> own_files(std::string_view kind);

/// The AF_XDP sockets of this process.
std::vector<int> own_xdp_sockets();

}  // namespace peerlane::steer
