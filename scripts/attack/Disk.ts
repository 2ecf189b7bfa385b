/** A member that floods a node with rows of an unknown kind, under two ids, as fast as they are taken. */
import { deriveKey } from "../../src/core/sync/Handshake.ts"
import { flood } from "../../test/support/Flood.ts"
import { type Env, type Node, Nodes, until } from "../../test/support/Nodes.ts"
import { type Attack, type Figures, median, quantile } from "./Attack.ts"
import { roundTrips } from "./RoundTrips.ts"

const passphrase = "correct horse battery staple"
const mib = 1024 * 1024

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const stored = async (node: Node): Promise<number> => (await node.status()).opaque?.bytes ?? Number.NaN

/** Two ids of one member, from one address. */
const member = async (node: Node) => {
  const key = deriveKey(passphrase)
  const floods = await Promise.all(
    ["rogue-1", "rogue-2"].map((id) => flood({ port: node.port, from: "127.0.9.66", key, id, kind: "junk" }))
  )
  return {
    isConnected: () => floods.every((one) => one.isConnected()),
    stop: () => {
      for (const one of floods) one.stop()
    }
  }
}

/** What is stored of the flood in a second (MB/s). */
const rate = async (node: Node, ms: number) => {
  const [before, began] = [await stored(node), performance.now()]
  await sleep(ms)
  return ((await stored(node)) - before) / 1_000 / (performance.now() - began)
}

/** Without quota and share. */
const unlimited: Env = {
  FERAL_SYNC_MAX_OPAQUE_BYTES: "999999999999",
  FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES: "999999999999",
  FERAL_SYNC_MAX_PEER_RATE_BYTES: "0"
}

/** So small that a flood of seconds reaches them. */
const small: Env = {
  FERAL_SYNC_MAX_OPAQUE_BYTES: `${3 * mib}`,
  FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES: `${2 * mib}`,
  FERAL_SYNC_MAX_PEER_BURST_BYTES: `${64 * mib}`
}

const rateWithoutLimits = async (nodes: Nodes, ms: number) => {
  const node = await nodes.make(unlimited).start()
  const rogue = await member(node)
  await sleep(1_000)
  const measured = await rate(node, ms)
  rogue.stop()
  await node.stop()
  return measured
}

export const disk: Attack = {
  name: "disk",
  about: "A member floods a node with rows of an unknown kind, under two ids.",
  run: async ({ short }): Promise<Figures> => {
    const nodes = new Nodes()
    try {
      const before = await rateWithoutLimits(nodes, short ? 2_000 : 10_000)
      const a = await nodes.make(short ? small : {}).start()
      const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
      await until(
        "they are connected",
        () => a.status(),
        ({ peers }) => peers.some(({ state }) => state === "live")
      )
      await roundTrips(b, a, short ? 1_000 : 5_000)
      const alone = await roundTrips(b, a, short ? 2_000 : 20_000)
      const rogue = await member(a)
      const began = performance.now()
      const under = await roundTrips(b, a, short ? 6_000 : 90_000)
      const isConnected = rogue.isConnected()
      const seconds = (performance.now() - began) / 1_000
      const afterwards = await rate(a, short ? 1_000 : 10_000)
      const bytes = await stored(a)
      rogue.stop()
      const errors = (await a.status()).peers.flatMap(({ last_error }) => last_error?._tag ?? [])
      return [
        {
          what: "unknown rows on the disk",
          unit: "MiB",
          now: bytes / mib,
          must: { atMost: short ? 3 : 256 }
        },
        { what: "stored of the flood, over all", unit: "MB/s", before, now: bytes / 1e6 / seconds },
        { what: "stored of it in the end", unit: "MB/s", before, now: afterwards, must: { atMost: 0.2 } },
        { what: "the member is connected still", unit: "", now: isConnected ? 1 : 0, must: { atLeast: 1 } },
        { what: "and named to the operator", unit: "", now: errors.length, must: { atLeast: 1 } },
        {
          what: "a write of another member, median",
          unit: "ms",
          baseline: median(alone),
          now: median(under),
          // A run of seconds on a busy machine shows the machine.
          ...(short ? {} : { must: { timesBaseline: 2 } })
        },
        {
          what: "the same in the first third",
          unit: "ms",
          baseline: median(alone),
          now: median(under.slice(0, Math.ceil(under.length / 3)))
        },
        { what: "the slowest in 20", unit: "ms", baseline: quantile(alone, 0.95), now: quantile(under, 0.95) },
        { what: "writes of another member that arrived", unit: "", now: under.length, must: { atLeast: 1 } }
      ]
    } finally {
      await nodes.dispose()
    }
  }
}
