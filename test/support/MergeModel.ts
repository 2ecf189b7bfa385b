/**
 * What a merge must come to, written without merging: the oracle of the laws of `Merge`.
 */
import * as Digest from "../../src/core/replica/Digest.ts"
import type { State } from "../../src/core/replica/Merge.ts"
import * as Operation from "../../src/core/replica/Operation.ts"

/** What an operation says: an update says what an insert says. */
export const said = (of: Operation.Operation): string =>
  Operation.toWire({ ...of, op_type: of.op_type === "update" ? "insert" : of.op_type })

/** A state as the sorted list of what its rows say. */
export const shown = (state: State): ReadonlyArray<string> => Array.from(state.values(), said).sort()

/** The digest of a state, from its rows. */
export const digestOf = (state: State): Digest.Digest => {
  let digest = Digest.empty
  for (const each of state.values()) digest = Digest.add(digest, Digest.ofOperation(each))
  return digest
}

/**
 * The model: what a state holds after `all`, without merging. For each row the operations are sorted, and one end of the
 * list is taken; of a kind that is not known, one for each HLC.
 */
export const model = (all: ReadonlyArray<Operation.Operation>): ReadonlyArray<string> => {
  const compareText = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
  const hashOf = (of: Operation.Operation): string => Digest.toText(Digest.fingerprint(Digest.content(of)))
  const sorted = [...all].sort(
    (a, b) =>
      a.hlc.wall - b.hlc.wall ||
      a.hlc.counter - b.hlc.counter ||
      compareText(a.hlc.node, b.hlc.node) ||
      compareText(hashOf(a), hashOf(b))
  )
  const byRow = Object.groupBy(sorted, (of) => {
    const isKnown = ["notes", "knowledge", "episodes", "execution_log"].includes(of.table)
    return JSON.stringify([of.table, of.row_id, isKnown ? null : [of.hlc.wall, of.hlc.counter, of.hlc.node]])
  })
  return Object.values(byRow)
    .flatMap((competing = []) => {
      const growsOnly = competing[0]?.table === "episodes" || competing[0]?.table === "execution_log"
      const winner = growsOnly ? competing.find((of) => of.op_type !== "delete") : competing.at(-1)
      return winner === undefined ? [] : [said(winner)]
    })
    .sort()
}
