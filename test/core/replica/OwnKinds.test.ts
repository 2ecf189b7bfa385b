/** The laws of kinds that applications declare, for each rule: merges, and what rows show. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Option } from "effect"
import * as Digest from "../../../src/core/replica/Digest.ts"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import { canonical } from "../../../src/core/replica/Json.ts"
import * as Kind from "../../../src/core/replica/Kind.ts"
import * as Merge from "../../../src/core/replica/Merge.ts"
import * as Operation from "../../../src/core/replica/Operation.ts"
import * as Rule from "../../../src/core/replica/Rule.ts"
import { arrange, order, ownKinds, ownOperation, runs } from "../../support/Generators.ts"
import { digestOf, shown } from "../../support/MergeModel.ts"
import { node, write } from "../../support/Network.ts"

type Operations = ReadonlyArray<Operation.Operation>
const empty: Merge.State = new Map()
const some = Arbitrary.array(ownOperation, { maxLength: 24 })

const dataOf = (content: object) => Option.getOrThrow(canonical(content, 32))

/** A write of a node at a wall time. */
const at = (wall: number, table: string, content: object, op_type: "update" | "delete" = "update", by = "a") => ({
  ...write(node(by), { wall, counter: 0 }, "r", table),
  op_type,
  data: dataOf(content)
})

const readOf = (table: string, held: Operations) => Rule.rules[Kind.ruleOf(table)].read(held)?.value

/** What a row shows after all operations, however they came. */
const shows = (table: string, ...all: Operations): unknown => {
  const values = [all, all.toReversed(), [...all, ...all]].map((some) =>
    JSON.stringify(readOf(table, [...Merge.merge(empty, some).values()].toReversed()) ?? null)
  )
  assert.lengthOf(new Set(values), 1)
  return JSON.parse(values[0] ?? "")
}

describe("names of kinds", () => {
  it("carry the rule of the kind", () => {
    assert.deepStrictEqual(Kind.parseName("todos!fields"), { name: "todos", rule: "fields" })
    assert.deepStrictEqual(Kind.parseName("a!b!set"), { name: "a!b", rule: "set" })
    for (const name of ["todos", "todos!", "!lww", "todos!lwww", "todos!opaque", "todos!constructor", "todos!Fields"]) {
      assert.isUndefined(Kind.parseName(name))
      assert.strictEqual(Kind.ruleOf(name), "opaque")
    }
    assert.strictEqual(Kind.ruleOf("notes"), "lww")
    assert.strictEqual(Kind.ruleOf("notes!counter"), "counter")
  })
})

describe("merges of kinds of applications", () => {
  it.prop(
    "are the same in any order and repetition, with the digest of their rows",
    [some, some, order],
    ([a, b, keys]) => {
      const one = Merge.merge(Merge.merge(empty, a), b)
      const other = Merge.merge(empty, arrange([...b, ...a, ...a], keys))
      assert.deepStrictEqual(shown(one), shown(other))
      assert.deepStrictEqual(digestOf(one), digestOf(other))
      assert.deepStrictEqual(Merge.mergeBatch((slot) => empty.get(slot), [...a, ...b]).digest, digestOf(one))
    },
    runs(2000)
  )

  it.prop(
    "hold no operation that says nothing by its rule, and one winner for each slot",
    [some],
    ([all]) => {
      const state = Merge.merge(empty, all)
      for (const held of state.values()) {
        const rule = Rule.rules[Kind.ruleOf(held.table)]
        assert.isFalse(rule.ignores(held))
        const rivals = all.filter((each) => Merge.slotOf(each) === Merge.slotOf(held) && !rule.ignores(each))
        for (const each of rivals) assert.isAtMost(rule.order(each, held), 0)
      }
      const counted = all.filter((each) => !Rule.rules[Kind.ruleOf(each.table)].ignores(each))
      assert.strictEqual(state.size, new Set(counted.map(Merge.slotOf)).size)
    },
    runs(2000)
  )

  it.prop(
    "show what the set of operations says",
    [some, order],
    ([all, keys]) => {
      const [one, other] = [all, arrange(all, keys)].map((each) => [...Merge.merge(empty, each).values()])
      for (const table of ownKinds)
        for (const row of ["r1", "r2"]) {
          const [a, b] = [one, other].map((held = []) =>
            Rule.rules[Kind.ruleOf(table)].read(held.filter((each) => each.table === table && each.row_id === row))
          )
          assert.deepStrictEqual(a, b)
        }
    },
    runs(2000)
  )

  it("count numbers of which an older version took digits as the same member", () => {
    const [exact, double] = ["12345678901234567890", "12345678901234567000"].map((digits) => ({
      ...at(1, "labels!set", {}),
      data: Operation.Operation.fields.data.make(`{"member":${digits}}`)
    }))
    if (exact === undefined || double === undefined) return assert.fail()
    assert.strictEqual(Merge.slotOf(exact), Merge.slotOf(double))
    assert.isTrue(Digest.equals(Digest.ofOperation(exact), Digest.ofOperation(double)))
  })
})

describe("fields", () => {
  const kind = "todos!fields"
  const title = (wall: number, title: string, by?: string) => at(wall, kind, { title }, "update", by)
  const done = (wall: number, done: boolean, by?: string) => at(wall, kind, { done }, "update", by)
  const gone = (wall: number, by?: string) => at(wall, kind, {}, "delete", by)

  it("keep edits of different fields, and the later one of the same field", () => {
    assert.deepStrictEqual(shows(kind, title(1, "tea"), done(2, false), title(3, "milk", "b"), done(3, true, "c")), {
      title: "milk",
      done: true
    })
  })

  it("are gone with a delete that is later, and come back with what was written after it", () => {
    const before = [title(1, "tea"), done(2, false)]
    assert.isNull(shows(kind, ...before, gone(3, "b")))
    assert.deepStrictEqual(shows(kind, ...before, gone(3, "b"), done(4, true, "c")), { done: true })
    assert.deepStrictEqual(shows(kind, ...before, gone(3), done(4, true), title(5, "milk")), {
      title: "milk",
      done: true
    })
    assert.isNull(shows(kind, ...before, gone(3), done(4, true), gone(5, "b")))
    // An earlier delete that comes late changes nothing.
    assert.deepStrictEqual(shows(kind, gone(0, "b"), ...before), { title: "tea", done: false })
  })

  it("can be taken out of a row", () => {
    assert.deepStrictEqual(shows(kind, title(1, "tea"), done(1, true), at(2, kind, { done: null }, "delete")), {
      title: "tea"
    })
    assert.deepStrictEqual(shows(kind, title(1, "tea"), at(2, kind, { title: null })), { title: null })
  })
})

describe("counter", () => {
  const kind = "clicks!counter"
  const total = (wall: number, epoch: string, count: number, total: number, by?: string) =>
    at(wall, kind, { epoch, count, total }, "update", by)

  it("is the sum of what all have counted", () => {
    assert.deepStrictEqual(shows(kind, total(1, "a1", 1, 1), total(2, "a1", 2, 3), total(2, "b1", 1, -7, "b")), {
      value: -4
    })
  })

  it("loses nothing after the restore of a backup, however late the node hears of what it counted", () => {
    const before = [total(1, "a1", 1, 1), total(2, "a1", 2, 2), total(3, "a1", 3, 3)]
    // The backup holds the first of them.
    const after = [total(9, "a2", 1, 1), total(10, "a2", 2, 2)]
    assert.deepStrictEqual(shows(kind, ...before, ...after), { value: 5 })
  })

  it("does not go back when another node writes anew what it holds of a total", () => {
    const late = total(90, "a1", 1, 1, "b")
    assert.deepStrictEqual(shows(kind, total(1, "a1", 1, 1), total(2, "a1", 2, 2), late), { value: 2 })
  })

  it("adds without loss of digits, in any order", () => {
    const most = Number.MAX_SAFE_INTEGER
    assert.deepStrictEqual(shows(kind, total(1, "a", 1, most), total(1, "b", 1, most), total(1, "c", 1, 1 - most)), {
      value: most + 1
    })
  })
})

describe("set", () => {
  const kind = "labels!set"
  const member = (wall: number, member: unknown, op_type: "update" | "delete" = "update", by?: string) =>
    at(wall, kind, { member }, op_type, by)

  it("has the members that were added last", () => {
    assert.deepStrictEqual(shows(kind, member(1, "red"), member(2, "blue", "update", "b"), member(1, 3)), {
      members: ["blue", "red", 3]
    })
    assert.deepStrictEqual(shows(kind, member(1, "red"), member(2, "blue"), member(3, "red", "delete", "b")), {
      members: ["blue"]
    })
    assert.isNull(shows(kind, member(1, "red"), member(2, "red", "delete")))
  })

  it("has one outcome when a member is added and removed at once, and keeps an earlier removal of what was not there", () => {
    const [a, b] = [member(5, "red", "update", "a"), member(5, "red", "delete", "b")]
    assert.isAbove(Hlc.HlcOrder(b.hlc, a.hlc), 0)
    assert.isNull(shows(kind, a, b))
    assert.deepStrictEqual(shows(kind, member(5, "red", "update", "b"), member(5, "red", "delete", "a")), {
      members: ["red"]
    })
    assert.isNull(shows(kind, member(7, "red", "delete"), member(6, "red", "update", "b")))
  })
})

describe("verbs", () => {
  /** A replica of one row that writes at rising times. */
  const replica = (table: string, epoch = "e") => {
    let state = empty
    let wall = 0
    const held = () => [...state.values()]
    const rule: Rule.Rule = Rule.rules[Kind.ruleOf(table)]
    return {
      write: (verb: string, input: Operation.Content = {}) => {
        const writings = rule.verbs[verb]?.(held(), input, epoch) ?? []
        state = Merge.merge(
          state,
          writings.map(({ op_type, data }) => ({
            ...at(++wall, table, data),
            op_type
          }))
        )
        return writings.length
      },
      read: () => rule.read(held())?.value,
      held
    }
  }

  it("of fields leave nothing of a deleted row but names", () => {
    const row = replica("todos!fields")
    row.write("put", { title: "secret", done: false })
    row.write("patch", { done: true, note: "secret too" })
    assert.deepStrictEqual(row.read(), { title: "secret", done: true, note: "secret too" })
    row.write("patch", { note: undefined })
    assert.deepStrictEqual(row.read(), { title: "secret", done: true })
    row.write("delete")
    assert.isUndefined(row.read())
    assert.notInclude(JSON.stringify(row.held()), "secret")
    row.write("put", { title: "again" })
    assert.deepStrictEqual(row.read(), { title: "again" })
  })

  it("of a counter write one total for each epoch", () => {
    const row = replica("clicks!counter")
    for (const by of [1, 2, -5]) assert.strictEqual(row.write("increment", { by }), 1)
    assert.deepStrictEqual(row.read(), { value: -2 })
    assert.lengthOf(row.held(), 1)
  })

  it("of a register and of a log write whole rows", () => {
    const register = replica("todos!lww")
    register.write("put", { title: "tea", done: false })
    register.write("put", { title: "milk" })
    assert.deepStrictEqual(register.read(), { title: "milk" })
    register.write("delete")
    assert.isUndefined(register.read())
    const log = replica("visits!log")
    log.write("put", { title: "tea" })
    log.write("put", { title: "milk" })
    assert.deepStrictEqual(log.read(), { title: "tea" })
  })
})
