#!/usr/bin/env bash
# Prepares this machine for the lab and says what it does, and how long each step took.
#
#   setup.sh          Debian packages (only when one is missing), then the Go programs of the lab
#   setup.sh chart    what only the checks of the chart need, and prints the folder that holds it
#   setup.sh fuzz     a nightly toolchain and cargo-fuzz, and prints the folder that holds the latter
#   setup.sh where    prints the folders that hold those programs, one a line; changes nothing
#
# The programs are tool dependencies of the Go modules beside this file: go.mod and go.sum pin them.
# Each is built once into ${XDG_CACHE_HOME:-$HOME/.cache}/seamark/lab/<hash of module and flags>/.
# LAB_BIN=DIR takes them from DIR instead and builds nothing.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/seamark/lab
kubernetes_tools=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl)

# The one place of the version is kubernetes/go.mod.
version=$(sed -n 's#^\tk8s.io/kubernetes v\([0-9.]*\).*#\1#p' kubernetes/go.mod)
IFS=. read -r major minor _ <<<"$version"
component=k8s.io/component-base/version
kubernetes_flags="-s -w -X $component.gitVersion=v$version -X $component.gitMajor=$major -X $component.gitMinor=$minor"
etcd_flags="-s -w"
helm_flags="-s -w"

fail() {
  echo "setup: $*" >&2
  exit 1
}

# folder MODULE FLAGS: where the programs of that module belong.
folder() {
  if [ -n "${LAB_BIN:-}" ]; then
    readlink -f "$LAB_BIN" || fail "LAB_BIN=$LAB_BIN is no folder; name one that holds ${kubernetes_tools[*]}, etcd and helm, or unset it to have them built"
  else
    echo "$cache/$(cat "$1/go.mod" "$1/go.sum" <(echo "$2") | sha256sum | cut -c1-16)"
  fi
}

# build MODULE FLAGS PROGRAM PACKAGE: atomic, so that an interrupted build leaves nothing half made.
build() {
  local out seconds=$SECONDS
  out=$(folder "$1" "$2")
  [ -x "$out/$3" ] && return
  [ -z "${LAB_BIN:-}" ] || fail "LAB_BIN=$LAB_BIN lacks $3; put it there, or unset LAB_BIN to have it built"
  command -v go >/dev/null || fail "building $3 needs the Go toolchain, version $(sed -n 's/^go //p' "$1/go.mod") or later: install it from https://go.dev/dl/ and put its bin folder on PATH, or set LAB_BIN to a folder with the programs"
  mkdir -p "$out"
  printf 'setup: building %s (the first time takes minutes) … ' "$3" >&2
  (cd "$1" && CGO_ENABLED=0 go build -trimpath -ldflags "$2" -o "$out/.$3.$$" "$4") || {
    rm -f "$out/.$3.$$"
    fail "building $3 failed; see the lines above"
  }
  mv "$out/.$3.$$" "$out/$3"
  printf '%d s\n' "$((SECONDS - seconds))" >&2
}

# packages: one apt-get call for what is missing. Each program is named with the package it comes from.
packages() {
  local program package unit missing=() seconds=$SECONDS
  while read -r program package; do
    command -v "$program" >/dev/null || missing+=("$package")
  done <<'LIST'
ip iproute2
nft nftables
iptables iptables
conntrack conntrack
ping iputils-ping
arping iputils-arping
ndisc6 ndisc6
tcpdump tcpdump
tshark tshark
curl curl
cc gcc
/usr/lib/frr/bgpd frr
bird bird2
gobgpd gobgpd
faketime faketime
containerd containerd
runc runc
/usr/lib/cni/host-local containernetworking-plugins
LIST
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || fail "missing: ${missing[*]}; install these packages with this system's package manager"
  [ "$(id -u)" = 0 ] || fail "missing: ${missing[*]}; run 'apt-get install ${missing[*]}' as root"
  printf 'setup: installing %s … ' "${missing[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  without_services
  { apt-get -qq update && apt-get -qq install -y --no-install-recommends "${missing[@]}"; } >/dev/null ||
    fail "apt-get could not install ${missing[*]}; see the lines above"
  # Nor at the next boot.
  while read -r package unit; do
    if [[ " ${missing[*]} " == *" $package "* && -d /run/systemd/system ]]; then
      systemctl --quiet disable "$unit"
    fi
  done <<'LIST'
frr frr
bird2 bird
gobgpd gobgpd
containerd containerd
LIST
  printf '%d s\n' "$((SECONDS - seconds))" >&2
}

# without_services: packages that come now start nothing: routers run in the lab, not on this machine.
without_services() {
  local policy=/usr/sbin/policy-rc.d
  [ ! -e "$policy" ] || return 0
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

# fuzzer: what only `make fuzz` needs. Its folder is the one line on standard output.
fuzzer() {
  local seconds=$SECONDS root=${XDG_CACHE_HOME:-$HOME/.cache}/seamark/fuzz-0.13.2
  rustc +nightly --version >/dev/null 2>&1 || {
    command -v rustup >/dev/null || fail "fuzzing needs a nightly Rust toolchain: install rustup from https://rustup.rs, then run this again"
    rustup toolchain install nightly --profile minimal >&2
  }
  [ -x "$root/bin/cargo-fuzz" ] || {
    printf 'setup: building cargo-fuzz … ' >&2
    cargo install --quiet --locked --root "$root" --version "${root##*-}" cargo-fuzz >&2 ||
      fail "building cargo-fuzz failed; see the lines above"
    printf '%d s\n' "$((SECONDS - seconds))" >&2
  }
  echo "$root/bin"
}

# validator: the schemas of every supported version of Kubernetes, from PyPI. Its folder is the one
# line on standard output.
validator() {
  local seconds=$SECONDS version=1.37.0 root
  root=${XDG_CACHE_HOME:-$HOME/.cache}/seamark/kubernetes-validate-$version
  [ -e "$root/complete" ] || {
    printf 'setup: installing kubernetes-validate … ' >&2
    { python3 -m venv --clear "$root" && "$root/bin/pip" install --quiet "kubernetes-validate==$version"; } >&2 ||
      fail "installing kubernetes-validate failed; see the lines above"
    touch "$root/complete"
    printf '%d s\n' "$((SECONDS - seconds))" >&2
  }
  echo "$root/bin"
}

case ${1:-all} in
chart) validator ;;
fuzz) fuzzer ;;
where)
  folder kubernetes "$kubernetes_flags"
  folder etcd "$etcd_flags"
  folder helm "$helm_flags"
  ;;
all)
  [ "$(uname -s)" = Linux ] || fail "the lab is made of Linux network namespaces; run it on Linux"
  PATH=$PATH:/usr/sbin:/sbin:/usr/local/go/bin
  packages
  command -v cargo >/dev/null || fail "no Rust toolchain: install rustup from https://rustup.rs, then run this again (rust-toolchain.toml names the version)"
  for tool in "${kubernetes_tools[@]}"; do
    build kubernetes "$kubernetes_flags" "$tool" "k8s.io/kubernetes/cmd/$tool"
  done
  build etcd "$etcd_flags" etcd go.etcd.io/etcd/server/v3
  build helm "$helm_flags" helm helm.sh/helm/v4/cmd/helm
  validator >/dev/null
  ;;
*) fail "usage: setup.sh [chart|fuzz|where]" ;;
esac
