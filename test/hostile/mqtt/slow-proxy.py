"""A TCP proxy with small buffers that stops reading from its clients when it is told to: `stop` and `go` on stdin.

Prints its port. Node cannot set buffer and segment sizes: with its defaults megabytes fit between two sockets of one machine.
"""
import socket
import sys
import threading

RECEIVE_BUFFER_BYTES = 16 * 1024
SEGMENT_BYTES = 1448

may_read = threading.Event()
may_read.set()


def forward(source, target, gate):
    try:
        while True:
            if gate is not None:
                gate.wait()
            data = source.recv(4096)
            if not data:
                break
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(listener, port):
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=forward, args=(client, server, may_read), daemon=True).start()
        threading.Thread(target=forward, args=(server, client, None), daemon=True).start()


listener = socket.socket()
# Before listen: a connection inherits them.
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
listener.bind(("127.0.0.1", 0))
listener.listen()
threading.Thread(target=serve, args=(listener, int(sys.argv[1])), daemon=True).start()
print(listener.getsockname()[1], flush=True)
for line in sys.stdin:
    if line.strip() == "stop":
        may_read.clear()
    else:
        may_read.set()
