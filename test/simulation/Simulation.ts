/**
 * Plays a scenario in a world, and checks after every happening, and at the end, that no promise was broken.
 */
import { Cause, Effect, Exit, Layer, Logger } from "effect"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import { passphrase, type SimulatedNode } from "./Cluster.ts"
import * as OldPeer from "./OldPeer.ts"
import * as Oracle from "./Oracle.ts"
import { happen } from "./Play.ts"
import { maxDrift, type Scenario } from "./Scenario.ts"
import { Shelf } from "./SqliteDisk.ts"
import { Stage } from "./Stage.ts"
import * as User from "./User.ts"
import { epoch, Stuck } from "./World.ts"

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

/** How long a network that works again may take to converge (virtual ms). */
const patience = 3_600_000

const isBroken = (check: () => void): boolean => {
  try {
    check()
    return false
  } catch (error) {
    if (error instanceof Oracle.Broken) return true
    throw error
  }
}

export const simulate = (scenario: Scenario): Outcome => {
  const shelf = new Shelf()
  const stage = new Stage(scenario, shelf)
  const { world, ledger, trace, hosts, nodes, old } = stage
  const contents = () => stage.contents

  /** While two nodes begin anew, one of them does not know what the other defers: a minute is enough to learn it. */
  const knowsToBeAhead = Effect.fnUntraced(function* ({ host, disk, status }: SimulatedNode) {
    if (stage.hasLied) return
    for (let left = 12; ; left--) {
      const shown = yield* status
      if (left === 0) return Oracle.checkKnowsToBeAhead(host, disk.content, shown, contents())
      if (!isBroken(() => Oracle.checkKnowsToBeAhead(host, disk.content, shown, contents()))) return
      yield* world.sleep(5_000)
    }
  })

  const main = Effect.gen(function* () {
    const network = yield* MemoryNetwork
    yield* Effect.forEach(old, (node, index) =>
      OldPeer.run(node, hosts[scenario.nodes + index] ?? "", stage.dialsOf(scenario.nodes + index), passphrase)
    )
    yield* Effect.forEach(nodes, stage.wake)
    for (const { after, happening } of scenario.happenings) {
      if (after > 0) yield* world.sleep(after)
      for (const node of nodes) node.noteTime()
      yield* happen(stage, happening)
      for (const index of nodes.keys()) stage.check(index)
      yield* stage.checkStatus
      yield* stage.checkStable
    }

    if (scenario.hostile === "for a while") yield* stage.hostile.leave
    stage.note("everything works again")
    stage.partition = undefined
    stage.stalled.clear()
    for (const node of nodes) {
      node.offset = 0
      node.rate = 0
      node.disk.isFull = false
      yield* stage.wake(node)
    }
    yield* stage.rewire
    const ahead = (ms: number) => nodes.filter((node) => Oracle.isAhead(node.disk.content, world.now + ms))
    if (ahead(maxDrift).length > 0) {
      // Long enough for all to meet.
      yield* world.sleep(300_000)
      for (const node of ahead(maxDrift + 10_000)) yield* knowsToBeAhead(node)
      // What is ahead by less is taken when its time has come.
      for (const node of ahead(patience)) {
        yield* node.stop()
        yield* stage.renew(node)
        yield* stage.wake(node)
      }
    }
    const deadline = world.now + patience
    const { small } = scenario
    const checkEnd = () =>
      small === undefined
        ? Oracle.checkConverged(contents(), ledger)
        : Oracle.checkDelivered(contents(), ledger, scenario.dials, small)
    const isDelivered = () => !isBroken(checkEnd)
    const isDone = () =>
      small === undefined
        ? Oracle.areEqual(contents()) &&
          contents().every((content) => content.rejoining.length === 0 && Oracle.hasAll(content, ledger))
        : isDelivered()
    let tendedAt = world.now
    while (!isDone() && world.now < deadline) {
      yield* world.sleep(5_000)
      if (scenario.keep !== undefined && world.now > tendedAt + 300_000) {
        tendedAt = world.now
        yield* stage.tend
      }
      for (const index of nodes.keys()) stage.check(index)
      yield* stage.checkStatus
      yield* stage.checkStable
    }
    stage.note(isDone() ? "all nodes are equal" : "the nodes do not become equal")
    checkEnd()
    yield* stage.checkStable
    yield* stage.hostile.leave
    for (const node of nodes) yield* User.look(node, "notes", "amber", "birch")
    // Nodes that are equal have nothing to send each other when they meet again. What existing FERAL nodes send is theirs; and a
    // node that does not know whom it dials asks for what it has written itself since its start: a restore may have taken it.
    if (old.length === 0 && small === undefined) {
      for (let meeting = 0; meeting < 2; meeting++) {
        yield* Effect.forEach(stage.pairs, ([one, other]) => network.cut(one, other))
        stage.rowsCarried = 0
        yield* world.sleep(120_000)
      }
      if (stage.rowsCarried > 0)
        throw new Oracle.Broken(
          "repetition",
          `equal nodes sent each other ${stage.rowsCarried} rows when they met again`
        )
    }
    for (const { id, complaints } of old) {
      if (complaints.length > 0)
        throw new Oracle.Broken("existing nodes", `${id} was sent what it cannot take: ${complaints[0]}`)
    }
  }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(MemoryNetwork.layerSlow(stage.delay), Logger.layer([]))))

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
