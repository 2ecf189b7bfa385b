import { Context, Effect, Layer, Option, Redacted, Schema, Stream } from "effect"
import { Discovery, FeralSync, Kind, Memory, Peers } from "feral-sync"

const Todo = Kind.make("todos", { rule: "fields", row: Schema.Struct({ title: Schema.String }) })
const passphrase = Option.some(Redacted.make("an example passphrase"))
const node = (home: string, discovery = Discovery.layerNone) =>
  FeralSync.layer({ home, passphrase, host: "127.0.0.1", port: 0, kinds: [Todo] }, { discovery })

const program = Effect.gen(function* () {
  const first = yield* Layer.build(node(`${process.argv[2]}/first`))
  const address = { host: "127.0.0.1", port: Context.get(first, Peers).port }
  const second = yield* Layer.build(node(`${process.argv[2]}/second`, Discovery.layerStatic([address])))
  yield* Context.get(first, Memory).collection(Todo).put({ title: "from a program" })
  const rows = Context.get(second, Memory).collection(Todo).live()
  return yield* rows.pipe(Stream.flattenIterable, Stream.take(1), Stream.runCollect)
}).pipe(Effect.scoped)

console.log(JSON.stringify((await Effect.runPromise(program)).map(({ title }) => title)))
