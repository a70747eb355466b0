// access port in, core port out: every step a customer's packet takes, in order.
#pragma once

#include "dataplane/pipeline/answer.hpp"
#include "dataplane/pipeline/classify.hpp"
#include "dataplane/pipeline/esp_seal.hpp"
#include "dataplane/pipeline/gre_encap.hpp"
#include "dataplane/pipeline/hand_over.hpp"
#include "dataplane/pipeline/mtu_guard.hpp"
#include "dataplane/pipeline/note.hpp"
#include "dataplane/pipeline/parse_ip.hpp"
#include "dataplane/pipeline/parse_link.hpp"
#include "dataplane/pipeline/police.hpp"
#include "dataplane/pipeline/route.hpp"
#include "dataplane/pipeline/tag_push.hpp"
#include "dataplane/pipeline/tpids.hpp"
#include "dataplane/pipeline/unfinished.hpp"
#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

template <class Observer>
void run_to_cloud(Worker& worker, Burst& burst, Observer& observe) {
    parse_link(worker, burst);
    observe("parse_link", burst);
    classify(worker, burst);
    keep_owner(worker, burst);
    if (burst.tpids) [[unlikely]] { hear_tpids(worker, burst); }
    observe("classify", burst);
    parse_ip(worker, burst);
    finish_unfinished(worker, burst);
    observe("parse_ip", burst);
    look_up(worker, burst);
    observe("look_up", burst);
    guard(worker, burst);
    observe("guard", burst);
    route_to_cloud(worker, burst);
    observe("route", burst);
    hand_over(worker, burst);
    observe("hand_over", burst);
    expect_seal(worker, burst);
    mtu_guard_to_cloud(worker, burst);
    observe("mtu_guard", burst);
    if (burst.answers) [[unlikely]] { answer(worker, burst); }
    police_to_cloud(worker, burst);
    observe("police", burst);
    if (burst.cuts) [[unlikely]] { fragment(worker, burst); }
    gre_encap(worker, burst);
    observe("gre_encap", burst);
    if (burst.cuts) [[unlikely]] {
        encap_pieces(worker, burst);
    } else {
        esp_seal(worker, burst);
    }
    observe("esp_seal", burst);
    if (burst.hairpins) [[unlikely]] { push_hairpins(worker, burst); }
    send_to_core(worker, burst);
    observe("send", burst);
    if (!burst.cuts) [[likely]] { return; }
    for (Burst& pieces : worker.pieces) {
        if (pieces.count == 0) { break; }
        push_hairpins(worker, pieces);
        send_to_core(worker, pieces);
    }
}

}  // namespace peerlane::dataplane
