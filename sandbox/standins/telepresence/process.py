"""The daemon's process: it sets the real daemon's title, connects to the state server, and runs until either ends.

The user daemon starts credential plug-ins on request, as the real one does.

Arguments: the server's socket, the daemon's id, the words of the title.
"""

import _socket
import ctypes
import marshal
import posix
import sys

sys.path.insert(0, __file__.rsplit("/", 3)[0] + "/server")
import client  # type: ignore[import-not-found]


def main() -> None:
    title(sys.argv[3:])
    if sys.argv[2].endswith("/root"):
        ctypes.CDLL(None).prctl(
            4, 0, 0, 0, 0
        )  # PR_SET_DUMPABLE: nobody but root may read its environment, as with root's
    line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        line.connect(sys.argv[1])
        data = marshal.dumps(("daemon", sys.argv[2]))
        line.sendall(len(data).to_bytes(4, "big") + data)
        while (message := client.receive(line)) is not None:
            if message[0] == "plugin":
                client.plugin(line, *message[1:])
    except OSError:
        pass  # the sandbox has stopped
    posix._exit(0)


def title(words: list[str]) -> None:
    """Overwrite the command line that ps and /proc/PID/cmdline show for this process."""
    with open("/proc/self/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    start, end = int(fields[45]), int(fields[46])
    text = b"\0".join(w.encode() for w in words) + b"\0"
    room = end - start
    text = text[: room - 1].ljust(room, b"\0")
    ctypes.memmove(start, text, room)
    ctypes.CDLL(None).prctl(15, b"telepresence", 0, 0, 0)  # PR_SET_NAME


if __name__ == "__main__":
    main()
