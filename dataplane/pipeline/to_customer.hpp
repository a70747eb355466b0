// core port in, access port out: every step a packet from the cloud takes, in order.
#pragma once

#include "dataplane/pipeline/answer.hpp"
#include "dataplane/pipeline/esp_open.hpp"
#include "dataplane/pipeline/gre_decap.hpp"
#include "dataplane/pipeline/mtu_guard.hpp"
#include "dataplane/pipeline/note.hpp"
#include "dataplane/pipeline/parse_outer.hpp"
#include "dataplane/pipeline/police.hpp"
#include "dataplane/pipeline/route.hpp"
#include "dataplane/pipeline/tag_push.hpp"
#include "dataplane/pipeline/unfinished.hpp"
#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

template <class Observer>
void run_to_customer(Worker& worker, Burst& burst, Observer& observe) {
    if (burst.kind == Burst::Kind::received) [[likely]] {
        parse_outer(worker, burst);
        refuse_super_frames(worker, burst);
        observe("parse_outer", burst);
        esp_open(worker, burst);
        observe("esp_open", burst);
        parse_gre(worker, burst);
        observe("parse_gre", burst);
    } else {
        recall(worker, burst);
    }
    find_tunnel(worker, burst);
    keep_owner(worker, burst);
    observe("find_tunnel", burst);
    gre_decap(worker, burst);
    finish_unfinished(worker, burst);
    observe("gre_decap", burst);
    look_up_destinations(worker, burst);
    observe("look_up", burst);
    route_to_customer(worker, burst);
    observe("route", burst);
    mtu_guard_to_customer(worker, burst);
    observe("mtu_guard", burst);
    if (burst.answers) [[unlikely]] { answer(worker, burst); }
    police_to_customer(worker, burst);
    observe("police", burst);
    if (burst.cuts) [[unlikely]] { fragment(worker, burst); }
    tag_push(worker, burst);
    observe("tag_push", burst);
    send_to_access(worker, burst);
    observe("send", burst);
    if (!burst.cuts) [[likely]] { return; }
    for (Burst& pieces : worker.pieces) {
        if (pieces.count == 0) { break; }
        tag_push(worker, pieces);
        send_to_access(worker, pieces);
    }
}

}  // namespace peerlane::dataplane
