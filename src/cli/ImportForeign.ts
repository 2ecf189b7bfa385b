/**
 * Imports the memory of another program: the same merge as for an export, with a count for each kind, and what was left
 * out and why.
 */
import { Effect } from "effect"
import type { Found } from "../core/foreign/Found.ts"
import * as Config from "../services/node/Config.ts"
import { type Source } from "../services/admin/foreign/FeralDirectory.ts"
import { unreadable } from "../services/store/SqliteForeign.ts"
import * as Globals from "./Globals.ts"
import { counted, oneLine, writeError, writeJson, writeLine } from "./Output.ts"
import * as Progress from "./Progress.ts"
import * as Taking from "./Taking.ts"

interface Count {
  read: number
  applied: number
  refused: number
}

/** Things that are found between two looks at what else there is to do. */
const step = 500

/** Imports what `source` finds in `path`, or only looks at it. */
export const run = Effect.fnUntraced(function* (path: string, source: Source, isDry: boolean) {
  const isJson = yield* Globals.Json
  const progress = yield* Progress.make(isJson)
  const counts = new Map<string, Count>()
  const leftOut = new Map<string, { readonly kind: string; readonly reason: string; count: number }>()
  const refused: Array<{ readonly where: string; readonly reason: string }> = []
  let read = 0
  let refusals = 0

  const countOf = (kind: string): Count => {
    const known = counts.get(kind)
    if (known !== undefined) return known
    const fresh = { read: 0, applied: 0, refused: 0 }
    counts.set(kind, fresh)
    return fresh
  }
  const refuse = (kind: string, where: string, reason: string) => {
    countOf(kind).refused++
    if (refusals++ < Taking.shown) refused.push({ where, reason })
  }
  interface Label {
    readonly kind: string
    readonly where: string
  }
  const taking = Taking.make<Label, never, never>(
    yield* Taking.open(isDry, yield* Config.load()),
    ([first], applied, wrong) => {
      // A batch is of one kind.
      if (first !== undefined) countOf(first.label.kind).applied += applied
      for (const { label, reason } of wrong) refuse(label.kind, label.where, reason)
      return progress({ text: `${counted(read, "row")} read`, done: read })
    }
  )
  let kind: string | undefined
  const take = Effect.fnUntraced(function* (found: Found) {
    if (found._tag === "LeftOut") {
      const key = `${found.kind}\0${found.reason}`
      const known = leftOut.get(key)
      if (known === undefined) leftOut.set(key, { kind: found.kind, reason: found.reason, count: found.count })
      else known.count += found.count
      return
    }
    read++
    countOf(found.kind).read++
    if (found._tag === "Refused") return refuse(found.kind, found.where, found.reason)
    if (found.kind !== kind) yield* taking.flush(false)
    kind = found.kind
    yield* taking.push({ label: { kind, where: found.where }, text: found.line })
  })

  const all = source.found[Symbol.iterator]()
  const some = Effect.try({
    try: (): ReadonlyArray<Found> => {
      const part: Array<Found> = []
      for (let next = all.next(); next.done !== true; next = all.next()) if (part.push(next.value) >= step) break
      return part
    },
    catch: (error) => unreadable(path, error)
  })
  let part: ReadonlyArray<Found>
  do {
    part = yield* some
    for (const found of part) yield* take(found)
  } while (part.length > 0)
  yield* taking.flush(true)

  const kinds = [...counts].map(([name, { read, applied, refused }]) => ({
    kind: name,
    read,
    ...(isDry ? {} : { applied, ignored: read - applied - refused }),
    refused
  }))
  const left = [...leftOut.values()]
  const hint = source.afterwards()
  if (isJson) {
    const applied = kinds.reduce((sum, { applied = 0 }) => sum + applied, 0)
    const report = { kinds, left_out: left, refused, refused_count: refusals }
    yield* writeJson(
      isDry ? { read, ...report, is_dry_run: true } : { read, applied, ignored: read - applied - refusals, ...report }
    )
  } else {
    for (const { where, reason } of refused) yield* writeError(`${oneLine(where)}: ${oneLine(reason)}`)
    if (refusals > refused.length) yield* writeError(`and ${refusals - refused.length} more`)
    for (const { kind, read, applied = 0, ignored = 0, refused } of kinds) {
      yield* writeLine(
        `${oneLine(kind === "" ? "other" : kind)}: ${counted(read, "row")} read, ${isDry ? "" : `${applied} new, ${ignored} already known, `}${refused} refused`
      )
    }
    for (const { kind, reason, count } of left) {
      yield* writeLine(`left out: ${count} of ${oneLine(kind === "" ? "no kind" : kind)} (${oneLine(reason)})`)
    }
    yield* writeLine(isDry ? "Nothing was imported." : `Read ${counted(read, "row")} of ${oneLine(path)}`)
  }
  if (hint !== undefined) yield* writeError(hint)
  if (refusals > 0) return yield* new Taking.LinesRefused({ count: refusals, isDry })
})
