"""Runs a program on a terminal of its own: on-terminal.py ROWS COLUMNS PROGRAM ARG…
Stdin is typed there (\x03 is Ctrl-C), what the terminal shows comes on stdout, and the exit code is the program's."""
import fcntl, os, pty, select, struct, sys, termios

rows, columns, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    size = struct.pack("HHHH", int(rows), int(columns), 0, 0)
    fcntl.ioctl(0, termios.TIOCSWINSZ, size)
    os.execvp(command[0], command)

sources = [terminal, 0]
while terminal in sources:
    for source in select.select(sources, [], [])[0]:
        try:
            data = os.read(source, 65536)
        except OSError:  # EIO: the program has closed its side
            data = b""
        if not data:
            sources.remove(source)
        else:
            os.write(terminal if source == 0 else 1, data)
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
