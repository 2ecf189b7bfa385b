/** Strangers that greet with a large clock and a wrong proof, each from an address of its own, and from one that has to wait. */
import { Nodes } from "../../test/support/Nodes.ts"
import { guess, headers, wrongGreeting } from "../../test/support/Guessers.ts"
import { type Attack, type Figure, median } from "./Attack.ts"
import { cpuMs } from "./Machine.ts"

/** 2.4 MB. */
const large = wrongGreeting(10_000)
const small = wrongGreeting()

export const greetings: Attack = {
  name: "greetings",
  about: "Strangers greet with a wrong proof and a clock of 10,000 origins (2.4 MB).",
  run: async ({ short }) => {
    const nodes = new Nodes()
    try {
      const { port, pid } = await nodes.make({ FERAL_SYNC_LEGACY: "on" }).start()
      let strangers = 0
      const rounds = short ? 2 : 10
      const each = short ? 8 : 12
      /** What one greeting costs the node, in ms of CPU. */
      const cost = async (text: string, shown: Readonly<Record<string, string>>, from?: string) => {
        const before = cpuMs(pid)
        // At once, for the node holds a connection that it cuts off for a second.
        await Promise.all(
          Array.from({ length: each }, () => {
            const address = from ?? `127.0.${10 + Math.floor(++strangers / 250)}.${1 + (strangers % 250)}`
            return guess({ port, from: address, text, headers: shown })
          })
        )
        return (cpuMs(pid) - before) / each
      }
      const waiting = "127.0.9.9"
      // The program is compiled while it runs: what comes first costs more.
      for (const text of [small, large]) await cost(text, headers.today)
      for (let n = 0; n < 2; n++) await cost(small, headers.today, waiting)

      const kinds = [
        ["CPU of a large greeting of this version", headers.today, undefined],
        ["CPU of one of the version before", headers.before, undefined],
        ["CPU of one of an existing FERAL node", headers.existing, undefined],
        ["CPU of one from an address that has to wait", headers.before, waiting]
      ] as const
      const baseline: Array<number> = []
      const costs = kinds.map((): Array<number> => [])
      for (let round = 0; round < rounds; round++) {
        baseline.push(await cost(small, headers.today))
        for (const [index, [, shown, from]] of kinds.entries()) costs[index]?.push(await cost(large, shown, from))
      }
      return kinds.map(([what], index): Figure => ({
        what,
        unit: "ms",
        before: 60,
        baseline: median(baseline),
        now: median(costs[index] ?? []),
        // TLS and the upgrade, and a cut-off transfer. Reading 2.4 MB would be ten times as much.
        must: { timesBaseline: 4 }
      }))
    } finally {
      await nodes.dispose()
    }
  }
}
