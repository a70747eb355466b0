# dataplane/pipeline/note.hpp stateful packets that waited are anybody's who has their tags or key by now
s/if (note_of(burst.mbuf\[slot\]).owner != owner_of(\*worker.snapshot, burst, slot)) {/if (false) {/
