// A directory of one test's own, which goes with the test.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace peerlane::test {

class OwnDirectory {
  public:
    /// `name` begins its name. Throws std::system_error.
    explicit OwnDirectory(const std::string& name,
                          const std::filesystem::path& above = std::filesystem::temp_directory_path()) {
        // mkdtemp(3) puts letters of its own for the last six.
        auto pattern = (above / ("peerlane-" + name + '-')).string();
        pattern.append(6, 'X');
        if (mkdtemp(pattern.data()) == nullptr) { throw std::system_error(errno, std::generic_category(), pattern); }
        path_ = pattern;
    }
    ~OwnDirectory() {
        std::error_code none;
        std::filesystem::remove_all(path_, none);
    }
    OwnDirectory(const OwnDirectory&) = delete;
    OwnDirectory& operator=(const OwnDirectory&) = delete;
    OwnDirectory(OwnDirectory&&) = delete;
    OwnDirectory& operator=(OwnDirectory&&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace peerlane::test
