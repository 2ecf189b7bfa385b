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
    /** A packet came on a link. `asker` is its sender where that is not a multicast DNS port. */
  | {
      readonly _tag: "Packet"
      readonly link: string
      readonly packet: Packet
      readonly asker: Responder.Asker | undefined
    }
  | { readonly _tag: "Tick" }
)

export type Action = Responder.Send | Sighting

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
          responder: Responder.withLinks(state.responder, event.links, now),
          browser: Browser.withLinks(state.browser, event.links, now, random)
        },
        now
      )
    case "Packet": {
      const { link, packet, asker } = event
      if (asker !== undefined) {
        // Responses come from the port of multicast DNS, always (RFC 6762 section 6).
        if (packet.kind === "response") return settle(state, now)
        const [responder, sends] = Responder.askedBy(state.responder, link, packet, asker, now)
        return settle({ ...state, responder }, now, sends)
      }
      return packet.kind === "query"
        ? settle({ ...state, responder: Responder.asked(state.responder, link, packet, now, random) }, now)
        : settle({ ...state, browser: Browser.heard(state.browser, link, packet, now, random) }, now)
    }
    case "Tick":
      return settle(state, now)
  }
}

/** The packets with which a node takes its leave. */
export const goodbye = ({ responder }: DnsSd): ReadonlyArray<Responder.Send> => Responder.goodbye(responder)

/** When the next `Tick` is wanted (ms). */
export const deadline = ({ responder, browser }: DnsSd): number =>
  Math.min(Responder.deadline(responder), Browser.deadline(browser))

/** Does everything that is due. */
const settle = (state: DnsSd, now: number, before: ReadonlyArray<Action> = []): Step => {
  const [responder, answers] = Responder.tick(state.responder, now)
  const [browser, questions, sightings] = Browser.tick(state.browser, now)
  return [{ responder, browser }, [...before, ...answers, ...questions, ...sightings]]
}
