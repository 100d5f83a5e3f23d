"""Runs a program on a terminal of its own: on-terminal.py ROWS COLUMNS PROGRAM ARG…
Stdin is typed there (\x03 is Ctrl-C; ESC[8;ROWS;COLUMNSt makes the terminal another size), what the terminal shows comes on stdout, and the exit code is the program's."""
import fcntl, os, pty, re, select, struct, sys, termios

rows, columns, *command = sys.argv[1:]


def resize(descriptor, rows, columns):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))


pid, terminal = pty.fork()
if pid == 0:
    resize(0, rows, columns)
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
            size = re.fullmatch(rb"\x1b\[8;(\d+);(\d+)t", data) if source == 0 else None
            if size:
                resize(terminal, *size.groups())
            else:
                os.write(terminal if source == 0 else 1, data)
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
