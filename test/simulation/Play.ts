/** What happens to a simulated network, carried out. */
import { Effect, Exit } from "effect"
import * as Hlc from "../../src/core/replica/Hlc.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import type { Operation } from "../../src/core/replica/Operation.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import { write } from "../support/Network.ts"
import * as Naive from "./Naive.ts"
import { type Happening, told } from "./Scenario.ts"
import type { Stage } from "./Stage.ts"
import * as User from "./User.ts"
import { epoch } from "./World.ts"

/** What a node has written that is no more: from before the beginning, on rows of its own and on those of others. */
const historyOf = (lost: number): ReadonlyArray<Operation> =>
  Array.from({ length: 12 }, (_, index) =>
    write(
      NodeId.make(`lost${lost}`),
      { wall: epoch - 60_000 + index, counter: 0 },
      index % 3 === 0 ? `notes-${index % 8}` : `lost${lost}-${index}`
    )
  )

/** Lets something happen. */
export const happen = Effect.fnUntraced(function* (stage: Stage, happening: Happening) {
  const { world, ledger, trace, hosts, nodes, old, grown, restored, stalled } = stage
  const network = yield* MemoryNetwork
  stage.note(told(happening))
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
        stage.note(`  acknowledged ${written.value.op_id} ${Hlc.toText(written.value.hlc)}`)
        if (nodes.some(({ disk }) => disk.content.rejoining.length > 0)) stage.forgetDestroyed()
      } else stage.note("  not acknowledged")
      return
    }
    case "Crash": {
      const node = nodes[happening.node]
      if (node !== undefined) {
        yield* stage.goDown(node, happening.power ? world.random() : undefined, happening.downFor)
        stage.forgetDestroyed()
      }
      return
    }
    case "Restart": {
      const node = nodes[happening.node]
      if (node === undefined || !node.isUp) return
      yield* Effect.forkScoped(
        node.stop().pipe(Effect.andThen(world.sleep(happening.downFor)), Effect.andThen(stage.wake(node)))
      )
      return
    }
    case "Cut":
      return yield* network.cut(hosts[happening.node] ?? "", hosts[happening.other] ?? "")
    case "Partition":
      stage.partition = { side: happening.side, until: world.now + happening.lasts }
      yield* stage.rewire
      yield* Effect.forkScoped(Effect.andThen(world.sleep(happening.lasts), stage.rewire))
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
      if (!(yield* stage.goDown(node, undefined, happening.downFor))) return
      node.disk = backup.copy()
      // Mostly its clock is not behind what it has issued.
      const { behind } = happening
      node.offset = behind === undefined ? Math.max(0, node.latest - world.now) : -behind
      node.rate = 0
      grown[happening.node] = new Set()
      stage.buried[happening.node] = new Map()
      restored.add(node.nodeId)
      stage.forgetful.add(node.nodeId)
      stage.forgetDestroyed()
      return
    }
    case "Import": {
      const node = nodes[happening.node]
      if (node === undefined) return
      const chosen = historyOf(happening.lost).filter((_, index) => index % happening.step === 0)
      const taken = yield* Effect.exit(node.import(chosen))
      stage.note(Exit.isSuccess(taken) && taken.value ? `  imported ${chosen.length} operations` : "  not imported")
      return
    }
    case "YearAhead": {
      const node = nodes[happening.node]
      if (node === undefined || !node.canRenew) return
      const { kind, row } = happening
      const written = yield* Effect.exit(node.ahead(node.write(kind, `${kind}-${row}`, false, false)))
      if (Exit.isSuccess(written) && written.value !== undefined) ledger.add(written.value, restored.has(node.nodeId))
      return
    }
    case "Renew": {
      const node = nodes[happening.node]
      if (node === undefined || !node.isUp || !node.canRenew) return
      yield* node.stop()
      yield* stage.renew(node)
      yield* Effect.forkScoped(Effect.andThen(world.sleep(happening.downFor), stage.wake(node)))
      return
    }
    case "Rejoin": {
      const node = nodes[happening.node]
      if (node !== undefined && node.disk.content.state.cut.isAway === true) yield* stage.rejoin([node])
      return
    }
    case "Look": {
      const node = nodes[happening.node]
      const [word = "", begun = ""] = [Naive.words[happening.word], Naive.words[happening.begun]?.slice(0, 3)]
      if (node !== undefined) yield* User.look(node, happening.kind, word, begun)
      return
    }
    case "Export": {
      const [node, other] = [nodes[happening.node], nodes[happening.other]]
      if (node !== undefined && other !== undefined) yield* Effect.ignore(User.carry(node, other, happening.cut))
      return
    }
    case "Lie": {
      const node = nodes[happening.node]
      if (node === undefined) return
      stage.hasLied = true
      const written = ledger.operations.filter(({ hlc }) => hlc.wall <= world.now + 600_000)
      const surroundings = { now: world.now, nodes: nodes.map(({ nodeId }) => nodeId), written }
      // It may have to wait for a host that is stalled.
      yield* Effect.forkScoped(stage.hostile.tell(node.host, happening.lie, happening.seed, surroundings))
      return
    }
    case "OldWrite": {
      const node = old[happening.node]
      if (node === undefined) return
      const operation: Operation = write(node.id, { wall: world.now, counter: trace.length }, `notes-${happening.row}`)
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
