# Starts the server. Takes its secrets out of the environment first, which /proc shows as long as a process lives, and hands them
# over by a pipe (src/settings/take-secrets.ts reads it). The server then takes the place of this shell.
#
# As process 1 of a container the shell stays: it forwards signals to the server, exits with its exit code, and reaps orphans, which
# Node does not, so that none stays a zombie. The server gets a separate session, so that a terminal's Ctrl-C reaches it once.
#
# Arguments: the command line of the server.

if [ -n "$SIGNALMAN_TOKEN$DATABASE_URL$SIGNALMAN_SECRET_KEY" ]; then
  exec 9<<END
SIGNALMAN_TOKEN=$SIGNALMAN_TOKEN
DATABASE_URL=$DATABASE_URL
SIGNALMAN_SECRET_KEY=$SIGNALMAN_SECRET_KEY
END
  unset SIGNALMAN_TOKEN DATABASE_URL SIGNALMAN_SECRET_KEY
  export SIGNALMAN_SECRETS_FD=9
  # Only an exec makes a shell forget the environment with which it was started.
  [ $$ -ne 1 ] || exec /bin/sh "$0" "$@"
fi
[ $$ -eq 1 ] || exec "$@"

setsid "$@" <&0 &
server=$!
exec 9<&-
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
