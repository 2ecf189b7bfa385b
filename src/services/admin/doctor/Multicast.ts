/**
 * Checks mDNS: on each link it asks for nodes, receives its own question (or does not), and waits for answers. It
 * announces nothing.
 */
import { Clock, Effect, Random, Result, type Scope } from "effect"
import { randomBytes } from "node:crypto"
import type { Address } from "../../../core/peers/Address.ts"
import * as Browser from "../../../core/discovery/Browser.ts"
import { type Link, linkFrom } from "../../../core/discovery/Link.ts"
import type { Send } from "../../../core/discovery/Responder.ts"
import { selfOf } from "../../../core/discovery/ServiceRecords.ts"
import { NodeId } from "../../../core/replica/NodeId.ts"
import type { Settings } from "../../node/Config.ts"
import type { Network, Socket } from "../../discovery/MdnsRuntime.ts"
import { MdnsUnavailable, PeersNotDiscovered } from "../../node/NodeFailure.ts"
import { failed, type Finding, fromFailure, ok, skipped, warning } from "./Finding.ts"

/** A node that answered. */
export interface Seen {
  readonly nodeId: NodeId
  readonly addresses: ReadonlyArray<Address>
  readonly protocol: 1 | 2
}

/** How long answers are waited for, and how often we look whether something is to be asked. */
const patience = { all: 2_500, turn: 50 } as const

/** `self` is this node, which does not count as another node. */
export const examine = Effect.fnUntraced(function* (settings: Settings, network: Network, self: NodeId | undefined) {
  if (!settings.mdns) {
    const findings = [skipped("multicast", "mDNS is switched off (FERAL_SYNC_MDNS)")]
    return { findings, seen: [] as ReadonlyArray<Seen> }
  }
  const links = yield* Effect.result(network.links)
  if (Result.isFailure(links)) return { findings: [fromFailure("multicast", links.failure)], seen: [] }
  const { findings, seen } = yield* Effect.scoped(listen(network, links.success))
  const others = seen.filter(({ nodeId }) => nodeId !== self)
  const isSelfSeen = others.length < seen.length
  const facts = { nodes: others.map(({ nodeId }) => nodeId), self_seen: isSelfSeen }
  const names = others.map(({ nodeId }) => nodeId).join(", ")
  const found =
    others.length > 0
      ? ok(
          "discovery",
          `${others.length === 1 ? "1 other node answers" : `${others.length} other nodes answer`}: ${names}`,
          facts
        )
      : noneFound(isSelfSeen, facts)
  return { findings: [...findings, found], seen: others }
})

/** No answer: whether this node is alone or cut off cannot be told apart. */
const noneFound = (isSelfSeen: boolean, facts: Finding["facts"]): Finding => {
  const { _tag, problem, nextStep } = new PeersNotDiscovered()
  return warning("discovery", isSelfSeen ? `${problem}; this node does` : problem, nextStep, {
    ...facts,
    error: _tag
  })
}

/** Asks on all links and listens to all of them. */
const listen = Effect.fnUntraced(function* (
  network: Network,
  links: ReadonlyArray<Link>
): Effect.fn.Return<
  { readonly findings: ReadonlyArray<Finding>; readonly seen: ReadonlyArray<Seen> },
  never,
  Scope.Scope
> {
  // A random name, so that every node of the network answers, this one too.
  const randomSelf = selfOf(NodeId.make(randomBytes(8).toString("hex")), 1)
  const random = yield* Random.next
  // Each question bears a number of ours, by which it is known when it comes back.
  const first = yield* Random.nextIntBetween(1, 0xf000)
  const heard = new Set<number>()
  const sockets = new Map<string, Socket>()
  const broken = new Map<string, string>()
  const begun = yield* Clock.currentTimeMillis
  let now = begun
  let browser = Browser.withLinks(Browser.initial(randomSelf), links, now, random)

  for (const [index, link] of links.entries()) {
    const opened = yield* Effect.result(
      Effect.acquireRelease(
        network.open(link, {
          packet: (packet, from) => {
            if (packet.kind === "query" && from.address === link.address && packet.id === first + index)
              heard.add(index)
            const isAnswer = packet.kind === "response" && from.port === network.port
            if (!isAnswer || linkFrom(links, from.address)?.key !== link.key) return
            browser = Browser.onResponse(browser, [{ key: link.key, packet, from: from.address }], now, random)
          },
          failed: (error) => broken.set(link.key, error.message)
        }),
        (socket) => socket.close
      )
    )
    if (Result.isSuccess(opened)) sockets.set(link.key, opened.success)
    else broken.set(link.key, opened.failure.detail)
  }

  const send = ({ link, packet, to }: Send) => {
    const index = links.findIndex(({ key }) => key === link)
    sockets.get(link)?.send({ _tag: "Send", link, to, packet: { ...packet, id: first + index } }, (error) => {
      if (error !== undefined) broken.set(link, error.message)
    })
  }

  while (sockets.size > 0 && now - begun < patience.all) {
    const [next, sends] = Browser.tick(browser, now)
    browser = next
    for (const packet of sends) send(packet)
    yield* Effect.sleep(patience.turn)
    now = yield* Clock.currentTimeMillis
  }
  return {
    findings: links.map((link, index) => ofLink(link, heard.has(index), broken.get(link.key))),
    seen: Array.from(browser.seen.peers, ([nodeId, peer]) => ({ nodeId, ...peer }))
  }
})

const ofLink = (link: Link, isHeard: boolean, problem: string | undefined): Finding => {
  const facts = { interface: link.scope, address: link.address }
  if (problem !== undefined) {
    const detail = problem.startsWith(link.key) ? problem : `${link.key}: ${problem}`
    return fromFailure("multicast", new MdnsUnavailable({ detail }), facts)
  }
  const where = `${link.scope} (${link.address})`
  return isHeard
    ? ok("multicast", `${where} sends and receives`, facts)
    : failed(
        "multicast",
        `multicast packets sent on ${where} do not come back`,
        "open UDP 5353 in the firewall of this machine",
        facts
      )
}
