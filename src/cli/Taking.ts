/**
 * How an import takes operations, whatever they come from: in batches, the last one lasting, or, for a dry run, only
 * looked at.
 */
import { Clock, Effect, Result, Schema } from "effect"
import * as ExportFormat from "../core/replica/ExportFormat.ts"
import { messageOf } from "../core/text/Explained.ts"
import { utf8Length } from "../core/replica/NodeId.ts"
import { type Archive, batch } from "../services/admin/Archive.ts"
import type { Settings } from "../services/node/Config.ts"
import type { StoreUnavailable } from "../services/node/NodeFailure.ts"
import * as Access from "./Access.ts"
import { counted } from "./Output.ts"

/** Refused lines that are shown. */
export const shown = 100

/** Some lines could not be taken. */
export class LinesRefused extends Schema.TaggedError<LinesRefused>()("LinesRefused", {
  count: Schema.Natural,
  isDry: Schema.Boolean
}) {
  readonly problem = this.isDry
    ? `${counted(this.count, "line")} would be refused`
    : `${counted(this.count, "line")} refused; all others were imported`
  readonly nextStep = this.isDry ? "correct these lines first" : "correct these lines and import again"
  override readonly message = messageOf(this, ": ")
}

type Take = (
  lines: ReadonlyArray<string>,
  isLasting: boolean
) => Effect.Effect<
  { readonly applied: number; readonly refused: ReadonlyArray<{ index: number; reason: string }> },
  StoreUnavailable
>

/** Opens what takes the lines. A dry run opens nothing. */
export const open = Effect.fnUntraced(function* (
  isDry: boolean,
  { maxClockDriftMs, maxRecvBytes }: Pick<Settings, "maxClockDriftMs" | "maxRecvBytes">
) {
  if (!isDry) {
    const archive: Archive = yield* (yield* Access.open("write")).archive
    return archive.take as Take
  }
  const look: Take = Effect.fnUntraced(function* (lines: ReadonlyArray<string>) {
    const limits = { bytes: maxRecvBytes, driftMs: maxClockDriftMs, now: yield* Clock.currentTimeMillis }
    const refused = lines.flatMap((line, index) => {
      const read = ExportFormat.readOperation(line, limits)
      return Result.isFailure(read) ? [{ index, reason: read.failure }] : []
    })
    return { applied: lines.length - refused.length, refused }
  })
  return look
})

/** A line that is to be taken. `label` is its place in its source. */
export interface Pending<Label> {
  readonly label: Label
  readonly text: string
}

/** Gathers lines, and takes them in batches. `onTaken` hears of each batch. */
export const make = <Label, E, R>(
  take: Take,
  onTaken: (
    batch: ReadonlyArray<Pending<Label>>,
    applied: number,
    refused: ReadonlyArray<{ label: Label; reason: string }>
  ) => Effect.Effect<void, E, R>
) => {
  let pending: Array<Pending<Label>> = []
  let bytes = 0
  const flush = Effect.fnUntraced(function* (isLast: boolean) {
    const taking = pending
    pending = []
    bytes = 0
    if (taking.length === 0 && !isLast) return
    const { applied, refused } = yield* take(
      taking.map(({ text }) => text),
      isLast
    )
    yield* onTaken(
      taking,
      applied,
      refused.flatMap(({ index, reason }) => {
        const line = taking[index]
        return line === undefined ? [] : [{ label: line.label, reason }]
      })
    )
  })
  const push = Effect.fnUntraced(function* (line: Pending<Label>) {
    const size = utf8Length(line.text)
    if (pending.length >= batch.lines || bytes + size > batch.bytes) yield* flush(false)
    pending.push(line)
    bytes += size
  })
  return { push, flush }
}
