# Wrapper of a task's program: starts the program, drains its output into the spool, and records how it ended. Servers may
# come and go meanwhile. wrapper.ts starts a shell with this script as its stdin and these variables in its environment:
#
#     folder, attempt    the spool, and the id of this attempt to start
#     SIGNALMAN_TASK     the task's marker
#     start              shell words: namespaces, a separate session for the program, its environment, the program
#     owner              uid:gid of the user as whom the program runs, if not the server's
#     isolated           not empty: these words begin with namespaces, whose first process is reported to the journal
#     carried            names of the variables that hold the program's environment and arguments
#
# The wrapper, its two subshells and the two pumps share a session; the program gets a separate session. So neither
# `kill 0` nor SIGKILL to the program's group reaches the processes that record and drain, and "in the wrapper's session"
# tells these from the task's processes. The program writes into pipes, not files, since `> /dev/stderr` would
# truncate a file. The pumps drop the program's variables, so that they show no secrets and do not carry its marker.
#
# The files of the spool are opened before the program runs, so that nothing that it puts in their place is written to.
# Descriptor 3 is the pipe of stderr, 4 the journal (journal.ts explains its lines), 5 and 6 the files of stdout and
# stderr. The shells' own stderr is /dev/null, so that their message "Terminated" reaches no log. Traps with a command are
# reset in the program; ignored signals are not, so only the pumps ignore them. An exec adds 1 ms to the time to the first
# byte, so records use builtins, and the wrapper's identity is written by the pump for stderr, which has time. A pipeline
# has the exit status of its pump; a pump that exits with an error has met a full disk.

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
      # The user gets the pipes: a program opens them anew by /dev/stdout and /dev/stderr.
      [ "$owner" ] && /bin/chown "$owner" /dev/fd/1 /dev/fd/3
      # The command that makes namespaces closes the journal before it starts the program.
      [ "$isolated" ] && eval "exec $start" </dev/null 2>&3 3>&- 5>&- 6>&-
      read -r line </proc/self/stat || line=$(exec /bin/sh -c 'echo $PPID')
      echo "leader $line" >&4
      eval "exec $start" </dev/null 2>&3 3>&- 4>&- 5>&- 6>&-
    )
    echo "exit $?" >&4
  } | {
    trap '' TERM INT HUP
    export SIGNALMAN_PUMP="$SIGNALMAN_TASK"
    unset SIGNALMAN_TASK folder attempt start owner isolated $carried carried
    exec /bin/cat >&5 3>&- 4>&- 5>&- 6>&-
  }
  [ $? -gt 0 -a $? -lt 128 ] && echo "unwritten out" >&4
} 3>&1 | {
  trap '' TERM INT HUP
  read -r line </proc/$$/stat || line=$$
  echo "wrapper $line" >&4
  export SIGNALMAN_PUMP="$SIGNALMAN_TASK"
  unset SIGNALMAN_TASK folder attempt start owner isolated $carried carried
  exec /bin/cat >&6 4>&- 5>&- 6>&-
}
[ $? -gt 0 -a $? -lt 128 ] && echo "unwritten err" >&4
