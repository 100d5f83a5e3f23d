#!/bin/sh
# Creates the two accounts, gives them their roles by the catalog, and writes a token for each into the current folder.
# Run it as an administrator: on the server's machine as its user, or with SIGNALMAN_TOKEN.
set -eu
umask 077
here=$(dirname "$0")
for account in deployer dashboard; do
  signalman account create "$account" --description "of the example"
  signalman token create "$account/example" --expires 30d > "$account.token"
done
signalman apply "$here/catalog.yaml"
