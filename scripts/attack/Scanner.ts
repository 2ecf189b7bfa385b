/** A stranger has a node dial for it: public addresses, the node's own services, system ports, one address under many names. */
import { type Attack, type Figure } from "./Attack.ts"
import { besieged, countDials, wanted } from "./Besieged.ts"

/** The port that is named again and again, each time with another id. */
const repeated = 40_000

export const scanner: Attack = {
  name: "scanner",
  about: "A stranger announces peers at addresses and ports that it wants scanned.",
  needs: wanted,
  run: ({ short }) =>
    besieged(async ({ lan, one, a, stranger, senders, flood }) => {
      const net = `10.77.${lan.number}`
      const groups = [
        ["dials of public addresses", "ip daddr { 8.8.8.8, 203.0.113.7, 172.32.0.1, 100.128.0.1, 169.254.169.254 }", 0],
        ["dials of loopback", "ip daddr 127.0.0.0/8", 0],
        ["dials of the node's own address", `ip daddr ${one.address}`, 0],
        ["dials of ports below 1024", "tcp dport < 1024", 0]
      ] as const
      const read = await countDials(one, [
        ...groups.map(([, rule]) => rule),
        `ip daddr ${stranger.address} tcp dport ${repeated}`,
        `ip daddr != ${net}.2`
      ])
      const targets = [
        ...["8.8.8.8", "203.0.113.7", "172.32.0.1", "100.128.0.1", "169.254.169.254", "127.0.0.1", one.address].flatMap(
          (host) => [{ host }, { host, port: 9_090 }, { host, port: 5_432 }]
        ),
        ...[22, 80, 443, 1_023].map((port) => ({ host: stranger.address, port })),
        { host: stranger.address, port: repeated },
        { host: stranger.address },
        { host: "192.168.7.7" },
        { host: `${net}.200` }
      ]
      const seconds = short ? 8 : 60
      const before = await read()
      const since = performance.now()
      await flood({ senders, peers: seconds * 500, perSecond: 500, targets }).ended
      const after = await read()
      const passed = (performance.now() - since) / 1000
      const dialled = after.map((count, index) => count - (before[index] ?? 0))
      const all = dialled.reduce((sum, count) => sum + count, 0)
      const kinds = groups.map(([what, , atMost], index): Figure => ({
        what,
        unit: "",
        before: "any",
        now: dialled[index] ?? Number.NaN,
        must: { atMost }
      }))
      return [
        ...kinds,
        {
          what: `dials of one address under ${Math.ceil((seconds * 500) / targets.length)} ids`,
          unit: "",
          before: Math.ceil((seconds * 500) / targets.length),
          now: dialled[groups.length] ?? Number.NaN,
          // After 0.19, 0.38, 0.75 ... 24 s, and then every 30 s at most by half of them.
          must: { atMost: 10 + Math.ceil(passed / 15) }
        },
        {
          what: `dials in all within ${passed.toFixed(0)} s`,
          unit: "",
          before: Math.round(550 * passed),
          now: all,
          must: { atMost: Math.ceil(48 + 15 * passed + 5) }
        },
        // Without any dial nothing was shown.
        {
          what: "dials in all: the flood was heard",
          unit: "",
          now: all + (await a.status()).peers.length,
          must: { atLeast: 10 }
        }
      ]
    })
}
