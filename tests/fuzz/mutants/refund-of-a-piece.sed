# dataplane/pipeline/police.hpp stateful of a packet that was cut and not sent only the first piece is given back
s/(cut ? burst.cut_octets\[slot\] : 0U);/(cut ? 0U : 0U);/
