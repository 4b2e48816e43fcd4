"""The program on the sandbox's PATH, installed under each tool's name.

It imports built-in modules only, so that it starts as fast as `python -S`.

It sends the call to the state server over a Unix socket and carries out the server's messages:
("out"|"err", bytes)  ("stdin",)  ("exit", code)  ("run", argv, env, wait)  ("plugin", path, argv, env, stderr). Each message is marshalled, preceded by its length in 4 bytes.
"""

import _signal
import _socket
import marshal
import posix
import sys

BOX = "@BOX@"


def main() -> None:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    name = sys.argv[0].rpartition("/")[2]
    line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        line.connect(BOX + "/s")
    except OSError as why:
        posix.write(2, f"{name}: the sandbox {BOX} does not answer: {why}\n".encode())
        posix._exit(127)
    try:
        cwd = posix.getcwdb()
    except OSError:
        cwd = b"/"
    tty = posix.isatty(0) and posix.isatty(1)
    argv = [a.encode("utf-8", "surrogateescape") for a in sys.argv[1:]]
    send(line, ("call", name, argv, dict(posix.environ), cwd, posix.getpid(), tty))
    while True:
        message = receive(line)
        if message is None:
            posix.write(2, f"{name}: the sandbox ended\n".encode())
            posix._exit(127)
        obey(line, message)


def obey(line: _socket.socket, message: tuple) -> None:  # type: ignore[type-arg]
    """Carry out one message of the server."""
    what = message[0]
    if what == "out" or what == "err":
        write(1 if what == "out" else 2, message[1])
    elif what == "exit":
        posix._exit(message[1])
    elif what == "stdin":
        send(line, ("stdin", read_all(0)))
    elif what == "run":
        run(line, message[1], message[2], message[3])
    elif what == "plugin":
        plugin(line, *message[1:])


def plugin(line: _socket.socket, path: bytes, argv: list[bytes], env: dict[bytes, bytes], stderr: bytes) -> None:
    """Run a credential plug-in as client-go does: in this process group, without stdin, until its stdout is closed everywhere."""
    reading, writing = posix.pipe()
    files: list[tuple[object, ...]] = [
        (posix.POSIX_SPAWN_OPEN, 0, "/dev/null", posix.O_RDONLY, 0),
        (posix.POSIX_SPAWN_DUP2, writing, 1),
    ]
    if stderr:
        files.append((posix.POSIX_SPAWN_OPEN, 2, stderr, posix.O_WRONLY | posix.O_APPEND, 0))
    try:
        child = posix.posix_spawn(path, argv, env, file_actions=files)
    except OSError as why:
        posix.close(reading)
        posix.close(writing)
        send(line, ("failed", why.strerror))
        return
    posix.close(writing)
    stdout = read_all(reading)
    posix.close(reading)
    code = posix.waitstatus_to_exitcode(posix.waitpid(child, 0)[1])
    send(line, ("ended", code, stdout))


def run(line: _socket.socket, argv: list[bytes], extra: dict[bytes, bytes], wait: bool) -> None:
    environment = dict(posix.environ)
    environment.update(extra)
    if not wait:
        import os

        os.execvpe(argv[0], argv, environment)
    import signal
    import subprocess

    try:
        child = subprocess.Popen(argv, env=environment)
    except OSError as why:
        send(line, ("ended", 127, str(why)))
        return

    def forward(number: int, _frame: object) -> None:
        child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    send(line, ("started", child.pid))
    code = child.wait()
    send(line, ("ended", code, ""))


def send(line: _socket.socket, message: tuple) -> None:  # type: ignore[type-arg]
    data = marshal.dumps(message)
    line.sendall(len(data).to_bytes(4, "big") + data)


def receive(line: _socket.socket) -> tuple | None:  # type: ignore[type-arg]
    head = exactly(line, 4)
    if head is None:
        return None
    data = exactly(line, int.from_bytes(head, "big"))
    return None if data is None else marshal.loads(data)


def exactly(line: _socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        more = line.recv(size - len(data))
        if not more:
            return None
        data += more
    return data


def read_all(number: int) -> bytes:
    data = b""
    while True:
        more = posix.read(number, 1 << 16)
        if not more:
            return data
        data += more


def write(number: int, data: bytes) -> None:
    while data:
        try:
            data = data[posix.write(number, data) :]
        except BlockingIOError:
            continue
        except OSError:
            posix._exit(1)


if __name__ == "__main__":
    main()
