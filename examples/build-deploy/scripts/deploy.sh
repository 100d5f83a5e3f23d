#!/bin/bash
# Unpacks the version that this task brings, where its template says.
set -eu

place=$PLACES/$1
version=$SEMAPHORE_TASK_INCOMING_VERSION
mkdir -p "$place"
tar -xzf "$PLACES/packages/page-$version.tar.gz" -C "$place"
echo "$1 shows: $(cat "$place/index.html")"
