#!/usr/bin/python3
"""An existing FERAL node in a few hundred lines: form 1 of the wire, both generations, with their quirks.

Driven by JSON lines on standard input, tells what happens in JSON lines on standard output. See README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import secrets
import signal
import ssl
import sys
import time
from typing import Any

import websockets
from zeroconf import IPVersion, ServiceInfo
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

MIB = 1024 * 1024
OP_KEYS = {"op_id", "table", "op_type", "row_id", "data", "hlc", "origin_node", "timestamp"}
TEXT_COLUMNS = {"notes": ("content", "tags"), "episodes": ("summary",)}
SERVICE = "_feral._tcp.local."
Op = dict[str, Any]


def emit(event: str, **facts: Any) -> None:
    print(json.dumps({"event": event, **finite(facts)}), flush=True)


def finite(value: Any) -> Any:
    """What the test reads is JSON, also where this node holds what is not."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list) else value


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


# What Python keeps in a row and writes with its json module, and JSON has no word for, or no room.
ODD = {"nan": math.nan, "infinity": [1, math.inf], "-infinity": -math.inf, "deep": nested(100),
       "digits": 12345678901234567891, "-0.0": -0.0}


def parse_hlc(text: str) -> tuple[int, int, str]:
    wall, counter, node = text.split(":", 2)
    return int(wall), int(counter), node


class BatchCut(Exception):
    """The early generation drops the connection without an answer."""


class Log:
    """The operations, which survive a restart, and the vector clock, which does not."""

    def __init__(self, node_id: str, path: str | None, newest: bool) -> None:
        self.node_id = node_id
        self.path = path or None
        self.newest = newest
        self.ops: dict[str, Op] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self.winners: dict[tuple[str, str], str] = {}
        self.clock: dict[str, str] = {}
        self.wall, self.counter = 0, 0
        if path and os.path.exists(path):
            with open(path, encoding="utf8") as file:
                for op in json.load(file):
                    self.ops[op["op_id"]] = op
                    self.materialise(op)

    def save(self) -> None:
        if self.path:
            with open(self.path + ".tmp", "w", encoding="utf8") as file:
                json.dump(list(self.ops.values()), file)
            os.replace(self.path + ".tmp", self.path)

    def tick(self) -> str:
        now = int(time.time() * 1000)
        self.wall, self.counter = (now, 0) if now > self.wall else (self.wall, self.counter + 1)
        return f"{self.wall}:{self.counter}:{self.node_id}"

    def advance(self, origin: str, hlc: str) -> None:
        if parse_hlc(hlc) > parse_hlc(self.clock.get(origin, "0:0:")):
            self.clock[origin] = hlc
        self.wall, self.counter = max((self.wall, self.counter), parse_hlc(hlc)[:2])

    def write(self, table: str, row_id: str, data: Any, op_type: str, scope: str = "family") -> Op:
        hlc = self.tick()
        op = {
            "op_id": secrets.token_hex(16), "table": table, "op_type": op_type, "row_id": row_id, "data": data,
            "hlc": hlc, "origin_node": self.node_id, "timestamp": self.wall / 1000,
        }
        if self.newest:
            op["scope"] = scope
        self.take(op)
        return op

    def materialise(self, op: Op) -> None:
        table, row = op["table"], op["row_id"]
        if self.newest:
            held = self.winners.get((table, row))
            if held and parse_hlc(held) >= parse_hlc(op["hlc"]):
                return
            self.winners[(table, row)] = op["hlc"]
        # The early generation goes by arrival, deletes episodes as well, and does nothing on an update.
        if op["op_type"] == "insert":
            self.rows.setdefault(table, {})[row] = op["data"]
        elif op["op_type"] == "delete":
            self.rows.setdefault(table, {}).pop(row, None)

    def take(self, op: Op) -> None:
        self.advance(op["origin_node"], op["hlc"])
        is_new = op["op_id"] not in self.ops
        if is_new:
            self.ops[op["op_id"]] = op
        # The early generation applies whatever arrives, in the order of arrival, and again when it arrives again.
        if is_new or not self.newest:
            self.materialise(op)

    def apply(self, changes: list[Op], scopes: set[str]) -> int:
        """Takes a batch. The early generation cuts it at the first operation that it does not understand."""
        taken = 0
        for op in changes:
            if not self.newest:
                if set(op) != OP_KEYS or not isinstance(op.get("hlc"), str) or op["hlc"].count(":") < 2:
                    self.save()
                    raise BatchCut(f"an operation with the keys {sorted(op)}")
            elif op.get("scope") not in scopes:
                continue
            if isinstance(op["data"], dict) and not isinstance(op["data"].get("tags", ""), str):
                self.save()
                raise BatchCut("tags are no text")
            self.take(op)
            taken += 1
        self.save()
        return taken

    def lacked_by(self, peer: str, reported: dict[str, str], scopes: set[str]) -> list[Op]:
        if self.newest:
            return [
                op for op in self.ops.values()
                if op.get("scope") in scopes and later(op["hlc"], reported.get(op["origin_node"], "0:0:"))
            ]
        mark = reported.get(self.node_id, "0:0:")
        return [op for op in self.ops.values() if op["origin_node"] != peer and later(op["hlc"], mark)]


def later(hlc: str, mark: str) -> bool:
    try:
        return parse_hlc(hlc)[:2] > parse_hlc(mark)[:2]
    except ValueError:
        return True


class Node:
    """The wire: one exchange per connection."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.newest = args.generation == "newest"
        self.log = Log(args.node_id or f"old-{secrets.token_hex(6)}", args.state, self.newest)
        self.scopes = {scope for scope in (args.scopes or "").split(",") if scope}
        self.targets: dict[str, float] = {}
        self.port = 0

    # TLS

    def context(self, server: bool) -> ssl.SSLContext | None:
        args = self.args
        if not args.tls_cert:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_cert_chain(args.tls_cert, args.tls_key)
        context.load_verify_locations(args.tls_ca)
        context.verify_mode = ssl.CERT_REQUIRED if not server or args.require_client_cert else ssl.CERT_NONE
        return context

    # Messages

    async def send(self, socket: Any, facts: dict[str, Any], message: Any) -> None:
        text = json.dumps(message)
        facts["bytes"] += len(text)
        await socket.send(text)

    async def receive(self, socket: Any, facts: dict[str, Any], limit: float | None) -> Any:
        text = await asyncio.wait_for(socket.recv(), limit)
        facts["bytes"] += len(text)
        return json.loads(text)

    async def send_data(self, socket: Any, facts: dict[str, Any], ops: list[Op]) -> int:
        if not self.newest:
            await self.send(socket, facts, {"type": "sync_data", "changes": ops})
            return 1
        frames = [ops[start:start + 100] for start in range(0, len(ops), 100)] or [[]]
        for seq, changes in enumerate(frames):
            more = seq < len(frames) - 1
            await self.send(socket, facts, {"type": "sync_data", "seq": seq, "more": more, "changes": changes})
        return len(frames)

    async def receive_data(self, socket: Any, facts: dict[str, Any], limit: float | None) -> None:
        while True:
            text = await asyncio.wait_for(socket.recv(), limit)
            message = json.loads(text)
            if message["type"] == "sync_error":
                raise RuntimeError(message.get("message", ""))
            if message["type"] != "sync_data":
                raise RuntimeError(f"{message['type']} where sync_data was due")
            facts["frames_in"] += 1
            facts["bytes"] += len(text)
            facts["largest_frame_in"] = max(facts["largest_frame_in"], len(text.encode()))
            facts["received_ops"] += self.log.apply(message["changes"], self.scopes)
            if self.args.apply_rate:
                await asyncio.sleep(len(message["changes"]) / self.args.apply_rate)
            if not (self.newest and message.get("more")):
                return

    def facts(self, role: str) -> dict[str, Any]:
        return {"role": role, "peer_node": None, "sent_ops": 0, "received_ops": 0, "frames_in": 0, "frames_out": 0,
                "largest_frame_in": 0, "bytes": 0, "ok": False, "error": None}

    async def serve(self, socket: Any) -> None:
        facts = self.facts("server")
        try:
            request = await self.receive(socket, facts, 10 if self.newest else None)
            facts["peer_node"] = request["node_id"]
            refusal = self.refusal(request.get("passphrase", ""), request["node_id"])
            if refusal:
                await self.send(socket, facts, refusal)
                raise RuntimeError(refusal["message"])
            await self.send(socket, facts,
                            {"type": "sync_response", "node_id": self.log.node_id, "vector_clock": self.log.clock})
            await self.receive_data(socket, facts, None)
            ops = self.log.lacked_by(request["node_id"], request["vector_clock"], self.scopes)
            facts["frames_out"] = await self.send_data(socket, facts, ops)
            facts["sent_ops"] = len(ops)
            facts["ok"] = True
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            facts["error"] = f"{type(error).__name__}: {error}"
        emit("exchange", **facts)
        if self.args.close_frame:
            await socket.close()
        else:
            # What was sent has to leave; then the connection just ends, which the other side sees as 1006.
            await asyncio.sleep(0.05)
            socket.transport.close()

    def refusal(self, passphrase: str, peer: str) -> dict[str, str] | None:
        ours = self.args.passphrase
        if self.args.require_identity:
            return {"type": "sync_error", "message": "Peer identity required", "reason": "peer_identity_required"}
        if peer == self.log.node_id:
            return {"type": "sync_error", "message": "Duplicate node id"}
        if ours == "":
            if not self.newest:
                return None
            return {"type": "sync_error", "message": "Passphrase unset", "reason": "passphrase_unset"}
        if passphrase == ours:
            return None
        reason = {"reason": "invalid_passphrase"} if self.newest else {}
        return {"type": "sync_error", "message": "Invalid passphrase", **reason}

    async def dial(self, address: str) -> None:
        for _attempt in range(3):
            facts = self.facts("dialler")
            try:
                await self.exchange(address, facts)
                facts["ok"] = True
            except Exception as error:  # noqa: BLE001
                facts["error"] = f"{type(error).__name__}: {error}"
            emit("exchange", **facts)
            if facts["ok"]:
                return
            await asyncio.sleep(0.2)

    async def exchange(self, address: str, facts: dict[str, Any]) -> None:
        context = self.context(server=False)
        url = f"{'wss' if context else 'ws'}://{address}/sync"
        limit = (8 if self.newest else 1) * MIB
        async with websockets.connect(url, ssl=context, max_size=limit, open_timeout=5, close_timeout=1) as socket:
            await self.send(socket, facts, {"type": "sync_request", "node_id": self.log.node_id,
                                            "vector_clock": self.log.clock, "passphrase": self.args.passphrase})
            response = await self.receive(socket, facts, 5)
            if response["type"] != "sync_response":
                raise RuntimeError(response.get("message", response["type"]))
            facts["peer_node"] = response["node_id"]
            ops = self.log.lacked_by(response["node_id"], response["vector_clock"], self.scopes)
            facts["frames_out"] = await self.send_data(socket, facts, ops)
            facts["sent_ops"] = len(ops)
            await self.receive_data(socket, facts, 5)

    # Life

    async def keep_dialling(self) -> None:
        while True:
            now = time.monotonic()
            for address, due in list(self.targets.items()):
                if due <= now:
                    self.targets[address] = now + self.args.interval
                    await self.dial(address)
            await asyncio.sleep(0.1)

    async def announce(self) -> AsyncZeroconf:
        args = self.args
        zeroconf = AsyncZeroconf(interfaces=[args.mdns_interface], ip_version=IPVersion.V4Only)
        name = f"feral-{self.log.node_id}.{SERVICE}"
        await zeroconf.async_register_service(ServiceInfo(
            SERVICE, name, port=self.port, parsed_addresses=[args.mdns_interface],
            properties={"node_id": self.log.node_id, "version": "1.0.0"}, server=f"feral-{self.log.node_id}.local."))

        def seen(zeroconf: Any, service_type: str, name: str, state_change: Any) -> None:
            asyncio.ensure_future(self.resolve(zeroconf, service_type, name))

        self.browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[seen])
        return zeroconf

    async def resolve(self, zeroconf: Any, service_type: str, name: str) -> None:
        info = AsyncServiceInfo(service_type, name)
        if not await info.async_request(zeroconf, 3000):
            return
        node_id = (info.properties.get(b"node_id") or b"").decode()
        addresses = info.parsed_addresses(IPVersion.V4Only)
        if node_id and node_id != self.log.node_id and addresses:
            self.targets.setdefault(f"{addresses[0]}:{info.port}", 0)

    async def command(self, line: str) -> bool:
        command = json.loads(line)
        kind = command["cmd"]
        if kind in ("write", "delete"):
            op_type = "delete" if kind == "delete" else command.get("op_type", "insert")
            data = command.get("data", {})
            if "odd" in command:
                data = {**data, "odd": ODD[command["odd"]]}
            op = self.log.write(command["table"], command["row_id"], data, op_type, command.get("scope", "family"))
            self.log.save()
            emit("written", op=op)
        elif kind == "bulk":
            for index in range(command["count"]):
                row = f"bulk-{index}"
                content = f"note {index}".ljust(command.get("size", 0), ".")
                self.log.write(command["table"], row, {"id": row, "content": content, "tags": "[]"}, "insert")
            self.log.save()
            emit("written", op=None)
        elif kind == "inject":
            self.log.ops[command["op"]["op_id"]] = command["op"]
        elif kind == "dump":
            # As texts as well: not every number is read as it is written.
            texts = {table: {row: json.dumps(data) for row, data in rows.items()} for table, rows in self.log.rows.items()}
            emit("dump", log=list(self.log.ops.values()), rows=self.log.rows, texts=texts, vector_clock=self.log.clock)
        elif kind == "grant":
            self.scopes.add(command["scope"])
            emit("granted", scope=command["scope"])
        elif kind == "sync":
            await self.dial(command["peer"])
            emit("synced", peer=command["peer"])
        elif kind == "stop":
            return False
        return True

    async def run(self) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        server = await websockets.serve(self.serve, self.args.host, self.args.port, ssl=self.context(server=True),
                                        max_size=16 * MIB)
        self.port = server.sockets[0].getsockname()[1]
        self.targets = {peer: 0.0 for peer in (self.args.peers or "").split(",") if peer}
        zeroconf = await self.announce() if self.args.mdns else None
        emit("ready", port=self.port, node_id=self.log.node_id)
        reader = asyncio.StreamReader(limit=64 * MIB)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

        async def listen() -> None:
            while line := await reader.readline():
                if not await self.command(line.decode()):
                    break
            stopped.set()

        tasks = [asyncio.create_task(listen()), asyncio.create_task(self.keep_dialling())]
        await stopped.wait()
        for task in tasks:
            task.cancel()
        self.log.save()
        # Its records are never withdrawn: the process just ends.
        del zeroconf
        os._exit(0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generation", choices=["early", "newest"], default="early")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--node-id", help="random when it is not given, so another one after each restart")
    parser.add_argument("--passphrase", default="")
    parser.add_argument("--state", help="file that keeps the log over a restart; the vector clock is lost")
    parser.add_argument("--mdns", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--mdns-interface", default="127.0.0.1")
    parser.add_argument("--peers", help="host:port,host:port")
    parser.add_argument("--interval", type=float, default=30)
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    parser.add_argument("--tls-ca")
    parser.add_argument("--require-client-cert", action="store_true")
    parser.add_argument("--scopes", help="scopes that are granted (newest)")
    parser.add_argument("--require-identity", action="store_true", help="lets in nobody without a peer identity")
    parser.add_argument("--close-frame", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--apply-rate", type=float, default=0, help="operations per second")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(Node(arguments()).run())
