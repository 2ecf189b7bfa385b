/**
 * Dials a node to learn whether both sides would let each other in, and nothing else.
 *
 * It is a handshake as every other, with our own id, up to the point where both sides have proved themselves: then it
 * ends. A node of ours is told so in the greeting, and answers without meeting us; an existing FERAL node is left after
 * its first answer. Nothing of the memory is asked for or sent.
 */
import { Clock, Effect, HashMap, Option, Queue, type Redacted, type Scope } from "effect"
import type { Address } from "../../../core/peers/Address.ts"
import * as Digest from "../../../core/replica/Digest.ts"
import { PeerClosed, type SessionFailure } from "../../../core/sync/SyncFailure.ts"
import * as Hlc from "../../../core/replica/Hlc.ts"
import type { NodeId } from "../../../core/replica/NodeId.ts"
import type { Snapshot } from "../../../core/replica/Replica.ts"
import * as Session from "../../../core/sync/Session.ts"
import type { Machine } from "../../../core/sync/SessionMachine.ts"
import type { Settings } from "../../node/Config.ts"
import type { PeerUnreachable, TlsHandshakeFailed } from "../../node/NodeFailure.ts"
import * as LocalNames from "../../discovery/LocalNames.ts"
import * as V1Settings from "../../node/V1Settings.ts"
import { dial } from "../../peers/Dial.ts"
import { optionsOf } from "../../peers/Meeting.ts"
import * as V1Meeting from "../../peers/V1Meeting.ts"
import { type Connection, Transport } from "../../transport/Transport.ts"

/** The node that dials. */
export interface Self {
  readonly nodeId: NodeId
  readonly passphrase: Redacted.Redacted<string>
  readonly key: Redacted.Redacted<Uint8Array>
}

/** The node that answered. */
export interface Met {
  readonly nodeId: NodeId | undefined
  readonly protocol: 1 | 2
  readonly tls: Connection["tls"]
  /** How far its clock is ahead of ours (ms); existing FERAL nodes do not tell. */
  readonly offset: number | undefined
}

type Failure = SessionFailure | PeerUnreachable | TlsHandshakeFailed

const resolveWith =
  ({ mdnsInterfaces }: Settings) =>
  (host: string) =>
    LocalNames.resolve(host, { interfaces: mdnsInterfaces })

export const probe = Effect.fn("Probe.probe")(function* (
  settings: Settings,
  self: Self,
  address: Address
): Effect.fn.Return<Met, Failure, Transport | Scope.Scope> {
  const transport = yield* Transport
  const connection = yield* dial(
    transport,
    settings,
    address,
    undefined,
    settings.mdns ? resolveWith(settings) : undefined
  )
  const meeting = { connection: { remote: address }, key: "", expected: undefined, isPrevious: false }
  const common = optionsOf(meeting, settings, self.nodeId)
  const { form: protocol, tls, nonces, binding } = connection
  if (protocol === 2) {
    const machine = Session.machine({
      ...common,
      key: self.key,
      nonces,
      binding,
      ownTimestampAtOpen: Hlc.zero,
      revision: connection.revision,
      maxRecvBytes: settings.maxRecvBytes,
      isProbe: true
    })
    const { peer, offset } = yield* converse(connection, machine, Session.noRecord)
    return { nodeId: peer, protocol, tls, offset }
  }
  const refusal = V1Settings.policyOf(settings).refusal("dialler", tls, address)
  if (refusal !== undefined) {
    yield* connection.close(1000, "")
    return yield* refusal
  }
  const scope = Option.getOrUndefined(settings.legacyScope)
  const machine = V1Meeting.machine({ ...common, passphrase: self.passphrase, scope })
  const { peer } = yield* converse(connection, machine, V1Meeting.noRecord)
  return { nodeId: peer, protocol, tls, offset: undefined }
})

const nothing: Snapshot = {
  version: 0,
  vectorClock: HashMap.empty(),
  frontier: HashMap.empty(),
  digest: Digest.empty,
  holdings: HashMap.empty(),
  purges: HashMap.empty()
}

/** Speaks until the handshake is done, and then hangs up. */
const converse = Effect.fnUntraced(function* <S, R>(
  connection: Connection,
  machine: Machine<S, R>,
  record: R
): Effect.fn.Return<Session.View, SessionFailure> {
  let [state, actions] = machine.begin(nothing, yield* Clock.currentTimeMillis)
  for (;;) {
    const pending = [...actions]
    for (let action = pending.shift(); action !== undefined; action = pending.shift()) {
      if (action._tag === "Identify") {
        const [next, more] = machine.step(state, { _tag: "Identified", now: yield* Clock.currentTimeMillis, record })
        state = next
        pending.push(...more)
      }
      if (action._tag === "Send") {
        // A peer that has closed already does not hear the last words: why they are said is known here.
        const isLast = pending.some(({ _tag }) => _tag === "Close")
        yield* isLast ? Effect.ignore(connection.send(action.text)) : connection.send(action.text)
      }
      if (action._tag === "Established") {
        yield* connection.close(1000, "")
        return machine.view(state)
      }
      if (action._tag === "Close") {
        yield* connection.close(action.code, action.reason)
        return yield* action.failure ?? new PeerClosed({ code: action.code, reason: action.reason })
      }
    }
    const wait = machine.deadline(state) - (yield* Clock.currentTimeMillis)
    const incoming = yield* Queue.take(connection.incoming).pipe(Effect.timeoutOption(Math.max(0, wait)))
    const now = yield* Clock.currentTimeMillis
    ;[state, actions] = machine.step(
      state,
      Option.isNone(incoming)
        ? { _tag: "Tick", now }
        : incoming.value._tag === "Alive"
          ? { _tag: "Alive", now, isAnswer: incoming.value.isAnswer === true }
          : { _tag: "Received", now, text: incoming.value.text }
    )
  }
})
