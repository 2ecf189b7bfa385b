"""A service manager as a node sees it: prints each message that comes to the socket that is named, one a line."""
import socket
import sys

server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
print("listening", flush=True)
while True:
    for line in server.recv(4096).decode().splitlines():
        print(line, flush=True)
