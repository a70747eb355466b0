# dataplane/control/sa_upkeep.cpp stateful an orderly end saves one number less than was used
s/for (const auto& plan : snapshot.sas) { store_->give_back(plan.key, state_.sa_memory\[plan.key\].sequence); }/for (const auto\& plan : snapshot.sas) { auto\& last = state_.sa_memory[plan.key].sequence; last -= last != 0 ? 1 : 0; store_->give_back(plan.key, last); }/
