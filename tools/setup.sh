# Sourced by ./quickstart and ./check: the Debian packages they need, and the little they share.

build_packages="g++ meson ninja-build pkg-config libdpdk-dev libipsec-mb-dev libyaml-dev libfmt-dev nlohmann-json3-dev
    libcli11-dev libpcap-dev clang-19 libbpf-dev"
show_packages="tcpdump"
test_packages="libgtest-dev binutils systemd python3-seccomp libclang-rt-19-dev clang-tidy-19 clang-format-19 python3 python3-yaml
    python3-jsonschema python3-scapy python3-cryptography tshark tcpdump iproute2 user-mode-linux kmod traceroute
    iperf3 dpdk-dev bird2"

# Not the first python or meson in PATH, but Debian's, which sees Debian's packages.
meson=/usr/bin/meson
python=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1
unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS

say() { printf '\n==> %s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# install_missing PACKAGE...: touches neither apt nor the network when all are there.
install_missing() {
    local package root="" missing=()
    command -v apt-get >/dev/null || die "this needs Debian 12: there is no apt-get here"
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "run this as root, or install: ${missing[*]}"
        root=sudo
    fi
    say "Installing ${missing[*]}"
    $root apt-get update -qq </dev/null
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null \
        >/dev/null || die "apt-get could not install the packages above"
}
