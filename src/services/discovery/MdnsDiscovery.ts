/**
 * Discovery by multicast DNS: the sockets, one for each network interface and family of addresses. Their protocol is
 * the business of `core/discovery/DnsSd.ts`.
 */
import { type Duration, Effect, Layer, PubSub, Result } from "effect"
import multicastDns from "multicast-dns"
import { createSocket, type Socket as DatagramSocket } from "node:dgram"
import { networkInterfaces } from "node:os"
import { type Link, linksOf } from "../../core/discovery/Link.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import { type Announcement, Discovery } from "./Discovery.ts"
import { MdnsUnavailable } from "../node/NodeFailure.ts"
import * as MdnsRuntime from "./MdnsRuntime.ts"
import * as LocalNames from "./LocalNames.ts"
import * as Intake from "./Intake.ts"
import * as Packets from "./Packets.ts"

export interface Options {
  /** Names or addresses of the interfaces to use; empty for all that are up, but loopback. */
  readonly interfaces: ReadonlyArray<string>
  /** The UDP port: 5353, but in a network of one's own. */
  readonly port?: number
  /** How often the sockets are brought in line with the interfaces; 5 seconds by default. */
  readonly reconcileEvery?: Duration.Input
}

const queuedDoubts = 64

/** How long a socket may take to open, and to close. */
const socketWithin = "2 seconds"

/** The network of this machine. */
export const networkOf = ({ interfaces, port = 5353 }: Options): MdnsRuntime.Network => {
  const intake = Intake.make()
  return {
    port,
    links: linksNow(interfaces),
    open: (link, handlers) => open(link, port, handlers, intake)
  }
}

/** Multicast DNS. */
export const layer = (options: Options): Layer.Layer<Discovery> => Layer.effect(Discovery, make(options))

const make = Effect.fnUntraced(function* ({ reconcileEvery = "5 seconds", ...options }: Options) {
  const network = networkOf(options)
  // A doubt that does not fit is dropped: the next failed dial raises it again.
  const doubts = yield* PubSub.dropping<NodeId>(queuedDoubts)
  return {
    mdns: true,
    resolve: (host) => LocalNames.resolve(host, options),
    sightings: Effect.fn("Discovery.sightings")((announcement: Announcement) =>
      MdnsRuntime.run(network, reconcileEvery, announcement, doubts)
    ),
    reconfirm: Effect.fn("Discovery.reconfirm")((nodeId: NodeId) => Effect.asVoid(PubSub.publish(doubts, nodeId)))
  } satisfies Discovery["Service"]
})

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
      ? "no network interface but loopback is up"
      : `no network interface has the name or address ${wanted.join(" or ")}`
  return yield* new MdnsUnavailable({ detail })
})

/** Opens the socket of a link: done when it is bound and a member of the group. */
const open = (
  link: Link,
  port: number,
  handlers: MdnsRuntime.Handlers,
  intake: Intake.Intake
): Effect.Effect<MdnsRuntime.Socket, MdnsUnavailable> =>
  Effect.callback<MdnsRuntime.Socket, MdnsUnavailable>((resume) => {
    const { group, options } = familyOf(link)
    const made = Result.try({
      try: () => multicastDns({ ...options, ip: group, port, ttl: 255, loopback: true }),
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
    mdns.on("warning", (error) => {
      if ("syscall" in error) fail(error)
    })
    // The library would decode every packet that comes.
    options.socket.removeAllListeners("message")
    options.socket.on("message", (bytes, { address, port }) => {
      if (!intake.takes(address, bytes.length, performance.now())) return
      const packet = Packets.decode(bytes)
      if (packet !== undefined) handlers.packet(packet, { address, port })
    })
    mdns.once("ready", () => {
      isOpen = true
      resume(Effect.succeed(socketOf(mdns, options.socket, { address: group, port })))
    })
    return closing(mdns)
  }).pipe(
    Effect.timeoutOrElse({
      duration: socketWithin,
      orElse: () => new MdnsUnavailable({ detail: `${link.key}: the socket cannot be opened` })
    })
  )

/**
 * Bound to all addresses: bound to one, a socket would hear no multicast. One for IPv6 leaves the port of IPv4 alone.
 */
const familyOf = ({ family, address, scope }: Link) => {
  if (family === "IPv4") {
    const socket = createSocket({ type: "udp4", reuseAddr: true })
    return { group: "224.0.0.251", options: { type: "udp4", interface: address, bind: "0.0.0.0", socket } } as const
  }
  const socket = createSocket({ type: "udp6", reuseAddr: true, ipv6Only: true })
  return { group: "ff02::fb", options: { type: "udp6", interface: `::%${scope}`, bind: "::", socket } } as const
}

const socketOf = (
  mdns: multicastDns.MulticastDNS,
  socket: DatagramSocket,
  group: { readonly address: string; readonly port: number }
): MdnsRuntime.Socket => ({
  send: ({ packet, to = group }, done) => {
    // The port of a querier is untrusted as well: 0 is one that cannot be sent to.
    const sent = Result.try({
      try: () => socket.send(Packets.encode(packet), to.port, to.address, (error) => done(error ?? undefined)),
      catch: errorOf
    })
    if (Result.isFailure(sent)) done(sent.failure)
  },
  close: closing(mdns)
})

const closing = (mdns: multicastDns.MulticastDNS): Effect.Effect<void> =>
  Effect.callback<void>((resume) => mdns.destroy(() => resume(Effect.void))).pipe(
    Effect.timeoutOption(socketWithin),
    Effect.asVoid
  )
