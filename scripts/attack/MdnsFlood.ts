/** A stranger on the network makes up peers, from eight addresses of its own, while two members are connected and a third comes. */
import { howLong } from "../../test/support/Best.ts"
import { until } from "../../test/support/Nodes.ts"
import { type Attack, median, quantile } from "./Attack.ts"
import { besieged, countDials, wanted } from "./Besieged.ts"
import { cpuMs } from "./Machine.ts"
import { roundTrips } from "./RoundTrips.ts"

const perSecond = 2_000

export const mdnsFlood: Attack = {
  name: "mdns-flood",
  about: "A stranger announces 10,000 made-up peers by mDNS, 2,000 a second.",
  needs: wanted,
  run: ({ short }) =>
    besieged(async ({ lan, one, a, b, stranger, senders, flood }) => {
      const rounds = short ? 1 : 5
      const seconds = short ? 3 : 6
      const peers = short ? perSecond * seconds : 10_000
      const dials = await countDials(one, [`ip daddr != { 10.77.${lan.number}.2 }`])
      const calm: Array<ReadonlyArray<number>> = []
      const flooded: Array<ReadonlyArray<number>> = []
      const busy: { readonly calm: Array<number>; readonly flooded: Array<number> } = { calm: [], flooded: [] }
      const since = performance.now()
      /** One round: what was measured, and the CPU of the node in percent of a core. */
      const measure = async (into: Array<ReadonlyArray<number>>, cpu: Array<number>) => {
        const [before, began] = [cpuMs(a.pid), performance.now()]
        into.push(await roundTrips(a, b, seconds * 1000))
        cpu.push(((cpuMs(a.pid) - before) / (performance.now() - began)) * 100)
      }
      const targets = [{ host: stranger.address }, { host: "10.5.5.5" }]
      await roundTrips(a, b, 1_000)
      for (let round = 0; round < rounds; round++) {
        await measure(calm, busy.calm)
        const program = flood({ senders, peers, perSecond, targets })
        await measure(flooded, busy.flooded)
        await program.ended
      }
      const kept = (await a.status()).peers.length
      const last = flood({ senders, peers, perSecond, targets })
      const newcomer = (await lan.host()).node()
      await newcomer.start()
      const came = await howLong(() =>
        until(
          "the newcomer is in",
          () => newcomer.status(),
          ({ peers }) => peers.some(({ node_id, state }) => state === "live" && (node_id === a.id || node_id === b.id)),
          60_000
        )
      )
      await last.ended
      const passed = (performance.now() - since) / 1000
      const [dialled = 0] = await dials()
      const p99 = (all: ReadonlyArray<ReadonlyArray<number>>): number =>
        median(all.map((round) => quantile(round, 0.99)))
      return [
        {
          what: "a write of one member is on the other after (p99)",
          unit: "ms",
          before: 10_000,
          baseline: p99(calm),
          now: p99(flooded),
          must: { timesBaseline: short ? 50 : 2 }
        },
        {
          what: "CPU of a node, of one core",
          unit: "%",
          before: 100,
          baseline: median(busy.calm),
          now: median(busy.flooded),
          ...(short ? {} : { must: { atMost: 60 } })
        },
        { what: "peers that are kept", unit: "", before: 10_000, now: kept, must: { atMost: 600 } },
        {
          what: `dials of made-up peers within ${passed.toFixed(0)} s`,
          unit: "",
          before: Math.round(550 * passed),
          now: dialled,
          must: { atMost: Math.ceil(48 + 15 * passed + 5) }
        },
        { what: "a newcomer is in after", unit: "ms", now: came, must: { atMost: short ? 30_000 : 5_000 } }
      ]
    })
}
