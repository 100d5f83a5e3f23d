#!/bin/bash
# Packs the page as this task's version. A script written for Semaphore UI finds the same variables here.
set -eu

version=$SEMAPHORE_TASK_TARGET_VERSION
mkdir -p "$PLACES/packages" page
echo "<h1>Shop $version</h1>" >page/index.html
tar -czf "$PLACES/packages/page-$version.tar.gz" -C page .
echo "Packed page-$version.tar.gz"
