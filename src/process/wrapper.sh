# The supervisor of a task's program: starts it, drains its output into the spool, and records how it ended. A server may
# come and go meanwhile. wrapper.ts starts it with this script as its stdin and all that it needs in its environment:
#
#     folder, attempt    the spool, and which of its starts this is
#     SIGNALMAN_TASK     the task's marker
#     start              shell words: a session of its own for the program, its environment, the program
#     carried            names of the variables that hold the program's environment and arguments
#
# The supervisor, its two subshells and the two pumps share a session; the program gets one of its own. So no `kill 0`, no
# SIGKILL to the program's group reaches those who record and drain, and "in the wrapper's session" tells the supervisor's
# processes from the task's. The pumps have pipes, not files: `> /dev/stderr` would truncate a file. They drop all that the
# program gets, so that they show no secrets and do not carry its marker.
#
# The files of the spool are opened before the program runs: 4 is the journal, whose lines journal.ts explains, 5 and 6
# take stdout and stderr. What the program puts in their place later is not met here. 3 is the pipe of stderr. The shells'
# own stderr is /dev/null: "Terminated" belongs in nobody's log. Traps with a command are reset in the program, unlike
# ignored signals, which only the pumps have. An exec costs 1 ms of the time to the first byte, so records use builtins,
# and the pump for stderr, which has time, writes down the wrapper. A pipeline has the exit status of its pump; one that
# failed by itself met a full disk.

exec 4>>"$folder/run" 5>>"$folder/out" 6>>"$folder/err" || exit 75
echo "started $attempt" >&4 || exit 75
mine=
while read -r line; do
  case $line in
    "attempt $attempt "*) mine=yes ;;
    "abandoned $attempt") exit 75 ;;
    "started $attempt") break ;;
  esac
done <"$folder/run"
[ "$mine" ] || exit 75
trap : TERM INT HUP
{
  trap : TERM INT HUP
  {
    trap : TERM INT HUP
    (
      read -r line </proc/self/stat || line=$(exec /bin/sh -c 'echo $PPID')
      echo "leader $line" >&4
      eval "exec $start" </dev/null 2>&3 3>&- 4>&- 5>&- 6>&-
    )
    echo "exit $?" >&4
  } | {
    trap '' TERM INT HUP
    export SIGNALMAN_PUMP="$SIGNALMAN_TASK"
    unset SIGNALMAN_TASK folder attempt start $carried carried
    exec /bin/cat >&5 3>&- 4>&- 5>&- 6>&-
  }
  [ $? -gt 0 -a $? -lt 128 ] && echo "unwritten out" >&4
} 3>&1 | {
  trap '' TERM INT HUP
  read -r line </proc/$$/stat || line=$$
  echo "wrapper $line" >&4
  export SIGNALMAN_PUMP="$SIGNALMAN_TASK"
  unset SIGNALMAN_TASK folder attempt start $carried carried
  exec /bin/cat >&6 4>&- 5>&- 6>&-
}
[ $? -gt 0 -a $? -lt 128 ] && echo "unwritten err" >&4
