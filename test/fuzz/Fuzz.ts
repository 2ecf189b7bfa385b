/**
 * Feeds something with inputs that are made of known ones, and watches what must hold whatever comes: nothing is thrown that was
 * not foreseen, no promise is rejected unheard, and no memory is kept.
 *
 * An input that led to something new is kept and changed further. Everything hangs on the seed, but for what the network does.
 */
import { Cause, Data, Effect, Exit, References, type Scope } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { maxLength, type Mutation } from "./Mutation.ts"
import * as Source from "./Source.ts"

/** Something happened that must not happen. */
export class Broken extends Data.TaggedError("Broken")<{ readonly what: string }> {}

/** What is fed. */
export interface Target {
  readonly name: string
  /** Real inputs. */
  readonly corpus: ReadonlyArray<Uint8Array>
  readonly mutations: readonly [Mutation, ...ReadonlyArray<Mutation>]
  /** Sets the thing up. It is set up anew now and then, so that what inputs leave in it does not add up. */
  readonly open: Effect.Effect<Fed, never, Scope.Scope>
}

export interface Fed {
  /** Takes an input. Returns what it came to, in a few words. */
  feed(input: Uint8Array): Effect.Effect<string, Broken>
  /** What must hold in the end. */
  readonly check: Effect.Effect<void, Broken>
}

export interface Limits {
  readonly seed: number
  readonly seconds: number
  readonly inputs?: number
}

export interface Report {
  readonly inputs: number
  readonly seconds: number
  /** What inputs came to, and how many. */
  readonly outcomes: ReadonlyMap<string, number>
  /** Bytes of heap in use at the end beyond those at the beginning. */
  readonly grown: number
}

/** The target did not hold. */
export class Found extends Data.TaggedError("Found")<{
  readonly what: string
  /** The smallest input that does it alone; none when no input of the last ones does. */
  readonly input: Uint8Array | undefined
}> {}

/** Inputs between two set-ups. */
const generation = 500

/** Inputs that are kept because they led to something new. */
const maxKept = 2_000

/** Bytes that the heap may grow by. */
const maxGrowth = 32 * 1024 * 1024

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

const heap = (): number => {
  collect()
  return process.memoryUsage().heapUsed
}

/** What is fed logs as it always does: that is not what is looked at here. */
const quietly = Effect.provideService(References.MinimumLogLevel, "None")

/** Feeds a target until the time or the inputs are over. */
export const run = Effect.fnUntraced(function* (
  target: Target,
  { seed, seconds, inputs: maxInputs = Infinity }: Limits,
  onProgress: (report: Report) => void = () => {}
) {
  const source = Source.make(seed)
  const known = [...target.corpus]
  const outcomes = new Map<string, number>()
  const rejections: Array<unknown> = []
  const started = performance.now()
  let inputs = 0
  let base = 0
  let told = started
  const elapsed = () => (performance.now() - started) / 1000
  const report = (grown: number): Report => ({ inputs, seconds: elapsed(), outcomes, grown })
  // However slow the machine is, every real input is fed, and something made of them.
  const isOver = () => inputs >= maxInputs || (elapsed() >= seconds && inputs > target.corpus.length)

  yield* hearing(rejections)
  while (!isOver()) {
    const recent: Array<Uint8Array> = []
    const ended = yield* Effect.exit(
      Effect.scoped(
        Effect.gen(function* () {
          const { feed, check } = yield* target.open
          for (let count = 0; count < generation && !isOver(); count++) {
            const input = inputs < target.corpus.length ? known[inputs] : made(known, target, source)
            if (input === undefined) continue
            recent.push(input)
            inputs++
            const outcome = yield* feed(input)
            if (!outcomes.has(outcome) && known.length < maxKept) known.push(input)
            outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
            if (count % 32 === 0) yield* heard(rejections)
            if (performance.now() - told > 1_000) {
              told = performance.now()
              onProgress(report(0))
            }
          }
          yield* check
        })
      ).pipe(Effect.andThen(heard(rejections)))
    )
    if (Exit.isFailure(ended)) return yield* found(target, whatOf(ended.cause), recent)
    if (base === 0) base = heap()
  }
  const grown = heap() - base
  if (grown > maxGrowth) {
    return yield* new Found({ what: `the heap grew by ${Math.round(grown / 1024 / 1024)} MiB`, input: undefined })
  }
  return report(grown)
}, quietly)

/** Feeds one input alone, to a target that was just set up. */
export const replay = (target: Target, input: Uint8Array) => {
  const rejections: Array<unknown> = []
  return Effect.scoped(
    Effect.gen(function* () {
      yield* hearing(rejections)
      const { feed, check } = yield* target.open
      const outcome = yield* feed(input)
      yield* check
      yield* heard(rejections)
      return outcome
    })
  ).pipe(
    Effect.catchCause((cause) => Effect.fail(new Broken({ what: whatOf(cause) }))),
    quietly
  )
}

/** Collects what would end the process, while the scope is open. */
const hearing = (rejections: Array<unknown>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const listener = (reason: unknown) => void rejections.push(reason)
      process.on("unhandledRejection", listener)
      process.on("uncaughtException", listener)
      return listener
    }),
    (listener) =>
      Effect.sync(() => {
        process.off("unhandledRejection", listener)
        process.off("uncaughtException", listener)
      })
  )

/** Gives rejections a turn of the event loop to be seen in. */
const heard = (rejections: Array<unknown>) =>
  Effect.andThen(
    Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void))),
    Effect.suspend(() =>
      rejections.length === 0
        ? Effect.void
        : Effect.fail(new Broken({ what: `unhandled rejection: ${String(rejections.splice(0)[0])}` }))
    )
  )

const whatOf = (cause: Cause.Cause<Broken>): string => {
  const error = Cause.squash(cause)
  return error instanceof Broken ? error.what : `thrown: ${error instanceof Error ? error.stack : String(error)}`
}

const made = (known: ReadonlyArray<Uint8Array>, { mutations }: Target, source: Source.Source): Uint8Array => {
  const one = () => known[source.below(known.length)] ?? new Uint8Array()
  let input = one()
  for (let count = 1 + source.below(3); count > 0; count--) {
    input = source.pick(mutations)(input, one(), source).slice(0, maxLength)
  }
  return input
}

/** Looks for the smallest input among the recent ones, and within it. */
const found = Effect.fnUntraced(function* (target: Target, what: string, recent: ReadonlyArray<Uint8Array>) {
  const until = performance.now() + 20_000
  const breaks = (input: Uint8Array) => Effect.map(Effect.exit(replay(target, input)), Exit.isFailure)
  let smallest: Uint8Array | undefined
  for (const input of recent.toReversed()) {
    if (performance.now() > until) break
    if (yield* breaks(input)) {
      smallest = input
      break
    }
  }
  if (smallest === undefined) return yield* new Found({ what, input: undefined })
  for (let size = smallest.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < smallest.length && performance.now() < until;) {
      const shorter: Uint8Array = Buffer.concat([smallest.slice(0, at), smallest.slice(at + size)])
      if (yield* breaks(shorter)) smallest = shorter
      else at += size
    }
  }
  return yield* new Found({ what, input: smallest })
})
