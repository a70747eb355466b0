# dataplane/control/sa_store.cpp sa-state the state has its name before it is on disk
s/if (fsync(file.number()) != 0) {/if (false) {/
