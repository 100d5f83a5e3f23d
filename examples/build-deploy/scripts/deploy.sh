#!/bin/bash
# Unpacks the version that this task deploys into the folder that its template names.
set -eu

place=$PLACES/$1
version=$SEMAPHORE_TASK_INCOMING_VERSION
mkdir -p "$place"
tar -xzf "$PLACES/packages/page-$version.tar.gz" -C "$place"
echo "$1 shows: $(cat "$place/index.html")"
