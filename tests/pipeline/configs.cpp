#include "tests/pipeline/configs.hpp"

namespace peerlane::test {

void check(const std::vector<Case>& cases, std::string_view yaml) {
    for (const auto& one : cases) {
        SCOPED_TRACE(one.name);
        Edge edge(yaml);
        const auto sent = edge.send(one.port, {one.packet});
        ASSERT_EQ(sent.fates.size(), 1U);
        EXPECT_EQ(sent.fate(), one.fate);
        expect_out(sent, one.out);
        if (!dataplane::is_drop(one.fate)) { continue; }
        const auto reason = dataplane::reason_index(one.fate);
        for (const std::string label : {kContoso, kFabrikam}) {
            std::uint64_t charged = 0;
            const auto way = edge.port_names()[1] == one.port ? Direction::to_customer : Direction::to_cloud;
            for (const auto link : {Link::primary, Link::secondary}) {
                charged += edge.circuit(label, link, way).drops[reason];
            }
            EXPECT_EQ(charged, label == one.circuit ? 1U : 0U) << "charged to " << label;
        }
    }
}

}  // namespace peerlane::test
