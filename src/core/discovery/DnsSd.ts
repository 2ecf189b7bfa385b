/**
 * Finding each other without a server (RFC 6762, RFC 6763), as a state machine: `step(state, event) -> [state,
 * actions]`.
 *
 * It announces one node on every link, answers for it, and tells which other nodes can be dialled there. Packets are
 * untrusted: whatever they hold, nothing throws, what is remembered is bounded (`Cache.ts`), and so is what we send on
 * account of them (`Responder.ts`, `Browser.ts`). Our own packets, which multicast brings back, change nothing.
 *
 * Time (ms, monotonic) and randomness come in with the events. `deadline` says when the next `Tick` is wanted.
 */
import * as Browser from "./Browser.ts"
import type { Link } from "./Link.ts"
import type { Packet } from "./DnsRecord.ts"
import * as Responder from "./Responder.ts"
import { selfOf } from "./ServiceRecords.ts"
import type { Sighting } from "./Sightings.ts"
import type { NodeId } from "../replica/NodeId.ts"

export interface DnsSd {
  readonly responder: Responder.Responder
  readonly browser: Browser.Browser
}

/** A packet that came on a link. `isDirect` says that its sender does not use the port of multicast DNS. */
export interface Arrival {
  readonly link: string
  readonly packet: Packet
  readonly from: Responder.Querier
  readonly isDirect: boolean
}

/** `random` is in [0, 1). */
export type Event = { readonly now: number; readonly random: number } & (
  | /** The links that there are from now on. */
    {
      readonly _tag: "Links"
      readonly links: ReadonlyArray<Link>
    }
    /** Packets came, in this order. Many at once cost less than one after the other. */
  | { readonly _tag: "Packets"; readonly packets: ReadonlyArray<Arrival> }
  /** The machine was asleep, or something like it: what others have received from us meanwhile is unknown. */
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
    case "Packets":
      return receive(state, event.packets, now, random)
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

const receive = (before: DnsSd, packets: ReadonlyArray<Arrival>, now: number, random: number): Step => {
  let { responder, browser } = before
  const actions: Array<Action> = []
  let responses: Array<Browser.Response> = []
  const takeIn = () => {
    browser = Browser.onResponse(browser, responses, now, random)
    responses = []
  }
  for (const { link, packet, from, isDirect } of packets) {
    if (packet.kind === "response") {
      // Responses come from the port of multicast DNS, always (RFC 6762 section 6).
      if (isDirect) continue
      const [next, sends] = Responder.onResponse(responder, { key: link, packet, from, now, random })
      responder = next
      actions.push(...sends)
      responses.push({ key: link, packet, from: from.address })
    } else if (isDirect) {
      const [next, sends] = Responder.answerTo(responder, link, packet, from, now)
      responder = next
      actions.push(...sends)
    } else {
      takeIn()
      if (!Responder.isFromUs(responder, from)) browser = Browser.onQuerySeen(browser, link, packet, now)
      const [next, sends] = Responder.onQuery(responder, { key: link, packet, from, now, random })
      responder = next
      actions.push(...sends)
    }
  }
  takeIn()
  return settle({ responder, browser }, now, actions)
}

/** Does everything that is due. */
const settle = (state: DnsSd, now: number, before: ReadonlyArray<Action> = []): Step => {
  const [responder, answers] = Responder.tick(state.responder, now)
  const [browser, questions, sightings] = Browser.tick(state.browser, now)
  return [{ responder, browser }, [...before, ...answers, ...questions, ...sightings]]
}
