/**
 * What a network costs as it grows: whole nodes of the real core in one process, with networks and disks in memory and virtual
 * time, so that every run is the same.
 *
 *   node bench/Scaling.ts [MOST_NODES]
 */
import { Effect, Logger } from "effect"
import { writeFileSync } from "node:fs"
import * as VectorClock from "../src/core/replica/VectorClock.ts"
import { MemoryNetwork } from "../src/services/transport/MemoryNetwork.ts"
import { seeded } from "../test/support/Seeded.ts"
import { addressOf, SimulatedNode } from "../test/simulation/Cluster.ts"
import { Shelf } from "../test/simulation/SqliteDisk.ts"
import { epoch, World } from "../test/simulation/World.ts"

const latency = 5
const most = Number(process.argv[2] ?? 200)

/** A full mesh of 100 takes five minutes on one core, and time grows with more than the square. */
const mostInFull = 100

type Shape = "full" | "partial"

/** Whom each node dials: everybody before it, or its neighbour and some by chance. */
const dialsOf = (count: number, shape: Shape): ReadonlyArray<ReadonlyArray<number>> => {
  const random = seeded(count)
  const degree = Math.ceil(Math.log2(count)) / 2
  return Array.from({ length: count }, (_, n) => {
    if (shape === "full") return Array.from({ length: n }, (_, other) => other)
    const chosen = new Set(n === 0 ? [] : [n - 1])
    while (chosen.size < Math.min(n, degree)) chosen.add(Math.floor(random() * n))
    return [...chosen]
  })
}

interface Traffic {
  frames: number
  bytes: number
  pings: number
  copies: number
}

const measure = (count: number, shape: Shape) => {
  const world = new World(1, 100_000_000)
  const dials = dialsOf(count, shape)
  const nodes = dials.map(
    (own, n) =>
      new SimulatedNode(
        world,
        {},
        n,
        own.map((other) => addressOf(`n${other}`)),
        new Shelf()
      )
  )
  const connections = dials.reduce((sum, own) => sum + own.length, 0)
  let traffic: Traffic = { frames: 0, bytes: 0, pings: 0, copies: 0 }
  const since = () => {
    const { ...passed } = traffic
    traffic = { frames: 0, bytes: 0, pings: 0, copies: 0 }
    return passed
  }
  const isEqual = () => {
    const [first] = nodes
    return nodes.every(
      ({ disk }) =>
        first !== undefined &&
        VectorClock.compare(disk.content.state.vectorClock, first.disk.content.state.vectorClock) === "equal"
    )
  }
  const until = Effect.fnUntraced(function* (condition: () => boolean) {
    const began = world.now
    while (!condition()) {
      if (world.now - began > 600_000) throw new Error(`${count} nodes, ${shape}: it does not come`)
      yield* world.sleep(1)
    }
    return world.now - began
  })

  const result = Effect.gen(function* () {
    yield* Effect.forEach(nodes, (node) => node.start())
    // Everybody has written something, so that clocks have as many entries as there are nodes.
    for (const [n, node] of nodes.entries()) yield* node.write("notes", `row-${n}`, false, false)
    const forming = yield* until(isEqual)
    yield* world.sleep(30_000)
    const formed = since()
    yield* world.sleep(60_000)
    const atRest = since()
    yield* nodes[0]?.write("notes", "one more", false, false) ?? Effect.succeed(undefined)
    const spread = yield* until(isEqual)
    yield* world.sleep(5_000)
    const write = since()
    return { forming, formed, atRest, spread, write }
  }).pipe(
    Effect.scoped,
    Effect.provide([
      MemoryNetwork.layerSlow((_from, _to, item) =>
        Effect.suspend(() => {
          if (item._tag === "Alive") traffic.pings++
          else {
            traffic.frames++
            traffic.bytes += item.bytes
            traffic.copies += item.text.split('"op_id"').length - 1
          }
          return world.sleep(latency)
        })
      ),
      Logger.layer([])
    ])
  )
  const began = performance.now()
  const exit = world.run(result)
  if (exit._tag === "Failure") throw new Error(String(exit.cause))
  const { forming, formed, atRest, spread, write } = exit.value
  return {
    nodes: count,
    shape,
    connections,
    connections_per_node: (2 * connections) / count,
    forming_ms: forming,
    forming_bytes_per_node: formed.bytes / count,
    forming_copies: formed.copies / (count * (count - 1)),
    rest_frames_per_node_minute: (atRest.frames + atRest.pings) / count,
    write_ms: spread,
    write_frames: write.frames,
    write_bytes: write.bytes,
    write_copies: write.copies / (count - 1),
    seconds: Math.round((performance.now() - began) / 100) / 10,
    virtual_ms: world.now - epoch
  }
}

const results = []
for (const count of [2, 5, 10, 20, 50, 100, 200].filter((count) => count <= most)) {
  for (const shape of ["full", "partial"] as const) {
    if (shape === "partial" ? count < 10 : count > mostInFull) continue
    const result = measure(count, shape)
    console.log(JSON.stringify(result))
    results.push(result)
    // The largest take minutes: what is known by then is kept.
    writeFileSync(new URL("results/scaling.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`)
  }
}
