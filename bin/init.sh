# Process 1 of a container: starts the server, passes signals on, and ends as it does. A shell that waits also takes leave of
# orphans that ended, which Node does not: each would stay as a zombie. The server gets a session of its own, so that a
# terminal's Ctrl-C reaches it once.
#
# Arguments: the command line of the server.

setsid "$@" <&0 &
server=$!
for signal in TERM INT HUP QUIT USR1 USR2; do
  # shellcheck disable=SC2064 # both are known by now
  trap "kill -s $signal $server 2>/dev/null" "$signal"
done
while :; do
  wait "$server"
  code=$?
  # A signal ends a wait too.
  kill -0 "$server" 2>/dev/null || exit "$code"
done
