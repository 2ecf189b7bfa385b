/** Kinds of an application in a simulation: one of each rule. The rules stand here once more, and share nothing with the program. */
import type { Operation } from "../../src/core/replica/Operation.ts"

const rules = ["lww", "log", "fields", "counter", "set"] as const

/** The kinds, by their names on the wire. */
export const kinds = rules.map((rule) => `dreams!${rule}`)

export const ruleOf = ({ table }: { readonly table: string }): (typeof rules)[number] | undefined => {
  const [, rule] = table.split("!")
  return rules.find((one) => one === rule)
}

const contentOf = ({ data }: Operation): { readonly [key: string]: unknown } => {
  const content: unknown = JSON.parse(data)
  return typeof content === "object" && content !== null ? { ...content } : {}
}

/** The n-th write of a node: `count` is that of a counter since the node was started, in the part `epoch`. */
export const contentFor = (kind: string, n: number, isDelete: boolean, epoch: string, count: number): object => {
  switch (ruleOf({ table: kind })) {
    case "fields":
      return isDelete ? (n % 2 === 0 ? {} : { [`f${n % 3}`]: null }) : { [`f${n % 3}`]: n }
    case "counter":
      return { count, epoch, total: count }
    case "set":
      return { member: `m${n % 4}` }
    default:
      return isDelete ? {} : { text: `${n}` }
  }
}

/** The part of its row for which an operation competes. */
export const slotOf = (operation: Operation): string => {
  const content = contentOf(operation)
  switch (ruleOf(operation)) {
    case "fields":
      return Object.keys(content)[0] ?? ""
    case "counter":
      return String(content["epoch"])
    case "set":
      return JSON.stringify(content["member"])
    default:
      return ""
  }
}

/** Which of two totals of one part is the later; none where that is not what decides. */
export const compareCounts = (one: Operation, other: Operation): number =>
  ruleOf(one) === "counter" ? Number(contentOf(one)["count"]) - Number(contentOf(other)["count"]) : 0
