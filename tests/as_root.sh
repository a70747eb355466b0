#!/bin/sh
# as_root.sh PROGRAM ARGUMENT...: as root, in a network namespace of its own. XDP programs are for root alone: a user
# namespace is not enough.
if [ "$(id -u)" != 0 ]; then exec sudo -E unshare --net "$@"; fi
exec unshare --net "$@"
