/**
 * Writes to a running node over its socket, without pause, and remembers what was acknowledged.
 */
import { request } from "node:http"
import { join } from "node:path"
import type { Node } from "./Nodes.ts"

export interface Acknowledged {
  readonly id: string
  readonly hlc: string
}

/** Writes one note. `undefined` when the node did not acknowledge it. */
export const write = (node: Node, content: string): Promise<Acknowledged | undefined> =>
  new Promise((resolve) => {
    const asked = request(
      {
        socketPath: join(node.home, "feral-sync.sock"),
        path: "/notes",
        method: "POST",
        headers: { "content-type": "application/json" }
      },
      (response) => {
        let body = ""
        response.setEncoding("utf8").on("data", (text: string) => (body += text))
        response.on("end", () => resolve(response.statusCode === 200 ? (JSON.parse(body) as Acknowledged) : undefined))
        response.on("error", () => resolve(undefined))
      }
    )
    asked.on("error", () => resolve(undefined))
    asked.end(JSON.stringify({ content }))
  })

/** Goes on writing until it is stopped, through every restart of the node. */
export class Writer {
  readonly acknowledged: Array<Acknowledged> = []
  refused = 0
  private running = true
  private readonly ended: Promise<void>

  constructor(node: Node) {
    this.ended = (async () => {
      for (let n = 0; this.running; n++) {
        const answer = await write(node, `${node.id} ${n}`)
        if (answer === undefined) {
          this.refused++
          await new Promise((resolve) => setTimeout(resolve, 20))
        } else this.acknowledged.push(answer)
      }
    })()
  }

  async stop(): Promise<ReadonlyArray<Acknowledged>> {
    this.running = false
    await this.ended
    return this.acknowledged
  }
}
