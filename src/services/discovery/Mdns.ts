/**
 * Discovery by multicast DNS: the sockets, one for each network interface. What is said through them is the business of
 * `core/DnsSd.ts`.
 */
import { type Duration, Effect, Result } from "effect"
import multicastDns from "multicast-dns"
import { networkInterfaces } from "node:os"
import { type Link, linksOf } from "../../core/dnssd/Link.ts"
import type { Announcement, Discovery } from "../Discovery.ts"
import { MdnsUnavailable } from "../Failure.ts"
import * as Carrier from "./Carrier.ts"
import * as Packets from "./Packets.ts"

export interface Options {
  /** Addresses of the interfaces to use; empty for all that are up, but loopback. */
  readonly interfaces: ReadonlyArray<string>
  /** The UDP port: 5353, but in a network of one's own. */
  readonly port?: number
  /** How often the sockets are brought in line with the interfaces; 10 seconds by default. */
  readonly reconcileEvery?: Duration.Input
}

/** How long a socket may take to open, and to close. */
const socketWithin = "2 seconds"

/** The network of this machine. */
export const networkOf = ({ interfaces, port = 5353 }: Options): Carrier.Network => ({
  port,
  links: linksNow(interfaces),
  open: (link, handlers) => open(link, port, handlers)
})

export const make = ({ reconcileEvery = "10 seconds", ...options }: Options): Discovery["Service"] => {
  const network = networkOf(options)
  return {
    mdns: true,
    sightings: Effect.fn("Discovery.sightings")((announcement: Announcement) =>
      Carrier.run(network, reconcileEvery, announcement)
    )
  }
}

const unavailable = (detail: string, cause: Error) =>
  new MdnsUnavailable({ detail: `${detail}: ${cause.message}`, cause })
const errorOf = (cause: unknown): Error => (cause instanceof Error ? cause : new Error(String(cause)))

const linksNow = Effect.fnUntraced(function* (wanted: ReadonlyArray<string>) {
  const interfaces = yield* Effect.try({
    try: networkInterfaces,
    catch: (cause) => unavailable("the network interfaces cannot be listed", errorOf(cause))
  })
  const links = linksOf(interfaces, wanted)
  if (links.length > 0) return links
  const detail =
    wanted.length === 0
      ? "no network interface with an IPv4 address is up"
      : `no network interface has the address ${wanted.join(" or ")}`
  return yield* new MdnsUnavailable({ detail })
})

/** Opens the socket of a link: done when it is bound and a member of the group. */
const open = (link: Link, port: number, handlers: Carrier.Handlers): Effect.Effect<Carrier.Socket, MdnsUnavailable> =>
  Effect.callback<Carrier.Socket, MdnsUnavailable>((resume) => {
    const made = Result.try({
      // Bound to all addresses: bound to one, it would hear no multicast.
      try: () => multicastDns({ interface: link.address, bind: "0.0.0.0", port, ttl: 255, loopback: true }),
      catch: (cause) => unavailable(link.key, errorOf(cause))
    })
    if (Result.isFailure(made)) return resume(Effect.fail(made.failure))
    const mdns = made.success
    let isOpen = false
    const fail = (error: Error) => {
      if (isOpen) return handlers.failed(error)
      resume(Effect.andThen(closing(mdns), Effect.fail(unavailable(link.key, error))))
    }
    mdns.on("error", fail)
    // A packet that cannot be decoded shows here too: it passes. What the system refuses does not.
    mdns.on("warning", (error) => {
      if ("syscall" in error) fail(error)
    })
    mdns.on("packet", (decoded: Packets.Decoded, from: { readonly address: string; readonly port: number }) => {
      const packet = Packets.packetFrom(decoded)
      if (packet !== undefined) handlers.packet(packet, { address: from.address, port: from.port })
    })
    mdns.once("ready", () => {
      isOpen = true
      resume(Effect.succeed(socketOf(mdns)))
    })
    return closing(mdns)
  }).pipe(
    Effect.timeoutOrElse({
      duration: socketWithin,
      orElse: () => new MdnsUnavailable({ detail: `${link.key}: the socket does not open` })
    })
  )

const socketOf = (mdns: multicastDns.MulticastDNS): Carrier.Socket => ({
  send: ({ packet: { kind, id, questions, answers, additionals }, to }, done) => {
    const packet = {
      id,
      questions: Packets.encodedQuestions(questions),
      answers: Packets.encodedRecords(answers),
      additionals: Packets.encodedRecords(additionals)
    }
    const sent = (error: Error | null | undefined) => done(error ?? undefined)
    if (kind === "query") mdns.query(packet, sent)
    else if (to === undefined) mdns.respond(packet, sent)
    else mdns.respond(packet, { address: to.address, port: to.port }, sent)
  },
  close: closing(mdns)
})

const closing = (mdns: multicastDns.MulticastDNS): Effect.Effect<void> =>
  Effect.callback<void>((resume) => mdns.destroy(() => resume(Effect.void))).pipe(
    Effect.timeoutOption(socketWithin),
    Effect.asVoid
  )
