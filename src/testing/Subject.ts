/**
 * What is tested: a kind, or a conflict rule of one's own. From it follow the operations that can be written, and how
 * they merge.
 */
import { Arbitrary, Option, Result, Schema } from "effect"
import * as Hlc from "../core/replica/Hlc.ts"
import { canonical } from "../core/replica/Json.ts"
import * as Kind from "../core/replica/Kind.ts"
import * as Merge from "../core/replica/Merge.ts"
import { NodeId } from "../core/replica/NodeId.ts"
import * as Operation from "../core/replica/Operation.ts"
import * as Rule from "../core/replica/Rule.ts"
import * as Arbitraries from "./Arbitraries.ts"

/**
 * A conflict rule as a value. Without `ignores`, every operation counts. `read` is what a row shows of its operations.
 */
export interface OwnRule extends Pick<Rule.Rule, "slotOf" | "order"> {
  readonly ignores?: Rule.Rule["ignores"] | undefined
  readonly read?: ((held: ReadonlyArray<Operation.Operation>) => unknown) | undefined
}

/** A kind; or a name, with the conflict rule that is tried. */
export interface Subject {
  readonly name: string
  /** The name on the wire; `name` where it is not there. */
  readonly table?: string | undefined
  readonly rule: Rule.Known | OwnRule
  /**
   * What a row shows, and what applications write into it, where that is not the same. Without them, a row has one
   * text.
   */
  readonly row?: Schema.Constraint | undefined
  readonly input?: Schema.Constraint | undefined
}

/** The name of a subject on the wire: that of a kind of applications carries its rule. */
export const tableOf = ({ name, rule, table }: Subject): string =>
  table ?? (typeof rule !== "string" || Kind.find(name) !== undefined ? name : `${name}!${rule}`)

/** The rule of a subject. */
export const ruleOf = ({ rule }: Subject): OwnRule => (typeof rule === "string" ? Rule.rules[rule] : rule)

type Operations = ReadonlyArray<Operation.Operation>

/** Merges operations into a state: those of kinds as a node does, those of a rule that is tried by that rule. */
export const merge = (subject: Subject, state: Merge.State, operations: Iterable<Operation.Operation>): Merge.State => {
  const { rule } = subject
  if (typeof rule === "string") return Merge.merge(state, operations)
  const merged = new Map(state)
  for (const operation of operations) {
    if (rule.ignores?.(operation) === true) continue
    const slot = `${operation.row_id}\0${rule.slotOf(operation)}`
    const held = merged.get(slot)
    if (held === undefined || rule.order(operation, held) > 0) merged.set(slot, operation)
  }
  return merged
}

/** The rows of a state, and what each of them shows. */
export const shown = (subject: Subject, state: Iterable<Operation.Operation>): ReadonlyMap<string, unknown> => {
  const byRow = new Map<string, Array<Operation.Operation>>()
  for (const operation of state) byRow.set(operation.row_id, [...(byRow.get(operation.row_id) ?? []), operation])
  const read = ruleOf(subject).read ?? (([held]: Operations) => held?.data)
  return new Map([...byRow].map(([row, held]) => [row, read(held)]))
}

/** A write: what it is, on which row, and by whom at which time. */
interface Step {
  readonly row: string
  readonly hlc: Hlc.Hlc
  readonly write: Write
  /** For counters: drawn once for each opening of a store. */
  readonly epoch: string
}

/** One of the verbs of a rule, with its input. */
interface Write {
  readonly verb: string
  readonly input: Operation.Content
}

const few = Arbitraries.element("x", "y")

/** What may be written into a row of a subject. */
const rows = ({ row, input = row }: Subject): Arbitrary.Arbitrary<Operation.Content> => {
  if (input === undefined) return Arbitrary.map(few, (content) => ({ content }))
  const encode = Schema.encodeUnknownResult(Schema.toCodecJson(Schema.toType(input)))
  return Arbitrary.filterMap(Arbitrary.schema(input), (value) =>
    Result.flatMap(encode(value), (json) => (isContent(json) ? Result.succeed(json) : Result.fail(json)))
  )
}

const isContent = (value: unknown): value is Operation.Content =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The inputs of the verbs of rules. */
const inputs = (subject: Subject): Readonly<Record<string, Arbitrary.Arbitrary<Operation.Content>>> => {
  const row = rows(subject)
  const member = Arbitrary.map(few, (member) => ({ member }))
  return {
    put: row,
    patch: Arbitrary.map(Arbitrary.all([row, Arbitraries.integer(0, 9)]), ([content, at]) => {
      const columns = Object.entries(content)
      return Object.fromEntries(columns.slice(at % Math.max(1, columns.length)).slice(0, 1))
    }),
    delete: Arbitrary.Constant({}),
    increment: Arbitrary.map(Arbitraries.integer(-2, 3), (by) => ({ by })),
    add: member,
    remove: member
  }
}

/** What may be written: by the verbs of the rule. Logs are given deletes too, which have no effect. */
const writesOf = (subject: Subject): Arbitrary.Arbitrary<Write> => {
  const known = inputs(subject)
  const [first, ...others] = [...Object.keys(verbsOf(subject)), "delete"].flatMap((verb) => {
    const input = known[verb]
    return input === undefined ? [] : [Arbitrary.map(input, (input): Write => ({ verb, input }))]
  })
  return first === undefined ? Arbitrary.Constant({ verb: "delete", input: {} }) : Arbitraries.oneOf(first, ...others)
}

/** The verbs that write the operations of a subject: those of its rule, or of a register where the rule is tried. */
const verbsOf = ({ rule }: Subject): Rule.Rule["verbs"] =>
  typeof rule === "string" ? Rule.rules[rule].verbs : Rule.rules.lww.verbs

/** The operations of some writes, each made on what was written before. */
const played = (subject: Subject, steps: ReadonlyArray<Step>): Operations => {
  const operations: Array<Operation.Operation> = []
  let state: Merge.State = new Map()
  const verbs = verbsOf(subject)
  for (const { row, hlc, write, epoch } of steps) {
    const held = [...state.values()].filter(({ row_id }) => row_id === row)
    const verb = verbs[write.verb] ?? (() => [{ op_type: "delete", data: {} } as const])
    const writings = verb(held, write.input, epoch)
    const made = writings.flatMap(({ op_type, data }, index): Operations => {
      const text = Option.getOrUndefined(canonical(data, Operation.maxDataDepth))
      if (text === undefined) return []
      return [
        {
          op_id: Operation.OpId.make(`o${operations.length + index + 1}`),
          table: Operation.Kind.make(tableOf(subject)),
          op_type,
          row_id: Operation.RowId.make(row),
          data: text,
          hlc: { ...hlc, counter: hlc.counter + index + 1 },
          timestamp: hlc.wall / 1000
        }
      ]
    })
    state = merge(subject, state, made)
    operations.push(...made)
  }
  return operations
}

/**
 * Writes of any kind, on two rows by a few nodes at a few times: most lists hold conflicts, and some hold different
 * contents under one HLC, as only a broken node makes them. At most `most` writes.
 */
export const operationsOf = (subject: Subject, most = 10): Arbitrary.Arbitrary<Operations> =>
  Arbitrary.map(Arbitrary.array(stepOf(subject), { maxLength: most }), (steps) => played(subject, steps))

/** Few, by nodes whose names a person can read in a story. */
const readableHlcs: Arbitrary.Arbitrary<Hlc.Hlc> = Arbitrary.map(
  Arbitrary.all([Arbitraries.fewTimestamps, Arbitraries.element("a", "b", "c")]),
  ([timestamp, node]) => ({ ...timestamp, node: NodeId.make(node) })
)

const stepOf = (subject: Subject): Arbitrary.Arbitrary<Step> =>
  Arbitrary.all({
    row: Arbitraries.element("r1", "r2"),
    hlc: readableHlcs,
    write: writesOf(subject),
    epoch: Arbitraries.element("e1", "e2")
  })

/**
 * What three nodes write to two rows of a subject, each without hearing of the others. The timestamps of each node
 * increase, as those of every node do that is right.
 */
export const historyOf = (subject: Subject, most: number): Arbitrary.Arbitrary<Operations> => {
  const step = Arbitrary.all({
    node: Arbitraries.element("a", "b", "c"),
    row: Arbitraries.element("r1", "r2"),
    write: writesOf(subject),
    later: Arbitraries.integer(0, 3)
  })
  return Arbitrary.map(Arbitrary.array(step, { maxLength: most }), (steps) => {
    const clocks = new Map<string, Hlc.Timestamp>()
    let now = 1
    const timed = steps.map(({ node, later, ...rest }) => {
      now += later
      const timestamp = Hlc.send(clocks.get(node) ?? Hlc.zero, now)
      // A write may take several timestamps.
      clocks.set(node, { ...timestamp, counter: timestamp.counter + mostOperations })
      return { node, step: { ...rest, epoch: node, hlc: { ...timestamp, node: NodeId.make(node) } } }
    })
    const byNode = Object.groupBy(timed, ({ node }) => node)
    const made = Object.values(byNode).flatMap((all) =>
      played(
        subject,
        all.map(({ step }) => step)
      )
    )
    return made.sort(Operation.OperationOrder).map((operation, index) => ({
      ...operation,
      op_id: Operation.OpId.make(`o${index + 1}`)
    }))
  })
}

/** Operations of one write, at most. */
const mostOperations = 100
