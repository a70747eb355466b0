# dataplane/pipeline/mtu_guard.hpp stateful entry A: what fragmenting took off another packet is given back
/burst.cut_octets\[slot\] = 0;/d
