/**
 * Material that is renewed while it is in use: read again when its files change, and warned about before it ends.
 *
 * Files that cannot be used, be it only because half of them is written, are reported once; the old files stay in
 * use until they can.
 */
import { Cause, Clock, type Duration, Effect, type FileSystem, Option, Ref } from "effect"
import type { TlsFiles } from "../../node/Config.ts"
import type { TlsMaterialInvalid } from "../../node/NodeFailure.ts"
import * as Changes from "./Changes.ts"
import * as Expiry from "./Expiry.ts"
import type { Material } from "./Material.ts"

/** The files that a node reads. */
export const filesOf = ({ cert, key, ca, crl }: TlsFiles): ReadonlyArray<string> => [
  cert,
  key,
  ca,
  ...(crl === undefined ? [] : [crl])
]

interface Options {
  /** None when the material is the node's own, which does not change. */
  readonly files: Option.Option<TlsFiles>
  readonly load: Effect.Effect<Material, TlsMaterialInvalid, FileSystem.FileSystem>
  readonly lookEvery?: Duration.Input
  /** Runs when other material has come into use. */
  readonly onChange: (material: Material) => Effect.Effect<void>
}

/** The material, current for as long as the scope is open. */
export const keep = Effect.fn("Renewal.keep")(function* ({ files, load, lookEvery = "2 seconds", onChange }: Options) {
  const paths = Option.match(files, { onNone: () => [], onSome: filesOf })
  // Looked at before it is read: what changes in between is read again.
  const first = yield* Changes.look(paths)
  const current = yield* Ref.make(yield* Effect.tap(load, warn))
  if (paths.length === 0) return current

  let reported: string | undefined
  const take = Effect.fnUntraced(function* (material: Material) {
    reported = undefined
    yield* Ref.set(current, material)
    yield* Effect.logInfo("certificates reloaded: new connections use them").pipe(
      Effect.annotateLogs({ certificate: material.own, ca: material.authorities })
    )
    yield* onChange(material)
    yield* warn(material)
    yield* Expiry.log(material.lifetimes, yield* Clock.currentTimeMillis)
    return true
  })
  const refuse = Effect.fnUntraced(function* ({ message }: TlsMaterialInvalid) {
    if (message !== reported) {
      reported = message
      yield* Effect.logWarning("the new certificates cannot be used: keeping the old ones").pipe(
        Effect.annotateLogs({ problem: message })
      )
    }
    return false
  })
  const reload = Effect.matchEffect(load, { onSuccess: take, onFailure: refuse })
  yield* Effect.all(
    [
      Changes.follow({ paths, first, every: lookEvery }, reload),
      Expiry.remind(Effect.map(Ref.get(current), ({ lifetimes }) => lifetimes))
    ],
    { concurrency: "unbounded", discard: true }
  ).pipe(
    Effect.tapCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : Effect.logError("certificate reloading stopped after an internal error: restart the node", cause)
    ),
    Effect.forkScoped
  )
  return current
})

/** Says what should be mended, and does not keep the material from being used. */
const warn = ({ warnings }: Material) =>
  Effect.forEach(
    warnings,
    ({ file, problem, nextStep }) =>
      Effect.logWarning(problem).pipe(Effect.annotateLogs({ file, next_step: nextStep })),
    { discard: true }
  )
