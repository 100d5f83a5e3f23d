#!/usr/bin/env bash
echo "backed up"
