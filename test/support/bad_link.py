"""A hub that is far away: passes every frame between its interfaces on, late, or not at all.

Usage: bad_link.py DELAY_MS LOSS_PERCENT SEED INTERFACE...

It takes no module of the kernel. Frames keep what the kernel still has to do on them (checksums, segments), as they do
between the ports of a bridge.
"""

import heapq
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23

delay = float(sys.argv[1]) / 1000
loss = float(sys.argv[2]) / 100
chance = random.Random(int(sys.argv[3]))
ports = []
for interface in sys.argv[4:]:
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    port.bind((interface, ETH_P_ALL))
    port.setblocking(False)
    ports.append(port)

under_way = []
number = 0
print("ready", flush=True)
while True:
    wait = max(0, under_way[0][0] - time.monotonic()) if under_way else None
    readable, _, _ = select.select(ports, [], [], wait)
    now = time.monotonic()
    for port in readable:
        try:
            frame = port.recv(70_000)
        except OSError:
            continue
        for other in ports:
            if other is port or chance.random() < loss:
                continue
            number += 1
            heapq.heappush(under_way, (now + delay, number, other, frame))
    while under_way and under_way[0][0] <= now:
        _, _, other, frame = heapq.heappop(under_way)
        try:
            other.send(frame)
        except OSError:
            pass
