/**
 * Replicas and the sessions between them, stepped by a caller who decides in which order things happen.
 */
import { Option, Redacted } from "effect"
import type { SessionFailure } from "../core/sync/SyncFailure.ts"
import type * as Hlc from "../core/replica/Hlc.ts"
import { NodeId } from "../core/replica/NodeId.ts"
import { emptyObject } from "../core/replica/Json.ts"
import { Kind, OpId, RowId, type Operation } from "../core/replica/Operation.ts"
import type { Batch } from "../core/replica/Replica.ts"
import * as Session from "../core/sync/Session.ts"
import * as VectorClock from "../core/replica/VectorClock.ts"
import { SimulatedReplica } from "./SimulatedReplica.ts"

/** One end of a link: its session, what has come in and is not yet taken, and how it ended. */
export interface End {
  readonly replica: SimulatedReplica
  session: Session.Session
  readonly inbox: Array<string>
  sentOperations: number
  sentBytes: number
  /** Whether its disk has no room, and when it was asked to commit. */
  isFull: boolean
  readonly commits: Array<number>
  established: boolean
  divergences: number
  pings: number
  /** How often it asked its replica for operations. */
  reads: number
  failure: SessionFailure | undefined
}

export const key = new Uint8Array(32).fill(7)

export const node = (name: string): NodeId => NodeId.make(name)

/** The n-th operation of a node at a time, on a row. */
export const write = (
  origin: NodeId,
  timestamp: Hlc.Timestamp,
  row: string,
  kind = "notes",
  op_type: Operation["op_type"] = "insert"
): Operation => ({
  op_id: OpId.make(`${origin}-${timestamp.wall}-${timestamp.counter}`),
  table: Kind.make(kind),
  op_type,
  row_id: RowId.make(row),
  data: emptyObject,
  hlc: { ...timestamp, node: origin },
  timestamp: timestamp.wall / 1000
})

const commit = ({ isFull, replica }: End, batch: Batch, now: number): Session.Event => {
  if (isFull) return { _tag: "Uncommitted", now }
  const { version } = replica
  const snapshot = replica.apply(batch)
  return { _tag: "Committed", now, snapshot, hasChanged: snapshot.version > version, overQuota: replica.overQuota }
}

/** What is not the same for both ends of a link. */
export interface Apart {
  readonly keys?: { readonly 0?: Uint8Array; readonly 1?: Uint8Array }
  readonly each?: readonly [Partial<Session.Options>, Partial<Session.Options>]
}

export class Link {
  readonly ends: readonly [End, End]
  readonly now: () => number
  /** How many origins that it does not know yet each end takes in one frame. */
  readonly newOrigins: [number, number] = [Infinity, Infinity]
  /** What becomes of each text on its way. */
  change: (text: string, from: 0 | 1) => string = (text) => text

  constructor(
    dialler: SimulatedReplica,
    server: SimulatedReplica,
    now: () => number,
    options: Partial<Session.Options> = {},
    /** What is not the same for both ends. */
    { keys = {}, each = [{}, {}] }: Apart = {}
  ) {
    this.now = now
    const end = (replica: SimulatedReplica, role: "dialler" | "server"): End => ({
      replica,
      session: Session.initial(
        {
          role,
          self: replica.id,
          key: Redacted.make(keys[role === "dialler" ? 0 : 1] ?? key),
          nonces: { dialler: "d", server: "s" },
          binding: Redacted.make(new Uint8Array(32)),
          remote: "peer",
          expected: undefined,
          ownTimestampAtOpen: VectorClock.get(replica.clock, replica.id),
          maxFrameBytes: 4_096,
          maxDriftMs: 300_000,
          revision: 2,
          ...options,
          ...each[role === "dialler" ? 0 : 1]
        },
        replica.snapshot(),
        now()
      ),
      inbox: [],
      sentOperations: 0,
      sentBytes: 0,
      isFull: false,
      commits: [],
      established: false,
      divergences: 0,
      pings: 0,
      reads: 0,
      failure: undefined
    })
    this.ends = [end(dialler, "dialler"), end(server, "server")]
    this.carry(0, Session.open(this.ends[0].session))
    this.carry(1, Session.open(this.ends[1].session))
  }

  /**
   * Carries out what a step asks for. Reads and commits are answered at once, and what the answers ask for comes after
   * what was asked for before, as in the service.
   */
  private carry(index: 0 | 1, [session, actions]: Session.Step): void {
    const end = this.ends[index]
    end.session = session
    const pending = [...actions]
    const answer = (event: Session.Event) => {
      const [next, more] = Session.step(end.session, event)
      end.session = next
      pending.push(...more)
    }
    for (let action = pending.shift(); action !== undefined; action = pending.shift()) {
      switch (action._tag) {
        case "Send":
          this.ends[index === 0 ? 1 : 0].inbox.push(this.change(action.text, index))
          end.sentBytes += action.text.length
          end.sentOperations += action.text.split('"op_id"').length - 1
          break
        case "Identify":
          answer({ _tag: "Identified", now: this.now(), record: Session.noRecord })
          break
        case "Read":
          end.reads++
          answer({
            _tag: "Delta",
            now: this.now(),
            request: action.request,
            delta: end.replica.delta(action.request)
          })
          break
        case "Commit":
          end.commits.push(this.now())
          answer(commit(end, action.batch, this.now()))
          break
        case "Scan":
          answer({
            _tag: "Scanned",
            now: this.now(),
            request: action.request,
            page: Option.some(end.replica.range(action.request))
          })
          break
        case "Diverged":
          end.divergences++
          break
        case "Established":
          end.established = true
          break
        case "Close":
          end.failure = action.failure
          break
        case "Ping":
          end.pings++
          break
      }
    }
  }

  event(index: 0 | 1, event: Session.Event): void {
    this.carry(index, Session.step(this.ends[index].session, event))
  }

  /** Delivers the oldest frame that waits at an end. After the last one comes what is due, as in the service. */
  deliver(index: 0 | 1): boolean {
    const end = this.ends[index]
    const text = end.inbox.shift()
    if (text === undefined) return false
    this.event(index, { _tag: "Received", now: this.now(), text, newOrigins: this.newOrigins[index] })
    if (end.inbox.length === 0 && Session.deadline(end.session) <= this.now()) this.tick(index)
    return true
  }

  /** Tells an end that its replica changed. */
  notify(index: 0 | 1): void {
    const end = this.ends[index]
    const change = end.replica.log.at(-1)
    this.event(index, { _tag: "Changed", now: this.now(), snapshot: end.replica.snapshot(), ...(change && { change }) })
  }

  tick(index: 0 | 1): void {
    this.event(index, { _tag: "Tick", now: this.now() })
  }
}
