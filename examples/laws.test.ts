/** The laws of a conflict rule: one that is right, and one that is wrong and is caught. */
import { assert, it } from "@effect/vitest"
import { Effect, Order } from "effect"
import { type Operation, Rule } from "feral-sync/core"
import { LawBroken, mergeLaws, MergeLaws, type Subject } from "feral-sync/testing"

const price = ({ data }: Operation.Operation): number => Number(JSON.parse(data).price ?? 0)
const byPrice = Order.mapInput(Order.Number, price)

/** The highest bid stays; of equal bids the latest, by the order that every rule ends with. */
const bids: Subject = {
  name: "bids",
  rule: { slotOf: () => "", order: Order.combine(byPrice, Rule.rules.lww.order) }
}
mergeLaws(bids)

/** The same without the second order: of equal bids the one stays that came first, which is another one on another node. */
const wrong: Subject = { name: "wrong bids", rule: { slotOf: () => "", order: byPrice } }

it.effect("a rule whose order is not total is caught, with the story of two nodes that differ", () =>
  Effect.gen(function* () {
    const converges = MergeLaws.laws(wrong).find(({ name }) => name.includes("converge"))
    const broken = yield* Effect.flip(converges?.check({ seed: 1 }) ?? Effect.die("no such law"))
    assert.instanceOf(broken, LawBroken)
    assert.match(broken.message, /One node is told .* and holds: .*\n.*Another is told .* and holds: /)
    assert.match(broken.nextStep, /^Replay it: mergeLaws\(/)
  })
)
