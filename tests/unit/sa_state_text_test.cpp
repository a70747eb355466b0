// The text of the state file, and that nothing but exactly that is taken for it.
#include "dataplane/control/sa_state_text.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace peerlane::dataplane {
namespace sa_state_text_test {

SaKey key(std::uint8_t first, bool outbound, std::uint32_t number) {
    SaKey made{.outbound = outbound, .number = number};
    std::iota(made.fingerprint.begin(), made.fingerprint.end(), std::uint8_t{0});
    made.fingerprint[0] = first;
    return made;
}

const SaMemory kMemory{
    {key(0, false, 8193), {.sequence = 4711, .packets = 4710, .bytes = 301'504, .age = 86'400'000'000'000}},
    {key(0, true, 0), {.sequence = 72'057'594'037'927'935, .packets = 4242, .bytes = 271'488, .age = ~Nanoseconds{0}}},
    {key(255, true, 255), {.sequence = 65'536}},
};
constexpr Nanoseconds kSaved = 1'767'225'600'000'000'000;
// The digest is sha256sum's.
constexpr std::string_view kText =
    "peerlane sa-state 1\n"
    "saved_ns 1767225600000000000\n"
    "fingerprint way number sequence packets bytes age_ns\n"
    "000102030405060708090a0b0c0d0e0f in 8193 4711 4710 301504 86400000000000\n"
    "000102030405060708090a0b0c0d0e0f out 0 72057594037927935 4242 271488 18446744073709551615\n"
    "ff0102030405060708090a0b0c0d0e0f out 255 65536 0 0 0\n"
    "sha256 3874d6ffe3ffd3c694e8ef32ce78920364f6e5e3ad1368d46cffde1beb25f1e5\n";

/// kText with `from` replaced, and the digest that belongs to that.
std::string edited(std::string_view from, std::string_view to) {
    std::string text(kText.substr(0, kText.find("sha256 ")));
    text.replace(text.find(from), from.size(), to);
    const auto digest = ipsec::sha256({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    text += "sha256 ";
    for (const auto octet : digest) {
        text += "0123456789abcdef"[octet >> 4];
        text += "0123456789abcdef"[octet & 15];
    }
    return text + '\n';
}

std::string complaint(std::string_view text) {
    const auto state = parse_sa_state(text);
    return state ? "none" : state.error();
}

TEST(SaStateText, IsWhatItsDescriptionSays) {
    EXPECT_EQ(to_text(kMemory, kSaved), kText);
}

TEST(SaStateText, IsReadBackAsItWas) {
    for (const auto& memory : {SaMemory{}, kMemory}) {
        const auto state = parse_sa_state(to_text(memory, kSaved));
        ASSERT_TRUE(state) << state.error();
        EXPECT_EQ(state->saved, kSaved);
        EXPECT_EQ(state->memory, memory);
    }
}

TEST(SaStateText, WhichSavingItWas) {
    const SaMemory memory{{SaKey{.number = 3}, SaRecord{7, 6, 5, 4}}};
    const Saving saving{.generation = 12, .boot = {0xab, 1}, .up = 99};
    const auto text = to_text(memory, 50, saving);
    EXPECT_TRUE(
        text.starts_with("peerlane sa-state 2\nsaved_ns 50\ngeneration 12\n"
                         "boot ab010000000000000000000000000000\nup_ns 99\nfingerprint "))
        << text;
    const auto state = parse_sa_state(text);
    ASSERT_TRUE(state) << state.error();
    EXPECT_EQ(state->saving, saving);
    EXPECT_EQ(state->memory, memory);
    for (std::size_t size = 0; size < text.size(); ++size) {
        EXPECT_FALSE(parse_sa_state(text.substr(0, size))) << size;
    }
    for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
        auto spoilt = text;
        spoilt[bit / 8] ^= static_cast<char>(1U << bit % 8);
        EXPECT_FALSE(parse_sa_state(spoilt)) << bit;
    }
    EXPECT_EQ(parse_sa_state(to_text(memory, 50))->saving, Saving{}) << "as it was written before";
}

TEST(SaStateText, EveryFlippedBitIsRefused) {
    ASSERT_TRUE(parse_sa_state(kText));
    std::string text(kText);
    for (std::size_t bit = 0; bit < 8 * text.size(); ++bit) {
        auto& octet = text[bit / 8];
        const auto mask = static_cast<char>(1U << bit % 8);
        octet ^= mask;
        EXPECT_FALSE(parse_sa_state(text)) << "bit " << bit % 8 << " of octet " << bit / 8;
        octet ^= mask;
    }
}

TEST(SaStateText, EveryTruncationIsRefused) {
    for (std::size_t size = 0; size < kText.size(); ++size) {
        EXPECT_FALSE(parse_sa_state(kText.substr(0, size))) << size;
    }
}

TEST(SaStateText, EveryMissingOrDoubledOctetIsRefused) {
    for (std::size_t at = 0; at < kText.size(); ++at) {
        std::string text(kText);
        EXPECT_FALSE(parse_sa_state(text.erase(at, 1))) << at;
        text = kText;
        EXPECT_FALSE(parse_sa_state(text.insert(at, 1, text[at]))) << at;
    }
}

TEST(SaStateText, SaysWhatIsWrongAndWhere) {
    EXPECT_EQ(complaint(""), "line 1: no first line");
    EXPECT_EQ(complaint("hello\n"), "line 1: this is not a state file");
    EXPECT_EQ(complaint(edited("state 1", "state 3")),
              "line 1: version '3' of the format, where this program knows 1 and 2");
    EXPECT_EQ(complaint(edited("state 1", "state 2")), "line 3: not the number and the time of the saving");
    EXPECT_EQ(complaint(edited("saved_ns 1", "saved_ns x")), "line 2: not the time of saving");
    EXPECT_EQ(complaint(edited("way", "by")), "line 3: not the names of the columns");
    EXPECT_EQ(complaint(kText.substr(0, kText.find("sha256"))), "line 7: the file ends here, without its digest");
    EXPECT_EQ(complaint(std::string(kText) + '\n'), "line 7: something follows the digest");
    EXPECT_EQ(complaint(std::string(kText) + std::string(kText)), "line 7: something follows the digest");
    std::string text(kText);
    text.replace(text.find("4711"), 4, "4712");
    EXPECT_EQ(complaint(text), "line 7: the digest does not match: a line above it was changed, or the digest was");
}

// These have the right digest: someone made them with care.
TEST(SaStateText, RecordsThatItNeverWritesAreRefused) {
    EXPECT_EQ(complaint(edited("4711", "4712")), "none");
    for (const auto& [from, to] : std::initializer_list<std::pair<const char*, const char*>>{
             {"4711", "04711"},
             {"4711", "+4711"},
             {"4711", "-4711"},
             {"4711", ""},
             {"4711", "0x12"},
             {"8193", "4294967296"},
             {"8193 4711", "8193  4711"},
             {"4711 ", "4711\t"},
             {" in ", " IN "},
             {" in ", " both "},
             {"0001", "000"},
             {"0001", "00001"},
             {"0a0b", "0A0b"},
             {"86400000000000\n", "86400000000000 \n"},
             {"86400000000000\n", "86400000000000\r\n"},
             {"86400000000000\n", "18446744073709551616\n"},
             {"86400000000000\n", "86400000000000\n\n"},
         }) {
        EXPECT_TRUE(complaint(edited(from, to)).ends_with(": not a record")) << from << " -> " << to;
    }
}

TEST(SaStateText, ARecordTwiceOrOutOfOrderIsRefused) {
    const std::string line = "ff0102030405060708090a0b0c0d0e0f out 255 65536 0 0 0\n";
    EXPECT_EQ(complaint(edited(line, line + line)), "line 7: a record that has been above, or should be");
    EXPECT_EQ(complaint(edited(line, line + "ff0102030405060708090a0b0c0d0e0f out 255 65537 0 0 0\n")),
              "line 7: a record that has been above, or should be");
    EXPECT_EQ(complaint(edited(line, line + "000102030405060708090a0b0c0d0e0f out 1 1 0 0 0\n")),
              "line 7: a record that has been above, or should be");
}

}  // namespace sa_state_text_test
}  // namespace peerlane::dataplane
