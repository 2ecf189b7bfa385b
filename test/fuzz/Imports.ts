/**
 * Lines of an import against a store on disk, cut out of the bytes as the command does it.
 *
 * What must hold: every line is taken or refused, nothing is claimed, and all that was taken can be written out and read again:
 * another store that takes it is equal.
 */
import { Effect, HashMap, Layer } from "effect"
import { toWire } from "../../src/core/replica/Operation.ts"
import * as Lines from "../../src/cli/Lines.ts"
import * as Archive from "../../src/services/admin/Archive.ts"
import { Store } from "../../src/services/store/Store.ts"
import { node, write } from "../support/Network.ts"
import { inMemory, onDisk, type StoreService } from "../support/Stores.ts"
import { Broken, type Fed, type Target } from "./Fuzz.ts"
import { ofBytes, ofLines } from "./Mutation.ts"

const allowed = { maxClockDriftMs: 300_000, maxRecvBytes: 64 * 1024 }
const over = (store: StoreService) => Archive.make(allowed).pipe(Effect.provide(Layer.succeed(Store, store)))

const wall = 1_700_000_000_000
const lines = ["notes", "knowledge", "episodes", "plans"].flatMap((kind, counter) => [
  toWire(write(node("a"), { wall, counter }, "r1", kind)),
  toWire(write(node("b"), { wall, counter }, "r1", kind, "delete"))
])
const corpus: ReadonlyArray<Uint8Array> = [
  lines.join("\n"),
  ...lines.map((line) => `${line}\r\n`),
  lines.join("\n").replaceAll("{}", String.raw`{"\\":[{"\n":null}],"id":"r1","x":1e999}`)
].map((text) => Buffer.from(text))

const open = Effect.gen(function* () {
  const store = yield* Effect.flatMap(onDisk, (place) => place.open)
  const archive = yield* over(store)

  const feed = Effect.fnUntraced(
    function* (input: Uint8Array) {
      const cut = Lines.make(allowed.maxRecvBytes)
      const found = [...cut.push(input), ...cut.end()].filter(({ problem }) => problem === undefined)
      const { applied, refused } = yield* archive.take(found.map(({ text }) => text))
      if (applied + refused.length > found.length)
        return yield* new Broken({ what: "more became of lines than there are" })
      const [first] = refused
      return `${applied > 0 ? "applied" : "known"}, ${first === undefined ? "all taken" : first.reason.slice(0, 24)}`
    },
    Effect.catchTag("StoreUnavailable", ({ message }) => Effect.fail(new Broken({ what: message })))
  )

  const check = Effect.gen(function* () {
    const copy = yield* Effect.flatMap(inMemory, (place) => place.open)
    const target = yield* over(copy)
    let next: Archive.Page["after"] = null
    do {
      const page: Archive.Page = yield* archive.page(next)
      const { refused } = yield* target.take(page.lines)
      if (refused.length > 0) return yield* new Broken({ what: `taken once, and refused then: ${refused[0]?.reason}` })
      next = page.after
    } while (next !== null)
    const [a, b] = [yield* store.digest, yield* copy.digest]
    if (a.high !== b.high || a.low !== b.low) return yield* new Broken({ what: "what came out is not what is there" })
    if (!HashMap.isEmpty(yield* store.vectorClock)) return yield* new Broken({ what: "an import claims something" })
  }).pipe(
    Effect.scoped,
    Effect.catchTag("StoreUnavailable", ({ message }) => Effect.fail(new Broken({ what: message })))
  )
  return { feed, check } satisfies Fed
}).pipe(Effect.orDie)

export const imports: Target = { name: "imports", corpus, mutations: [ofLines("\n"), ofBytes], open }
