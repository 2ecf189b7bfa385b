/**
 * A TCP proxy on loopback that counts the bytes of both directions: the same instrument for every project, whatever it speaks.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

export class Proxy {
  private readonly sockets = new Set<Socket>()
  private readonly server: Server
  private counted = 0
  private last = 0

  private constructor(target: number) {
    this.server = createServer({ noDelay: true }, (near) => {
      const far = connect({ port: target, host: "127.0.0.1", noDelay: true })
      for (const [from, to] of [
        [near, far],
        [far, near]
      ] as const) {
        this.sockets.add(from)
        from.on("data", (bytes: Buffer) => {
          this.counted += bytes.length
          this.last = performance.now()
        })
        from.pipe(to)
        from.on("error", () => to.destroy())
        from.on("close", () => {
          this.sockets.delete(from)
          to.destroy()
        })
      }
    })
  }

  /** Listens on a free port, and connects whoever comes with `target`. */
  static async open(target: number): Promise<Proxy> {
    const proxy = new Proxy(target)
    await new Promise<void>((resolve) => proxy.server.listen(0, "127.0.0.1", resolve))
    return proxy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** The bytes since the last call, once nothing has passed for a quarter of a second; for three seconds at most. */
  async bytes(): Promise<number> {
    const begin = performance.now()
    while (performance.now() - this.last < 250 && performance.now() - begin < 3000) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const { counted } = this
    this.counted = 0
    return counted
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
