// The state of SAs as it lies on disk, changed by anybody: it is either what was saved, to the last byte, or refused
// and left alone. What is loaded is what was saved, and nothing that was used is forgotten over a crash at any step.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "dataplane/control/sa_state_text.hpp"
#include "dataplane/control/sa_store.hpp"
#include "lib/ipsec/crypto.hpp"
#include "tests/fuzz/disk.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/require.hpp"

namespace peerlane::fuzz {
namespace {

namespace fs = std::filesystem;
using namespace dataplane;

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

SaMemory memory_of(Input& input) {
    SaMemory memory;
    for (auto count = input.below(5); count != 0; --count) {
        SaKey key{};
        key.fingerprint.fill(input.byte());
        key.outbound = input.one_in(2);
        key.number = input.below(4);
        const auto shift = input.below(64);
        memory[key] = {std::uint64_t{input.two()} << shift, input.two(), input.two(), input.two()};
    }
    return memory;
}

/// Some bytes of a text are others, more or fewer; the digest may be made to fit.
std::string spoil(Input& input, std::string text) {
    for (auto edits = input.below(4); edits != 0 && !text.empty(); --edits) {
        const auto at = input.two() % text.size();
        switch (input.below(5)) {
            case 0:
                text[at] = static_cast<char>(input.byte());
                break;
            case 1:
                text[at] = "0123456789 \nio"[input.below(14)];
                break;
            case 2:
                text.erase(at, 1U + input.below(64));
                break;
            case 3:
                text.insert(at, text.substr(input.two() % text.size(), input.below(120)));
                break;
            default:
                text.resize(at);
        }
    }
    const auto digest = text.rfind("sha256 ");
    if (digest == std::string::npos || input.one_in(3)) { return text; }
    text.resize(digest);
    const auto sum = ipsec::sha256({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return text + fmt::format("sha256 {:02x}\n", fmt::join(sum, ""));
}

void try_text(const std::string& text) {
    const auto state = parse_sa_state(text);
    if (!state) {
        require(state.error().starts_with("line "), "{} names no line", state.error());
        return;
    }
    require(to_text(state->memory, state->saved, state->saving) == text, "a state has two texts");
}

/// A store that saves twice, the disk failing at some step of the second; then whoever comes next.
void live(Input& input, const fs::path& directory) {
    const auto first = memory_of(input);
    auto second = first;
    for (auto& [key, record] : second) { record.sequence += std::min<std::uint64_t>(input.below(3), ~record.sequence); }
    bool saved = true;
    {
        SaStore store(directory);
        store.save(first);
        disk().fail(input.below(4), 1 + input.below(2));
        try {
            store.save(second);
        } catch (const Failure&) { saved = false; }
        disk().heal();
    }
    const auto visible = read_file(directory / "sa-state");
    const auto state = parse_sa_state(visible);
    require(state.has_value(), "what was saved cannot be read: {}", state ? "" : state.error());
    require(state->memory == second || (!saved && state->memory == first), "what was saved is not there");
    // Without power nothing is left but what was written through, or what may have been.
    require(!saved || disk().durable == visible, "save() returned before it was on disk");
    const auto durable = parse_sa_state(disk().durable);
    require(durable && (durable->memory == first || durable->memory == second), "a loss of power leaves neither state");
    const auto spoiled = spoil(input, visible);
    std::ofstream(directory / "sa-state", std::ios::binary) << spoiled;
    try {
        SaStore store(directory);
        require(parse_sa_state(spoiled).has_value(), "a spoiled file was taken");
        require(!saved || parse_sa_state(spoiled)->saving.generation >= state->saving.generation,
                "an older file was taken");
        const auto parsed = parse_sa_state(spoiled);
        for (const auto& [key, record] : parsed->memory) {
            require(store.loaded().at(key).sequence == record.sequence, "a number was loaded as another");
        }
    } catch (const Failure& failure) {
        require(std::string(failure.what()).find("sa-state") != std::string::npos, "{} names no file", failure.what());
        const auto good = parse_sa_state(spoiled);
        const bool older = good && good->saving.generation < state->saving.generation;
        require(!good || older, "a good file was refused: {}", failure.what());
    }
    require(read_file(directory / "sa-state") == spoiled, "a file that was only read was changed");
}

}  // namespace
}  // namespace peerlane::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace peerlane::fuzz;
    static const auto own = fast_directory("fuzz-sa-state");
    Input input(data, size);
    if (input.one_in(4)) {
        disk().begin();
        std::filesystem::remove_all(own.path() / "state");
        live(input, own.path() / "state");
        return 0;
    }
    if (input.one_in(2)) {
        const auto rest = input.take(input.size());
        try_text({rest.begin(), rest.end()});
    } else {
        const auto memory = memory_of(input);
        try_text(
            spoil(input, peerlane::dataplane::to_text(memory, input.two(),
                                                      {.generation = input.below(3), .boot = {1}, .up = input.two()})));
    }
    return 0;
}
