#include "config/load.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "config/derive.hpp"
#include "config/fields.hpp"
#include "config/include.hpp"
#include "config/key_material.hpp"
#include "config/loader.hpp"
#include "config/report.hpp"
#include "config/validate.hpp"
#include "config/yaml_tree.hpp"

namespace peerlane::config {
namespace {

namespace fs = std::filesystem;

// Forty times ten thousand circuits; more than this is a mistake, such as a device instead of a file.
constexpr std::size_t kMaxFileSize = 256UL << 20U;

constexpr int kPipePatience = 5000;  // milliseconds for a pipe to say something

struct OpenFile {
    int number;
    ~OpenFile() {
        if (number >= 0) close(number);
    }
};

/// The text of the file, or why it cannot be read. A pipe may be one, but none that nobody writes to: a running edge
/// that reads its configuration again must not wait for ever. No copy of a key is left in a buffer of a library's.
std::expected<WipedText, std::string> read_file(const fs::path& path) {
    const OpenFile file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    if (file.number < 0) return std::unexpected(std::strerror(errno));
    WipedText text;
    constexpr std::size_t kBlock = 1U << 16U;
    for (std::size_t size = 0;;) {
        text.resize(size + kBlock);
        const auto got = read(file.number, text.data() + size, kBlock);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) {
            pollfd one{file.number, POLLIN, 0};
            if (poll(&one, 1, kPipePatience) == 0) return std::unexpected("nobody writes to this pipe");
            continue;
        }
        if (got < 0) return std::unexpected(std::strerror(errno));
        size += static_cast<std::size_t>(got);
        if (size > kMaxFileSize) return std::unexpected("it is larger than 256 MiB");
        if (got == 0) {
            text.resize(size);
            return text;
        }
    }
}

struct Run {
    Loaded& loaded;
    Sources sources{};
    Report report{loaded.model.files};
};

Tree& begin_file(Run& run, const fs::path& name) {
    Tree& tree = run.sources.trees.emplace_back();
    tree.file = static_cast<std::uint32_t>(run.loaded.model.files.size());
    run.loaded.model.files.push_back(name.string());
    return tree;
}

/// Nothing but comments: customers that were commented out. A file without even that may have lost what it had.
bool is_commented_out(std::string_view text) {
    bool comment = false;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        const auto first = line.find_first_not_of(" \t\r");
        if (first != std::string_view::npos && line[first] != '#') return false;
        comment |= first != std::string_view::npos;
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return comment;
}

/// Reads one file's text into the model; false: there is nothing in it to validate.
bool load_tree(Run& run, Tree& tree, std::string_view text, const Mapping& mapping) {
    if (!read_yaml(text, tree, run.report)) return false;
    const Cursor root{&tree, 0};
    if (root.kind() != Kind::mapping) {
        run.report.error(root.place(), "the file is no mapping",
                         "write KEY: VALUE lines, beginning with `ports:` or `customers:`");
        return false;
    }
    load_mapping(mapping, &run.loaded.model, tree, root, run.loaded.model, run.report);
    return true;
}

bool load_included(Run& run, const fs::path& path, Place from) {
    const auto text = read_file(path);
    if (!text) {
        run.report.error(from, fmt::format("include: {} cannot be read: {}", in_quotes(path.string()), text.error()),
                         "correct the path, or remove it");
        return false;
    }
    Tree& tree = begin_file(run, path);
    return is_commented_out(*text) || load_tree(run, tree, *text, included_mapping());
}

bool load_includes(Run& run) {
    const fs::path main = run.loaded.model.files.front();
    const Cursor include = Cursor{&run.sources.trees.front(), 0}.find("include");
    std::vector<std::pair<std::string, Place>> patterns;
    if (include && include.kind() == Kind::scalar) patterns.emplace_back(include.text(), include.place());
    for (Cursor item = include.first(); include && item; item = item.next())
        if (item.kind() == Kind::scalar) patterns.emplace_back(item.text(), item.place());

    bool all = true;
    std::error_code ignored;
    std::vector<fs::path> done{fs::weakly_canonical(main, ignored)};
    for (const auto& [pattern, place] : patterns) {
        const auto files = matching_files(main.parent_path(), pattern);
        if (files.empty())
            run.report.warning(place, fmt::format("include: nothing matches {}", in_quotes(pattern)),
                               "correct the pattern, or remove it");
        for (const fs::path& file : files) {
            const fs::path canonical = fs::weakly_canonical(file, ignored);
            if (canonical == done.front()) {
                run.report.error(place, fmt::format("include: {} takes in this file itself", in_quotes(pattern)),
                                 "keep included files in a directory of their own, such as customers.d");
                continue;
            }
            if (std::ranges::find(done, canonical) != done.end()) continue;  // by two patterns: read once
            done.push_back(canonical);
            all = load_included(run, file, place) && all;
        }
    }
    return all;
}

/// Of `settings` only what can be the value of one is noted.
void note_places(Cursor mapping, const std::string& prefix, bool settings, Model& model) {
    if (!mapping || mapping.kind() != Kind::mapping) return;
    for (Cursor key = mapping.first(); key;) {
        const Cursor value = key.next();
        if (!value) return;
        const bool plain = value.kind() == Kind::scalar && !value.text().empty();
        if (!settings || plain || key.text() == "cores")
            model.places.emplace(prefix + std::string(key.text()), key.place());
        key = value.next();
    }
}

/// Of what only a restart can change, and of the socket.
void note_places(Cursor root, Model& model) {
    if (root.kind() != Kind::mapping) return;
    note_places(root, "", false, model);
    note_places(root.find("edge"), "edge.", true, model);
    const Cursor ports = root.find("ports");
    note_places(ports, "ports.", false, model);
    for (const Port& port : model.ports) {
        if (ports && ports.kind() == Kind::mapping)
            note_places(ports.find(port.name), "ports." + port.name + '.', true, model);
    }
}

void load_all(Run& run, Tree& tree, std::string_view text, const LoadOptions& options) {
    if (!load_tree(run, tree, text, top_mapping())) return;
    note_places(Cursor{&tree, 0}, run.loaded.model);
    load_includes(run);
    resolve_bursts(run.loaded.model);
    resolve_outer_addresses(run.loaded.model);
    resolve_keys(run.loaded.model, run.sources, run.report);
    validate(run.loaded.model, run.sources, options, run.report);
}

}  // namespace

bool Loaded::ok() const {
    return std::ranges::none_of(findings, [](const Finding& f) { return f.severity == Finding::Severity::error; });
}

Loaded load(const fs::path& file, const LoadOptions& options) {
    const auto text = read_file(file);
    if (text) return load_text(*text, file, options);
    Loaded loaded;
    loaded.model.files.push_back(file.string());
    Report report{loaded.model.files};
    report.error({0, 1, 1}, fmt::format("the file cannot be read: {}", text.error()),
                 "correct the path, or its permissions");
    loaded.findings = std::move(report).sorted();
    return loaded;
}

Loaded load_text(std::string_view text, const fs::path& name, const LoadOptions& options) {
    Loaded loaded;
    Run run{loaded};
    load_all(run, begin_file(run, name), text, options);
    loaded.findings = std::move(run.report).sorted();
    return loaded;
}

}  // namespace peerlane::config
