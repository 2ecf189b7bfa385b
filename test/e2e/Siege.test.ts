/**
 * A real node under attack from every side, and a good peer that has to converge with it meanwhile.
 */
import { afterEach, assert, beforeEach, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { type Socket, connect as connectPlain } from "node:net"
import { join } from "node:path"
import { connect } from "node:tls"
import { WebSocket } from "ws"
import { converged, Nodes, until } from "../support/Nodes.ts"

let nodes: Nodes
let attack: Attack
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(async () => {
  attack.end()
  await nodes.dispose()
})

/**
 * Attackers on addresses of their own and on that of the good peer; each comes back as soon as it is sent away. Where a kind is kept
 * at one address, all of it is there.
 */
class Attack {
  private readonly sockets = new Set<Socket>()
  private readonly timers = new Set<NodeJS.Timeout>()
  private isOver = false
  /** How often each kind of attacker has come. */
  readonly came: Record<string, number> = {}
  private readonly port: number

  constructor(port: number) {
    this.port = port
  }

  end(): void {
    this.isOver = true
    for (const timer of this.timers) clearInterval(timer)
    for (const socket of this.sockets) socket.destroy()
  }

  /** Keeps `count` attackers of a kind at it. */
  keep(kind: string, count: number, over: "tcp" | "tls", onReady: (socket: Socket) => void, address?: string): void {
    for (let n = 0; n < count; n++) {
      const localAddress = address ?? (n % 4 === 0 && kind !== "guessing" ? "127.0.0.1" : `127.0.2.${1 + (n % 20)}`)
      const come = () => {
        if (this.isOver) return
        this.came[kind] = (this.came[kind] ?? 0) + 1
        const to = { host: "127.0.0.1", port: this.port, localAddress }
        const socket =
          over === "tls"
            ? connect({ ...to, socket: this.kept(connectPlain(to)), rejectUnauthorized: false }, () => onReady(socket))
            : connectPlain(to, () => onReady(socket))
        this.kept(socket).once("close", () => {
          const timer = setTimeout(() => {
            this.timers.delete(timer)
            come()
          }, 250)
          this.timers.add(timer)
        })
      }
      come()
    }
  }

  /** Sends bytes one by one for as long as the socket lasts. */
  trickle(socket: Socket, head: string): void {
    socket.write(head, "latin1")
    const timer = setInterval(() => socket.write("a"), 200)
    this.timers.add(timer)
    socket.once("close", () => {
      clearInterval(timer)
      this.timers.delete(timer)
    })
  }

  /** Comes as a peer does, and says something that is none of its business. */
  greet(socket: Socket, text: string, more: Readonly<Record<string, string>> = {}): void {
    const headers = { "Feral-Sync": "2", "Feral-Sync-Nonce": "n".repeat(43), ...more }
    const peer = new WebSocket(`ws://127.0.0.1:${this.port}/sync`, { createConnection: () => socket, headers })
    peer.on("error", () => {})
    peer.on("open", () => peer.send(text))
  }

  private kept<S extends Socket>(socket: S): S {
    this.sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => this.sockets.delete(socket))
    socket.resume()
    return socket
  }
}

const hello = { type: "sync_request", node_id: "evil", vector_clock: {}, proof: "A".repeat(43) }

/** Resident memory of a process. */
const residentMb = (pid: number) =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

it("a node under siege converges with a good peer, and answers its own user", { timeout: 180_000 }, async () => {
  const besieged = nodes.make()
  await besieged.seed(2_000)
  await besieged.start()
  attack = new Attack(besieged.port)
  attack.keep("silent", 60, "tcp", () => {})
  attack.keep("slow in TLS", 20, "tcp", (socket) => attack.trickle(socket, "\x16\x03\x01\x40\x00"))
  attack.keep("slow in the head", 20, "tls", (socket) => attack.trickle(socket, "GET /sync HTTP/1.1\r\nX: "))
  attack.keep("garbage", 20, "tcp", (socket) => socket.end("\x00\xff garbage\r\n\r\n", "latin1"))
  attack.keep("pages", 20, "tls", (socket) => socket.write("GET /sync HTTP/1.1\r\nHost: x\r\n\r\n"))
  attack.keep("upgraded and silent", 20, "tls", (socket) => attack.greet(socket, ""))
  attack.keep("guessing", 8, "tls", (socket) => attack.greet(socket, JSON.stringify(hello)))
  await until(
    "the siege is on",
    () => Promise.resolve({ ...attack.came }),
    (came) => Object.keys(came).length === 7 && (came["guessing"] ?? 0) > 20
  )

  const good = await nodes.make({ FERAL_SYNC_PEERS: besieged.address }).start()
  await good.cli("note", "add", "from the good peer")
  const [one] = await converged([besieged, good], 60_000)
  assert.strictEqual(one?.counts.notes, 2_001)
  await besieged.cli("note", "add", "written under siege")
  const [other] = await converged([good, besieged], 20_000)
  assert.strictEqual(other?.counts.notes, 2_002)

  assert.isBelow(residentMb(besieged.pid), 400)

  // Nothing came of it but a few lines in the log.
  const status = await besieged.status()
  assert.deepStrictEqual(
    status.peers.filter(({ state }) => state === "live").map(({ node_id }) => node_id),
    [good.id]
  )
  assert.isBelow(besieged.log.split("\n").length, 150)
})

it("a member that was met before comes back past guessers at its own address", { timeout: 120_000 }, async () => {
  const besieged = await nodes.make().start()
  attack = new Attack(besieged.port)
  const good = await nodes.make({ FERAL_SYNC_PEERS: besieged.address }).start()
  await until(
    "the two have met",
    () => Promise.resolve(existsSync(join(good.home, "tickets"))),
    (isThere) => isThere
  )
  await good.stop()
  await good.cli("note", "add", "written meanwhile")

  // Some of them also show what they take for a ticket.
  const ticket = { "Feral-Sync-Ticket": `${"A".repeat(22)}.${"A".repeat(43)}` }
  const guess = (socket: Socket) => attack.greet(socket, JSON.stringify(hello))
  const guessWithTicket = (socket: Socket) => attack.greet(socket, JSON.stringify(hello), ticket)
  attack.keep("guessing", 30, "tls", guess, "127.0.0.1")
  attack.keep("guessing with a ticket", 10, "tls", guessWithTicket, "127.0.0.1")
  await until(
    "the guessers are at it",
    () => Promise.resolve({ ...attack.came }),
    (came) => (came["guessing"] ?? 0) > 100 && (came["guessing with a ticket"] ?? 0) > 30,
    30_000
  )
  // Their address has to wait, and goes on to be told so.
  const { peers } = await besieged.status()
  assert.isTrue(peers.every(({ state }) => state === "refused" || state === "backoff"))

  await good.start()
  const [one] = await converged([besieged, good], 10_000)
  assert.strictEqual(one?.counts.notes, 1)
  assert.notInclude(good.log, "RateLimited")
})
