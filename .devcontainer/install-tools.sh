#!/usr/bin/env bash
# install-tools.sh FOLDER: installs the pinned tools in FOLDER. Versions and checksums come from the Dockerfile's ARGs.
# A file is installed only if it matches its checksum: the pinned one, or the vendor's if none is pinned.
set -euo pipefail

to=$1
arch=$(dpkg --print-architecture) # amd64 or arm64
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() { printf 'error: %s\n  fix: %s\n' "$1" "$2" >&2; exit 1; }
get() { curl --fail --silent --show-error --location --retry 3 --proto '=https' --output "$2" "$1"; }

# Prints the checksum that GitHub computed when the file was published. Arguments: OWNER/NAME, tag, file.
published_by_github() {
  get "https://api.github.com/repos/$1/releases/tags/$2" "$work/release.json"
  jq -r --arg name "$3" '.assets[] | select(.name == $name) | .digest // "" | ltrimstr("sha256:")' "$work/release.json"
}

# verified TOOL URL FILE [REPOSITORY TAG]: downloads to FILE in the work folder, or fails the build.
verified() {
  local tool=$1 url=$2 file=$3 pin sum
  pin="${tool^^}_SHA256_${arch^^}"
  sum=${!pin:-}
  if [ -z "$sum" ] && [ $# -eq 5 ]; then sum=$(published_by_github "$4" "$5" "${url##*/}"); fi
  [[ $sum =~ ^[0-9a-f]{64}$ ]] || die "no checksum for $tool on $arch" "add sha256.$arch to settings.tools.$tool and to the Dockerfile"
  get "$url" "$work/$file" || die "$url cannot be downloaded" "check the network and settings.tools.$tool"
  printf '%s  %s\n' "$sum" "$work/$file" | sha256sum --check --quiet - \
    || die "$tool: the file does not match its checksum $sum" "do not use it; compare settings.tools.$tool with the vendor's page"
}

program() { install -m 0755 "$work/$1" "$to/$2"; }

verified kubectl "https://dl.k8s.io/release/v$KUBECTL_VERSION/bin/linux/$arch/kubectl" kubectl
program kubectl kubectl

verified kubelogin "https://github.com/Azure/kubelogin/releases/download/v$KUBELOGIN_VERSION/kubelogin-linux-$arch.zip" kubelogin.zip
unzip -q -o "$work/kubelogin.zip" -d "$work"
program "bin/linux_$arch/kubelogin" kubelogin

verified telepresence "https://github.com/telepresenceio/telepresence/releases/download/v$TELEPRESENCE_VERSION/telepresence-linux-$arch" \
  telepresence telepresenceio/telepresence "v$TELEPRESENCE_VERSION"
program telepresence telepresence

verified helm "https://get.helm.sh/helm-v$HELM_VERSION-linux-$arch.tar.gz" helm.tar.gz
tar -xzf "$work/helm.tar.gz" -C "$work"
program "linux-$arch/helm" helm

case $arch in amd64) machine=x86_64 ;; *) machine=$arch ;; esac
verified tilt "https://github.com/tilt-dev/tilt/releases/download/v$TILT_VERSION/tilt.$TILT_VERSION.linux.$machine.tar.gz" tilt.tar.gz
tar -xzf "$work/tilt.tar.gz" -C "$work" tilt
program tilt tilt

verified pnpm "https://registry.npmjs.org/pnpm/-/pnpm-$PNPM_VERSION.tgz" pnpm.tgz
share=$(dirname "$to")/share/pnpm
mkdir -p "$share"
tar -xzf "$work/pnpm.tgz" -C "$share" --strip-components=1
chmod 0755 "$share/bin/pnpm.cjs"
ln -sf "$share/bin/pnpm.cjs" "$to/pnpm"

# az is a signed package: apt refuses it unless it is signed with this key.
key=${AZ_KEYRING:-/etc/apt/keyrings/microsoft.asc}
get https://packages.microsoft.com/keys/microsoft.asc "$work/microsoft.asc"
gpg --show-keys --with-colons "$work/microsoft.asc" 2>/dev/null | awk -F: '$1 == "fpr" {print $10}' | grep -qx "$AZ_KEY" \
  || die "packages.microsoft.com gave another key than $AZ_KEY" "compare it with Microsoft's page on its package repositories"
install -D -m 0644 "$work/microsoft.asc" "$key"
# shellcheck source=/dev/null
release=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
printf 'deb [arch=%s signed-by=%s] https://packages.microsoft.com/repos/azure-cli/ %s main\n' "$arch" "$key" "$release" \
  >"${AZ_LIST:-/etc/apt/sources.list.d/azure-cli.list}"
apt-get update
apt-get install -y --no-install-recommends "azure-cli=$AZ_VERSION-1~$release"
