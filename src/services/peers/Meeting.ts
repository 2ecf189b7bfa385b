/** One connection as it begins, and what either form of the wire needs to go on with it. */
import type { Effect } from "effect"
import { formatAddress } from "../../core/peers/Address.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Quarantined } from "../../core/replica/Replica.ts"
import type { BarredBy } from "../../core/sync/Barred.ts"
import type { Machine } from "../../core/sync/SessionMachine.ts"
import type { CommonOptions } from "../../core/sync/SessionOptions.ts"
import type { Settings } from "../node/Config.ts"
import type { Connection } from "../transport/Transport.ts"
import type { PeerTable } from "./PeerTable.ts"
import type { Warned } from "./RunningSession.ts"
import type { Shares } from "./Shares.ts"

/** One connection, and the facts about it before the first frame. */
export interface Meeting {
  readonly link: number
  readonly connection: Connection
  /** The candidate that was dialled; none for a connection that came in. */
  readonly key: string | undefined
  readonly expected: NodeId | undefined
  readonly guard: <S, R>(machine: Machine<S, R>) => Machine<S, R>
  /** Told when the other side has proved itself. */
  readonly proved: Effect.Effect<void>
  /** Whether the passphrase before is proved. */
  readonly isPrevious: boolean
}

/** What all connections of a node have in common. */
export interface Meetings {
  readonly table: PeerTable
  readonly shares: Shares
  readonly barred: BarredBy
  /** Notes that a handshake is done. `isNews` is whether it is worth a line in the log. */
  established(meeting: Meeting, peer: NodeId, isNews: boolean): Effect.Effect<void>
  warned(connection: Connection, warning: Warned): Effect.Effect<void>
  quarantined(connection: Connection, operations: ReadonlyArray<Quarantined>): Effect.Effect<void>
}

/** The options of the machine of a connection. */
export const optionsOf = (
  {
    key,
    isPrevious,
    connection,
    expected
  }: Pick<Meeting, "key" | "isPrevious" | "expected"> & {
    readonly connection: Pick<Connection, "remote">
  },
  { maxFrameBytes, maxClockDriftMs: maxDriftMs }: Settings,
  self: NodeId
): CommonOptions => ({
  role: key === undefined ? "server" : "dialler",
  self,
  isPrevious,
  remote: formatAddress(connection.remote),
  expected,
  maxFrameBytes,
  maxDriftMs
})
