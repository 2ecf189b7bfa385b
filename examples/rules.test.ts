/**
 * One kind of each rule, and what two nodes hold that wrote the same row while they were apart. `docs/kinds.md` explains the rules.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Kind } from "feral-sync"
import { mergeLaws, TestNetwork } from "feral-sync/testing"

/** A record that people edit: each column is a register of its own. */
const Contact = Kind.make("contacts", {
  rule: "fields",
  row: Schema.Struct({ name: Schema.String, phone: Schema.optionalKey(Schema.String) })
})
/** A document that makes sense as a whole only. */
const Profile = Kind.make("profiles", {
  rule: "lww",
  row: Schema.Struct({ theme: Schema.Literals(["light", "dark"]), accent: Schema.String })
})
/** What happened: it is never changed, and never goes. */
const Visit = Kind.make("visits", { rule: "log", row: Schema.Struct({ page: Schema.String }) })
/** How often. */
const Opened = Kind.make("opened", { rule: "counter" })
/** Members, each of which comes and goes by itself. */
const Label = Kind.make("labels", { rule: "set" })

const kinds = [Contact, Profile, Visit, Opened, Label]
kinds.forEach((kind) => mergeLaws(kind, { runs: 20 }))

/** Two nodes that are apart. `together` brings them together; the second one writes a minute later. */
const apart = Effect.gen(function* () {
  const net = yield* TestNetwork.make({ kinds })
  const [phone, laptop] = yield* net.nodes("phone", "laptop")
  return {
    phone,
    laptop,
    part: Effect.andThen(net.settled, net.partition("phone", "laptop")),
    later: TestClock.adjust("1 minute"),
    together: Effect.andThen(net.heal(), net.settled)
  }
})

it.effect("fields: edits of different columns both stay, and a delete wins over what was written before it", () =>
  Effect.gen(function* () {
    const { phone, laptop, part, later, together } = yield* apart
    const [here, there] = [phone.collection(Contact), laptop.collection(Contact)]
    yield* here.put("ada", { name: "Ada", phone: "1" })
    yield* here.put("bob", { name: "Bob" })
    yield* part
    yield* here.patch("ada", { name: "Ada Lovelace" })
    yield* here.patch("bob", { phone: "2" })
    yield* later
    yield* there.patch("ada", { phone: undefined })
    yield* there.delete("bob")
    yield* together
    const { name, phone: number } = yield* here.get("ada")
    assert.deepStrictEqual([name, number], ["Ada Lovelace", undefined])
    assert.strictEqual((yield* Effect.flip(here.get("bob")))._tag, "RowNotFound")
  })
)

it.effect("lww: the later write of the row stays, all of it", () =>
  Effect.gen(function* () {
    const { phone, laptop, part, later, together } = yield* apart
    yield* part
    yield* laptop.collection(Profile).put("ada", { theme: "light", accent: "green" })
    yield* later
    yield* phone.collection(Profile).put("ada", { theme: "dark", accent: "red" })
    yield* together
    const { theme, accent } = yield* laptop.collection(Profile).get("ada")
    assert.deepStrictEqual({ theme, accent }, { theme: "dark", accent: "red" })
  })
)

it.effect("log: both entries stay, and of one id the first", () =>
  Effect.gen(function* () {
    const { phone, laptop, part, later, together } = yield* apart
    yield* part
    yield* phone.collection(Visit).put({ page: "home" })
    yield* phone.collection(Visit).put("first of the day", { page: "home" })
    yield* later
    yield* laptop.collection(Visit).put({ page: "shop" })
    yield* laptop.collection(Visit).put("first of the day", { page: "shop" })
    yield* together
    assert.strictEqual(yield* laptop.collection(Visit).count(), 3)
    assert.strictEqual((yield* laptop.collection(Visit).get("first of the day")).page, "home")
  })
)

it.effect("counter: what both nodes counted is added", () =>
  Effect.gen(function* () {
    const { phone, laptop, part, together } = yield* apart
    yield* phone.collection(Opened).increment("shop", 5)
    yield* part
    yield* phone.collection(Opened).increment("shop", 2)
    yield* laptop.collection(Opened).increment("shop")
    yield* laptop.collection(Opened).increment("shop", -1)
    yield* together
    assert.strictEqual((yield* laptop.collection(Opened).get("shop")).value, 7)
  })
)

it.effect("set: of one member the later write stays, and other members are not touched", () =>
  Effect.gen(function* () {
    const { phone, laptop, part, later, together } = yield* apart
    const [here, there] = [phone.collection(Label), laptop.collection(Label)]
    yield* here.add("ada", "friend")
    yield* here.add("ada", "work")
    yield* part
    yield* here.remove("ada", "work")
    yield* here.add("ada", "london")
    yield* later
    yield* there.add("ada", "work")
    yield* there.remove("ada", "friend")
    yield* together
    assert.deepStrictEqual((yield* here.get("ada")).members, ["london", "work"])
  })
)
