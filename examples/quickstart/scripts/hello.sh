#!/usr/bin/env bash
# Variables come as NAME=VALUE arguments, the process environment as it is.
set -euo pipefail

for pair in "$@"; do
  case $pair in
    greeting=*) greeting=${pair#*=} ;;
    name=*) name=${pair#*=} ;;
    steps=*) steps=${pair#*=} ;;
    style=*) style=${pair#*=} ;;
  esac
done

line="$greeting, $name!"
if [[ $style == loud ]]; then line=${line^^}; fi

printf '\e[1m%s\e[0m\n' "$line"
echo "This is stage $STAGE; lines like this one go to stderr" >&2
for ((step = 1; step <= steps; step++)); do
  # A progress line is rewritten in place: it has no newline until it is complete.
  printf '\rstep %d of %d ' "$step" "$steps"
  for _ in 1 2 3; do
    sleep 0.15
    printf '.'
  done
done
printf ' \e[32mdone\e[0m\n'
