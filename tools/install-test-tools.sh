#!/bin/sh
# Installs what the tests can use beside Node, on Debian and what descends from it; as root, or by sudo. May run again.
# Without these programs the tests that need them are skipped, and say so.
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
'

PATH=$PATH:/usr/sbin:/sbin
missing=$(echo "$tools" | while read -r command package; do
  [ -z "$command" ] || command -v "$command" >/dev/null || echo "$package"
done)
if [ -z "$missing" ]; then
  echo 'Everything is there.'
  exit
fi
command -v apt-get >/dev/null || { echo "install-test-tools.sh: there is no apt-get here; install $missing" >&2; exit 1; }
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
$as_root apt-get update -q || echo "install-test-tools.sh: going on with the lists that are there" >&2
# One by one: what this system does not have is no reason to do without the rest.
for package in $missing; do
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -q --no-install-recommends "$package" ||
    echo "install-test-tools.sh: $package could not be installed; its tests will be skipped" >&2
done
