# Process 1 of a container: starts the server, forwards signals to it, and exits with its exit code. A shell that waits also
# reaps orphans, which Node does not, so that none stays a zombie. The server gets a separate session, so that a terminal's
# Ctrl-C reaches it once.
#
# Arguments: the command line of the server.

setsid "$@" <&0 &
server=$!
for signal in TERM INT HUP QUIT USR1 USR2; do
  # shellcheck disable=SC2064 # both values are fixed at this point
  trap "kill -s $signal $server 2>/dev/null" "$signal"
done
while :; do
  wait "$server"
  code=$?
  # A signal ends the wait too, while the server still runs.
  kill -0 "$server" 2>/dev/null || exit "$code"
done
