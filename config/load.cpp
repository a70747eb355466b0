#include "config/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <expected>
#include <memory>
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

/// The text of the file, or why it cannot be read.
std::expected<WipedText, std::string> read_file(const fs::path& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) return std::unexpected(std::strerror(errno));
    std::setvbuf(file.get(), nullptr, _IONBF, 0);  // no copy of a key in a buffer of the library's
    WipedText text;
    constexpr std::size_t kBlock = 1U << 16U;
    std::size_t size = 0;
    do {
        text.resize(size + kBlock);
        size += std::fread(text.data() + size, 1, kBlock, file.get());
        if (size > kMaxFileSize) return std::unexpected("it is larger than 256 MiB");
    } while (size == text.size());
    text.resize(size);
    if (std::ferror(file.get()) != 0) return std::unexpected(std::strerror(errno));
    return text;
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
    return load_tree(run, begin_file(run, path), *text, included_mapping());
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

void load_all(Run& run, Tree& tree, std::string_view text, const LoadOptions& options) {
    if (!load_tree(run, tree, text, top_mapping())) return;
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
