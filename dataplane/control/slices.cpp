#include "dataplane/control/slices.hpp"

#include <chrono>
#include <exception>
#include <memory>
#include <utility>

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

constexpr unsigned kThingsAtOnce = 64;                 // of the things that rows are about
constexpr std::chrono::microseconds kSliceTime{1000};  // of one slice; at least one thing's rows
constexpr unsigned kBeginAgain = 3;

/// Names come from files that may hold any bytes.
std::string dumped(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

class Slices {
  public:
    Slices(std::string_view what, std::function<Rows()> rows, std::function<std::uint64_t()> generation)
        : begin_(R"({"ok":true,")" + std::string(what) + "\":["),
          rows_of_(std::move(rows)),
          generation_of_(std::move(generation)) {}

    /// Appends the next slice; false: it was the last.
    bool add_to(std::string& text) {
        const auto now = generation_of_();
        if (!begun_ || now != generation_) {
            if (begun_ && ++again_ > kBeginAgain) {
                text = error_text("the configuration was reloaded several times meanwhile: ask again");
                return false;
            }
            begun_ = true;
            generation_ = now;
            rows_ = rows_of_();
            next_ = 0;
            text = begin_;
        }
        const auto end = std::chrono::steady_clock::now() + kSliceTime;
        for (unsigned i = 0; i < kThingsAtOnce && next_ < rows_.count; ++i, ++next_) {
            auto list = Json::array();
            rows_.add(next_, list);
            for (const auto& row : list) {
                if (text.back() != '[') { text += ','; }
                text += dumped(row);
            }
            if (i > 0 && std::chrono::steady_clock::now() >= end) {
                ++next_;
                break;
            }
        }
        if (next_ < rows_.count) { return true; }
        text += "]}";
        return false;
    }

  private:
    std::string begin_;
    std::function<Rows()> rows_of_;
    std::function<std::uint64_t()> generation_of_;
    Rows rows_;
    std::size_t next_ = 0;
    std::uint64_t generation_ = 0;
    unsigned again_ = 0;
    bool begun_ = false;
};

}  // namespace

std::string error_text(std::string_view what) {
    return dumped({{"ok", false}, {"error", what}});
}

Reply in_slices(std::string_view what, std::function<Rows()> rows, std::function<std::uint64_t()> generation) {
    const auto slices = std::make_shared<Slices>(what, std::move(rows), std::move(generation));
    const auto more = [slices](std::string& text) {
        try {
            return slices->add_to(text);
        } catch (const std::exception& failure) {
            text = error_text(failure.what());
            return false;
        }
    };
    Reply reply;
    if (more(reply.text)) { reply.more = more; }
    return reply;
}

}  // namespace peerlane::dataplane
