/** What is added up over all rows of a store, and kept with them. */
import * as Digest from "../../core/replica/Digest.ts"
import * as Merge from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Replica from "../../core/replica/Replica.ts"
import * as Opaque from "./Opaque.ts"
import { ofApplications, recount, type State } from "./StoreState.ts"

export type Totals = Pick<State, "digest" | "live" | "holdings" | "counts" | "opaque" | "ofApplications">

/** The totals after some rows came and some left, where these kinds are declared. */
export const after = (
  before: Totals & Pick<State, "declared">,
  came: ReadonlyArray<Operation>,
  left: ReadonlyArray<Operation>
): Totals => {
  let { digest, live } = before
  const holdings: Array<readonly [NodeId, Replica.Holding]> = []
  const add = (operation: Operation, rows: 1 | -1) => {
    const fingerprint = Digest.ofOperation(operation)
    const change = rows === 1 ? fingerprint : Digest.subtract(Digest.empty, fingerprint)
    digest = Digest.add(digest, change)
    if (!Merge.isTombstone(operation)) live = Digest.add(live, change)
    holdings.push([operation.hlc.node, { rows, digest: change }])
  }
  for (const operation of came) add(operation, 1)
  for (const operation of left) add(operation, -1)
  return {
    digest,
    live,
    holdings: Replica.addHoldings(before.holdings, holdings),
    counts: recount(before.counts, came, left, 0),
    opaque: Opaque.recount(before.opaque, came, left, before.declared),
    ofApplications: before.ofApplications + ofApplications(came) - ofApplications(left)
  }
}
