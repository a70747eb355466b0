#include "dataplane/io/print.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {

void print(std::string_view text) {
    while (!text.empty()) {
        const auto done = ::write(STDOUT_FILENO, text.data(), text.size());
        if (done < 0 && errno == EINTR) { continue; }
        if (done < 0 && errno == EAGAIN) {
            pollfd one{STDOUT_FILENO, POLLOUT, 0};
            poll(&one, 1, -1);
            continue;
        }
        if (done <= 0) {
            throw Failure("standard output", std::string("cannot be written: ") + std::strerror(done < 0 ? errno : EIO),
                          "make room there, or send the output somewhere else");
        }
        text.remove_prefix(static_cast<std::size_t>(done));
    }
}

}  // namespace peerlane::dataplane
