/**
 * The tickets that other nodes gave to this one (`core/sync/Handshake.ts`), by node and by the address where it was
 * dialled.
 *
 * With a file they outlive the process, so that a node that starts again is recognised at once. A ticket that is lost
 * costs nothing but that: the node is unauthenticated until its proof holds. So a file that cannot be read or written
 * is no failure.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Effect, FileSystem, Layer, Option, Redacted, Schema } from "effect"
import { type Address, formatAddress } from "../../core/peers/Address.ts"
import * as Oldest from "../../core/peers/Oldest.ts"
import { isTicket } from "../../core/sync/Handshake.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import { Config } from "../node/Config.ts"
import * as Home from "../node/Home.ts"

/** Tickets that are kept. The one that was given longest ago goes first. */
const kept = 1_024

/** The largest file that is read, in bytes. */
const maxBytes = 1024 * 1024

export interface Tickets {
  /** The ticket to show to a node, whose id is not always known before it is dialled. */
  of(node: NodeId | undefined, address: Address): Redacted.Redacted<string> | undefined
  /** Whether a node was met at an address where it was dialled. */
  isMetAt(address: Address): boolean
  /** Keeps a ticket of a node, and of the address where it was dialled. */
  keep(node: NodeId, dialled: Address | undefined, ticket: Redacted.Redacted<string>): Effect.Effect<void>
}

/** Where tickets are kept beside the memory of the process; nowhere by default. */
export interface TicketFile {
  readonly read: Effect.Effect<string>
  write(text: string): Effect.Effect<void>
}

export const TicketFile: Context.Reference<Option.Option<TicketFile>> = Context.Reference(
  "feral-sync/services/peers/Tickets/TicketFile",
  { defaultValue: (): Option.Option<TicketFile> => Option.none() }
)

/** In the file `tickets` of the data directory. */
export const layerFile: Layer.Layer<never, never, Config> = Layer.effect(
  TicketFile,
  Effect.gen(function* () {
    const { home } = yield* Config
    const fs = yield* FileSystem.FileSystem
    const { tickets: path } = Home.paths(home)
    const read = Effect.gen(function* () {
      const { size } = yield* fs.stat(path)
      return size > maxBytes ? "" : yield* fs.readFileString(path)
    })
    return Option.some<TicketFile>({
      read: Effect.orElseSucceed(read, () => ""),
      write: (text) =>
        Home.writeSecret(path, text).pipe(
          Effect.catch(({ message }) =>
            Effect.logDebug("the tickets of other nodes cannot be saved").pipe(Effect.annotateLogs({ cause: message }))
          ),
          Effect.provideService(FileSystem.FileSystem, fs),
          Effect.uninterruptible
        )
    })
  })
).pipe(Layer.provide(NodeFileSystem.layer))

const Content = Schema.fromJsonString(Schema.Array(Schema.Tuple([Schema.String, Schema.String])))
const decode = Schema.decodeUnknownOption(Content)
const encode = Schema.encodeSync(Content)

export const make = Effect.gen(function* () {
  const file = Option.getOrUndefined(yield* TicketFile)
  const tickets = new Map<string, Redacted.Redacted<string>>()
  const text = file === undefined ? "" : yield* file.read
  for (const [key, ticket] of Option.getOrElse(decode(text), () => [])) {
    if (tickets.size < kept && isTicket(ticket)) tickets.set(key, Redacted.make(ticket, { label: "ticket" }))
  }

  const keep = Effect.fnUntraced(function* (
    node: NodeId,
    dialled: Address | undefined,
    ticket: Redacted.Redacted<string>
  ) {
    const keys = [nodeKey(node), ...(dialled === undefined ? [] : [addressKey(dialled)])]
    const isKnown = (key: string) => {
      const known = tickets.get(key)
      return known !== undefined && Redacted.value(known) === Redacted.value(ticket)
    }
    if (keys.every(isKnown)) return
    for (const key of keys) Oldest.set(tickets, key, ticket, kept)
    yield* (
      file?.write(encode(Array.from(tickets, ([key, value]) => [key, Redacted.value(value)] as const))) ?? Effect.void
    )
  })

  return {
    of: (node, address) =>
      (node === undefined ? undefined : tickets.get(nodeKey(node))) ?? tickets.get(addressKey(address)),
    isMetAt: (address) => tickets.has(addressKey(address)),
    keep
  } satisfies Tickets
})

const nodeKey = (node: NodeId): string => `node ${node}`
const addressKey = (address: Address): string => `at ${formatAddress(address)}`
