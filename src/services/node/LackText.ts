/** What two nodes lack of each other, in words. What is missing always has a direction. */
import { duration } from "../../core/text/Duration.ts"
import { counted } from "../../core/text/Explained.ts"
import type { ItLacks, WeLack } from "./Status.ts"

/** What each of the two lacks. */
export const lacksOf = (itLacks: ItLacks | undefined, weLack: WeLack | undefined): ReadonlyArray<string> => [
  ...(itLacks === undefined || itLacks.operations === 0 ? [] : [`it lacks ${operations(itLacks)} of ours`]),
  ...(weLack === undefined
    ? []
    : [
        weLack.operations === undefined
          ? `we lack operations of ${counted(weLack.origins, "node")} that it has`
          : `we lack ${operations({ operations: weLack.operations })} that it has`
      ])
]

const operations = ({ operations: count, at_least: atLeast }: ItLacks): string =>
  `${atLeast === true ? "at least " : ""}${counted(count, "operation")}`

/** Since when a node was not seen, and what each of the two lacks. */
export const missed = (
  name: string,
  seenAt: number,
  itLacks: ItLacks | undefined,
  weLack: WeLack | undefined,
  now: number
): string => {
  const lacks = lacksOf(itLacks, weLack)
  const known = itLacks?.operations === 0 && lacks.length === 0 ? ["it lacks nothing of ours"] : lacks
  return [`${name}: not seen for ${duration(Math.max(0, now / 1000 - seenAt))}`, known.join(", and ")]
    .filter((part) => part !== "")
    .join("; ")
}
