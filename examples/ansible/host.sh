#!/bin/sh
# Starts a host for the example: an SSH server for your own user on loopback, until Ctrl-C. `host.sh 2200` uses another port
# than 2222. It creates a key with a passphrase in the folder host/ beside this file, which the catalog reads.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
port=${1:-2222}
sshd=$(PATH=$PATH:/usr/sbin command -v sshd) || { echo "host.sh: install an OpenSSH server" >&2; exit 1; }
umask 077
mkdir -p "$here/host"
cd "$here/host"
if [ ! -f key ]; then
  head -c 18 /dev/urandom | base64 | tr -d '\n' >passphrase
  ssh-keygen -q -t ed25519 -C signalman-example -N "$(cat passphrase)" -f key
  ssh-keygen -q -t ed25519 -C signalman-example -N '' -f host_key
fi
cat >sshd_config <<END
ListenAddress 127.0.0.1:$port
HostKey "$here/host/host_key"
AuthorizedKeysFile "$here/host/key.pub"
StrictModes no
UsePAM no
PasswordAuthentication no
PidFile none
Subsystem sftp internal-sftp
END
# As root, sshd needs this folder, which a container may lack.
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
exec "$sshd" -D -e -f "$here/host/sshd_config"
