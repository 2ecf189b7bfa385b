/**
 * The rule `set`: each member of a row is a register of its own, that says whether it is in the set. Adding what is
 * there, removing what is not, and both at once on two nodes have one outcome, by HLC.
 *
 * An operation holds one member: `{"member":"red"}`. A delete takes it out. Its slot is the canonical JSON of the
 * member.
 */
import { Option } from "effect"
import { canonical } from "../Json.ts"
import { byCodePoint, isPlainText } from "../NodeId.ts"
import { contentOf, maxDataDepth, type Operation } from "../Operation.ts"
import type { Rule } from "./Shape.ts"
import { latestOf, PrecedenceOrder } from "./Precedence.ts"

/** Bytes of the JSON of a member, at most. */
export const maxMember = 256

/** The slot of a member; none where it cannot be one. */
export const slotOfMember = (member: unknown): string | undefined => {
  if (member === undefined) return undefined
  const text = Option.getOrElse(canonical(member, maxDataDepth), () => "")
  return isPlainText(text, maxMember) ? text : undefined
}

const memberOf = (operation: Operation): string | undefined => slotOfMember(contentOf(operation)["member"])

export const set = {
  slotOf: (operation) => memberOf(operation) ?? "",
  order: PrecedenceOrder,
  ignores: (operation) => memberOf(operation) === undefined,
  read: (current) => {
    const present = current.filter(({ op_type }) => op_type !== "delete")
    const latest = latestOf(current)
    if (present.length === 0 || latest === undefined) return undefined
    const members = present
      .map((operation) => [memberOf(operation) ?? "", contentOf(operation)["member"]] as const)
      .sort(([a], [b]) => byCodePoint(a, b))
      .map(([, member]) => member)
    return { value: { members }, latest }
  },
  verbs: {
    add: (_, { member }) => [{ op_type: "update", data: { member } }],
    remove: (_, { member }) => [{ op_type: "delete", data: { member } }]
  }
} satisfies Rule
