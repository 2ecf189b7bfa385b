/**
 * Plays a scenario in a world, and checks after every happening, and at the end, that no promise was broken.
 */
import { Cause, Effect, Exit, Layer, Logger } from "effect"
import * as Hlc from "../../src/core/Hlc.ts"
import type * as Merge from "../../src/core/Merge.ts"
import { NodeId } from "../../src/core/NodeId.ts"
import type { Operation } from "../../src/core/Operation.ts"
import type { Incoming } from "../../src/services/Transport.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import { write } from "../support/Network.ts"
import { OldNode } from "../support/OldNode.ts"
import { addressOf, passphrase, SimulatedNode } from "./Cluster.ts"
import * as OldPeer from "./OldPeer.ts"
import * as Oracle from "./Oracle.ts"
import * as Naive from "./Naive.ts"
import { type Happening, maxDrift, type Scenario, told } from "./Scenario.ts"
import { Shelf } from "./SqliteDisk.ts"
import * as User from "./User.ts"
import { epoch, Stuck, World } from "./World.ts"

export interface Outcome {
  /** What was broken; none when all promises were kept. */
  readonly broken: string | undefined
  /** What found that: the kind of the promise; none for a crash of the program. */
  readonly oracle: string | undefined
  /** What happened, a line each. */
  readonly trace: ReadonlyArray<string>
  readonly fingerprint: string
  readonly virtualMs: number
  readonly operations: number
  readonly steps: number
}

/** What a node has written that is no more: from before the beginning, on rows of its own and on those of others. */
const historyOf = (lost: number): ReadonlyArray<Operation> =>
  Array.from({ length: 12 }, (_, index) =>
    write(
      NodeId.make(`lost${lost}`),
      { wall: epoch - 60_000 + index, counter: 0 },
      index % 3 === 0 ? `notes-${index % 8}` : `lost${lost}-${index}`
    )
  )

/** How long a network that works again may take to converge (virtual ms). */
const patience = 3_600_000

export const simulate = (scenario: Scenario): Outcome => {
  const world = new World(scenario.seed)
  const ledger = new Oracle.Ledger()
  const trace: Array<string> = []
  const note = (line: string) => trace.push(`${((world.now - epoch) / 1000).toFixed(3).padStart(9)} s  ${line}`)

  const hosts = [
    ...Array.from({ length: scenario.nodes }, (_, index) => `n${index}`),
    ...scenario.old.map((_, index) => `old${index}`)
  ]
  const dialsOf = (index: number) =>
    scenario.dials.filter(([from]) => from === index).map(([, to]) => addressOf(hosts[to] ?? ""))
  const shelf = new Shelf()
  const nodes = Array.from(
    { length: scenario.nodes },
    (_, index) => new SimulatedNode(world, scenario, index, dialsOf(index), shelf)
  )
  const contents = () => nodes.map(({ disk }) => disk.content)
  const old = scenario.old.map((isNewest, index) => new OldNode(NodeId.make(`old${index}`), isNewest))
  const grown = nodes.map((): ReadonlySet<Merge.Slot> => new Set())
  /** Whose disk gave way to an older one. */
  const restored = new Set<string>()
  /** Until when a host is stalled. */
  const stalled = new Map<string, number>()
  let partition: { readonly side: number; readonly until: number } | undefined

  let rowsCarried = 0

  const delay = (from: string, to: string, item: Incoming) =>
    Effect.gen(function* () {
      if (item._tag === "Frame") {
        const origins = Array.from(item.text.matchAll(/"origin_node":"([^"]*)"/g), ([, origin]) => origin)
        rowsCarried += origins.filter((origin) => origin !== to).length
      }
      if (scenario.latency > 0) yield* world.sleep(Math.floor(world.random() * scenario.latency))
      for (;;) {
        const until = Math.max(stalled.get(from) ?? 0, stalled.get(to) ?? 0)
        if (until <= world.now) return
        yield* world.sleep(until - world.now)
      }
    })

  const check = (index: number) => {
    const node = nodes[index]
    if (node === undefined) return
    const { content } = node.disk
    Oracle.checkSafety(node.host, content, ledger, restored)
    node.noteTime()
    Oracle.checkPoison(node.host, content, node.latest)
    grown[index] = Oracle.checkGrowth(node.host, grown[index] ?? new Set(), content)
  }

  /**
   * An operation whose origin lost its disk, and that no other node of ours has, is gone: an existing FERAL node may have it, but
   * sends nothing back to where it came from.
   */
  const forgetDestroyed = () =>
    ledger.forget(
      (operation) => restored.has(operation.hlc.node) && !contents().some(({ rows }) => Oracle.holds(rows, operation))
    )

  // After every commit, however short its state lasts.
  const committed = contents()
  world.afterStep = () => {
    for (const [index, { disk }] of nodes.entries()) {
      if (disk.content === committed[index]) continue
      committed[index] = disk.content
      check(index)
    }
  }

  const main = Effect.gen(function* () {
    const network = yield* MemoryNetwork
    const pairs = hosts.flatMap((one, index) => hosts.slice(index + 1).map((other) => [one, other] as const))
    const isApart = (one: string, other: string): boolean => {
      if (nodes.some((node) => !node.isUp && (node.host === one || node.host === other))) return true
      if (partition === undefined || partition.until <= world.now) return false
      return ((partition.side >> hosts.indexOf(one)) & 1) !== ((partition.side >> hosts.indexOf(other)) & 1)
    }
    /** Brings the network into line with who is up and who can reach whom. */
    const rewire = Effect.forEach(pairs, ([one, other]) =>
      isApart(one, other) ? network.part(one, other) : network.heal(one, other)
    )

    const wake = (node: SimulatedNode) =>
      Effect.gen(function* () {
        if (node.isUp) return
        yield* node.start()
        note(`${node.host} is up`)
        yield* rewire
      })
    const goDown = Effect.fnUntraced(function* (node: SimulatedNode, power: number | undefined, downFor: number) {
      if (!node.isUp) return false
      const others = hosts.filter((host) => host !== node.host)
      yield* Effect.forEach(others, (other) => network.part(node.host, other))
      if (power !== undefined) grown[nodes.indexOf(node)] = new Set()
      yield* node.kill(power)
      yield* Effect.forkScoped(Effect.andThen(world.sleep(downFor), wake(node)))
      return true
    })

    const renew = Effect.fnUntraced(function* (node: SimulatedNode) {
      const { nodeId, disk } = node
      const before = disk.content.rows
      yield* node.renew
      if (restored.has(nodeId)) restored.add(node.nodeId)
      const renamed = [...disk.content.rows.values()].filter(({ hlc }) => hlc.node === node.nodeId)
      note(`${node.host} is ${node.nodeId}, and has written ${renamed.length} rows anew`)
      Oracle.checkRenewed(before, disk.content.rows, nodeId, node.time)
      ledger.rename(new Map(renamed.map((operation) => [operation.op_id, operation])))
      // What it had written over in that time is gone with it.
      ledger.forget(({ hlc }) => hlc.node === nodeId && hlc.wall > node.time)
    })

    const happen = Effect.fnUntraced(function* (happening: Happening) {
      note(told(happening))
      switch (happening._tag) {
        case "Write": {
          const node = nodes[happening.node]
          const written = yield* Effect.exit(
            node?.write(
              happening.kind,
              `${happening.kind}-${happening.row}`,
              happening.isDelete,
              happening.isLarge === true
            ) ?? Effect.succeed(undefined)
          )
          if (Exit.isSuccess(written) && written.value !== undefined) {
            ledger.add(written.value, restored.has(written.value.hlc.node))
            note(`  acknowledged ${written.value.op_id} ${Hlc.toText(written.value.hlc)}`)
          } else note("  not acknowledged")
          return
        }
        case "Crash": {
          const node = nodes[happening.node]
          if (node !== undefined) {
            yield* goDown(node, happening.power ? world.random() : undefined, happening.downFor)
            forgetDestroyed()
          }
          return
        }
        case "Restart": {
          const node = nodes[happening.node]
          if (node === undefined || !node.isUp) return
          yield* Effect.forkScoped(
            node.stop().pipe(Effect.andThen(world.sleep(happening.downFor)), Effect.andThen(wake(node)))
          )
          return
        }
        case "Cut":
          return yield* network.cut(hosts[happening.node] ?? "", hosts[happening.other] ?? "")
        case "Partition":
          partition = { side: happening.side, until: world.now + happening.lasts }
          yield* rewire
          yield* Effect.forkScoped(Effect.andThen(world.sleep(happening.lasts), rewire))
          return
        case "Stall":
          stalled.set(hosts[happening.node] ?? "", world.now + happening.lasts)
          return
        case "FullDisk": {
          const node = nodes[happening.node]
          if (node === undefined) return
          node.disk.isFull = true
          yield* Effect.forkScoped(
            Effect.andThen(
              world.sleep(happening.lasts),
              Effect.sync(() => (node.disk.isFull = false))
            )
          )
          return
        }
        case "ClockJump":
        case "ClockDrift": {
          const node = nodes[happening.node]
          if (node === undefined) return
          if (restored.has(node.nodeId)) {
            // Nothing can tell it what it has issued before.
            if (happening._tag === "ClockJump") node.offset = Math.max(happening.offset, node.latest - world.now)
          } else if (happening._tag === "ClockJump") node.offset = happening.offset
          else node.rate = happening.rate
          return
        }
        case "Backup": {
          const node = nodes[happening.node]
          if (node !== undefined) node.backup = node.disk.copy()
          return
        }
        case "Restore": {
          const node = nodes[happening.node]
          const backup = node?.backup
          if (node === undefined || backup === undefined) return
          if (!(yield* goDown(node, undefined, happening.downFor))) return
          node.disk = backup.copy()
          // Mostly its clock is not behind what it has issued.
          const { behind } = happening
          node.offset = behind === undefined ? Math.max(0, node.latest - world.now) : -behind
          node.rate = 0
          grown[happening.node] = new Set()
          restored.add(node.nodeId)
          forgetDestroyed()
          return
        }
        case "Import": {
          const node = nodes[happening.node]
          if (node === undefined) return
          const chosen = historyOf(happening.lost).filter((_, index) => index % happening.step === 0)
          const taken = yield* Effect.exit(node.import(chosen))
          note(Exit.isSuccess(taken) && taken.value ? `  imported ${chosen.length} operations` : "  not imported")
          return
        }
        case "YearAhead": {
          const node = nodes[happening.node]
          if (node === undefined || !node.canRenew) return
          const { kind, row } = happening
          const written = yield* Effect.exit(node.ahead(node.write(kind, `${kind}-${row}`, false, false)))
          if (Exit.isSuccess(written) && written.value !== undefined)
            ledger.add(written.value, restored.has(node.nodeId))
          return
        }
        case "Renew": {
          const node = nodes[happening.node]
          if (node === undefined || !node.isUp) return
          yield* node.stop()
          yield* renew(node)
          yield* Effect.forkScoped(Effect.andThen(world.sleep(happening.downFor), wake(node)))
          return
        }
        case "Look": {
          const node = nodes[happening.node]
          const [word = "", begun = ""] = [Naive.words[happening.word], Naive.words[happening.begun]?.slice(0, 3)]
          if (node !== undefined) yield* Effect.ignore(User.look(node, happening.kind, word, begun))
          return
        }
        case "Export": {
          const [node, other] = [nodes[happening.node], nodes[happening.other]]
          if (node !== undefined && other !== undefined) yield* Effect.ignore(User.carry(node, other, happening.cut))
          return
        }
        case "OldWrite": {
          const node = old[happening.node]
          if (node === undefined) return
          const operation: Operation = write(
            node.id,
            { wall: world.now, counter: trace.length },
            `notes-${happening.row}`
          )
          node.write(operation)
          ledger.add(operation)
          return
        }
        case "OldRestart":
          return old[happening.node]?.restart()
        case "OldGarbage":
          old[happening.node]?.broken.push('{"op_id":"","table":7}')
          return
      }
    })

    /** Where no history was lost, nobody is told that some of it is. */
    const checkStatus = Effect.gen(function* () {
      if (restored.size > 0) return
      for (const node of nodes) Oracle.checkNotDiverged(node.host, yield* node.status)
    })

    yield* Effect.forEach(old, (node, index) =>
      OldPeer.run(node, hosts[scenario.nodes + index] ?? "", dialsOf(scenario.nodes + index), passphrase)
    )
    yield* Effect.forEach(nodes, wake)
    for (const { after, happening } of scenario.happenings) {
      if (after > 0) yield* world.sleep(after)
      for (const node of nodes) node.noteTime()
      yield* happen(happening)
      for (const index of nodes.keys()) check(index)
      yield* checkStatus
    }

    note("everything works again")
    partition = undefined
    stalled.clear()
    for (const node of nodes) {
      node.offset = 0
      node.rate = 0
      node.disk.isFull = false
      yield* wake(node)
    }
    yield* rewire
    const ahead = (ms: number) => nodes.filter((node) => Oracle.isAhead(node.disk.content, world.now + ms))
    if (ahead(maxDrift).length > 0) {
      // Long enough for all to meet.
      yield* world.sleep(300_000)
      for (const { host, disk, status } of ahead(maxDrift + 10_000)) {
        Oracle.checkKnowsToBeAhead(host, disk.content, yield* status, contents())
      }
      // What is ahead by less is taken when its time has come.
      for (const node of ahead(patience)) {
        yield* node.stop()
        yield* renew(node)
        yield* wake(node)
      }
    }
    const deadline = world.now + patience
    const { small } = scenario
    const checkEnd = () =>
      small === undefined
        ? Oracle.checkConverged(contents(), ledger)
        : Oracle.checkDelivered(contents(), ledger, scenario.dials, small)
    const isDelivered = () => {
      try {
        checkEnd()
        return true
      } catch (error) {
        if (error instanceof Oracle.Broken) return false
        throw error
      }
    }
    const isDone = () =>
      small === undefined
        ? Oracle.areEqual(contents()) &&
          contents().every(({ rows }) => ledger.operations.every((operation) => Oracle.holds(rows, operation)))
        : isDelivered()
    while (!isDone() && world.now < deadline) {
      yield* world.sleep(5_000)
      for (const index of nodes.keys()) check(index)
      yield* checkStatus
    }
    note(isDone() ? "all nodes are equal" : "the nodes do not become equal")
    checkEnd()
    // Nodes that are equal have nothing to send each other when they meet again. What existing FERAL nodes send is theirs; and a
    // node that does not know whom it dials asks for what it has written itself since its start: a restore may have taken it.
    if (old.length === 0 && small === undefined) {
      for (let meeting = 0; meeting < 2; meeting++) {
        yield* Effect.forEach(pairs, ([one, other]) => network.cut(one, other))
        rowsCarried = 0
        yield* world.sleep(120_000)
      }
      if (rowsCarried > 0)
        throw new Oracle.Broken("repetition", `equal nodes sent each other ${rowsCarried} rows when they met again`)
    }
    for (const { id, complaints } of old) {
      if (complaints.length > 0)
        throw new Oracle.Broken("existing nodes", `${id} was sent what it cannot take: ${complaints[0]}`)
    }
  }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(MemoryNetwork.layerSlow(delay), Logger.layer([]))))

  const finished = (error: unknown): Outcome => ({
    broken: error === undefined ? undefined : error instanceof Error ? error.message : "what was thrown is no error",
    oracle: error instanceof Oracle.Broken ? error.oracle : error instanceof Stuck ? "progress" : undefined,
    trace,
    fingerprint: world.fingerprint,
    virtualMs: world.now - epoch,
    operations: ledger.operations.length,
    steps: world.steps
  })
  try {
    const exit = world.run(main)
    if (Exit.isSuccess(exit)) return finished(undefined)
    const defect = Cause.squash(exit.cause)
    return finished(defect instanceof Oracle.Broken ? defect : new Error(Cause.pretty(exit.cause)))
  } catch (error) {
    return finished(error)
  } finally {
    shelf.clear()
  }
}
