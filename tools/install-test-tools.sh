#!/bin/sh
# Installs the programs that tests use beside Node, on Debian and its derivatives, as root or by sudo. It can run again.
# A test whose program is missing is skipped and says so.
set -eu

# command, package
tools='
git git
git-lfs git-lfs
curl curl
python3 python3
ssh openssh-client
sshd openssh-server
sshpass sshpass
sudo sudo
ansible-playbook ansible-core
go golang-go
chromium chromium
zsh zsh
fish fish
bwrap bubblewrap
perl perl-base
'

PATH=$PATH:/usr/sbin:/sbin
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo

# Debian has no package of grpcurl; Go builds it.
install_grpcurl() {
  command -v grpcurl >/dev/null || ! command -v go >/dev/null ||
    $as_root env GOBIN=/usr/local/bin "$(command -v go)" install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3 ||
    echo "install-test-tools.sh: grpcurl could not be built; its tests will be skipped" >&2
}

missing=$(echo "$tools" | while read -r command package; do
  [ -z "$command" ] || command -v "$command" >/dev/null || echo "$package"
done)
if [ -z "$missing" ]; then
  install_grpcurl
  echo 'All programs are installed.'
  exit
fi
command -v apt-get >/dev/null || { echo "install-test-tools.sh: apt-get not found; install these packages: $missing" >&2; exit 1; }
$as_root apt-get update -q || echo "install-test-tools.sh: apt-get update failed; going on with the existing package lists" >&2
# One by one, so that a package that this system lacks does not keep the others from being installed.
for package in $missing; do
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -q --no-install-recommends "$package" ||
    echo "install-test-tools.sh: $package could not be installed; its tests will be skipped" >&2
done
install_grpcurl
