/**
 * Writes to a running node over its socket, without pause, and remembers what was acknowledged.
 */
import type { Node } from "./Nodes.ts"
import { ask } from "./Request.ts"

export interface Acknowledged {
  readonly id: string
  readonly hlc: string
}

/** Writes one note. `undefined` when the node did not acknowledge it. */
export const write = async ({ home }: Node, content: string): Promise<Acknowledged | undefined> => {
  const answer = await ask(home, "POST", "/notes", { content })
  return answer?.status === 200 ? (JSON.parse(answer.body) as Acknowledged) : undefined
}

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
