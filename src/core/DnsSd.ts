/**
 * Finding each other without a server (RFC 6762, RFC 6763), as a state machine: `step(state, event) -> [state, actions]`.
 *
 * It announces one node on every link, answers for it, and tells which other nodes can be dialled there. Packets are
 * untrusted: whatever they hold, nothing throws, what is remembered is bounded (`dnssd/Cache.ts`), and so is what we send on
 * account of them (`dnssd/Responder.ts`, `dnssd/Browser.ts`). Our own packets, which multicast brings back, change nothing.
 *
 * Time (ms, monotonic) and randomness come in with the events. `deadline` says when the next `Tick` is wanted.
 */
import * as Browser from "./dnssd/Browser.ts"
import type { Link } from "./dnssd/Link.ts"
import type { Packet } from "./dnssd/Record.ts"
import * as Responder from "./dnssd/Responder.ts"
import { selfOf } from "./dnssd/Service.ts"
import type { Sighting } from "./dnssd/Sightings.ts"
import type { NodeId } from "./NodeId.ts"

export interface DnsSd {
  readonly responder: Responder.Responder
  readonly browser: Browser.Browser
}

/** `random` is in [0, 1). */
export type Event = { readonly now: number; readonly random: number } & (
  | /** The links that there are from now on. */
    { readonly _tag: "Links"; readonly links: ReadonlyArray<Link> }
    /** A packet came on a link. `isDirect` says that its sender does not use the port of multicast DNS. */
  | {
      readonly _tag: "Packet"
      readonly link: string
      readonly packet: Packet
      readonly from: Responder.Asker
      readonly isDirect: boolean
    }
  /** The machine was asleep, or something like it: nobody knows what others have heard of us meanwhile. */
  | { readonly _tag: "Resumed" }
  /** A node was not found where it says it is. */
  | { readonly _tag: "Doubted"; readonly nodeId: NodeId }
  | { readonly _tag: "Tick" }
)

export type Action = Responder.Send | Responder.Duplicated | Sighting

export type Step = readonly [DnsSd, ReadonlyArray<Action>]

/** A node that has no link yet. */
export const initial = (nodeId: NodeId, port: number): DnsSd => {
  const self = selfOf(nodeId, port)
  return { responder: Responder.initial(self), browser: Browser.initial(self) }
}

/** What happens next. */
export const step = (state: DnsSd, event: Event): Step => {
  const { now, random } = event
  switch (event._tag) {
    case "Links":
      return settle(
        {
          responder: Responder.withLinks(state.responder, event.links, now, random),
          browser: Browser.withLinks(state.browser, event.links, now, random)
        },
        now
      )
    case "Packet":
      return receive(state, event)
    case "Resumed":
      return settle(
        {
          responder: Responder.resume(state.responder, now, random),
          browser: Browser.resume(state.browser, now, random)
        },
        now
      )
    case "Doubted":
      return settle({ ...state, browser: Browser.doubt(state.browser, event.nodeId, now) }, now)
    case "Tick":
      return settle(state, now)
  }
}

/** The packets with which a node takes its leave. */
export const goodbye = ({ responder }: DnsSd): ReadonlyArray<Responder.Send> => Responder.goodbye(responder)

/** When the next `Tick` is wanted (ms). */
export const deadline = ({ responder, browser }: DnsSd): number =>
  Math.min(Responder.deadline(responder), Browser.deadline(browser))

const receive = (
  state: DnsSd,
  { link, packet, from, isDirect, now, random }: Extract<Event, { readonly _tag: "Packet" }>
): Step => {
  if (isDirect) {
    // Responses come from the port of multicast DNS, always (RFC 6762 section 6).
    if (packet.kind === "response") return settle(state, now)
    const [responder, sends] = Responder.askedBy(state.responder, link, packet, from, now)
    return settle({ ...state, responder }, now, sends)
  }
  if (packet.kind === "query") {
    const [responder, actions] = Responder.asked(state.responder, link, packet, from, now, random)
    const browser = Responder.isFromUs(state.responder, from)
      ? state.browser
      : Browser.overheard(state.browser, link, packet, now)
    return settle({ responder, browser }, now, actions)
  }
  const [responder, actions] = Responder.heard(state.responder, link, packet, from, now, random)
  return settle(
    { responder, browser: Browser.heard(state.browser, link, packet, from.address, now, random) },
    now,
    actions
  )
}

/** Does everything that is due. */
const settle = (state: DnsSd, now: number, before: ReadonlyArray<Action> = []): Step => {
  const [responder, answers] = Responder.tick(state.responder, now)
  const [browser, questions, sightings] = Browser.tick(state.browser, now)
  return [{ responder, browser }, [...before, ...answers, ...questions, ...sightings]]
}
