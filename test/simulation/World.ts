/**
 * Time, chance and the order in which fibers run, all from one seed: the same seed gives the same run, to the last step.
 *
 * Nothing here waits for the real clock. When no fiber can go on, time jumps to the moment that the first of them waits for.
 */
import { Duration, Effect, Exit, Fiber, Random } from "effect"
import { Clock as EffectClock } from "effect"
import * as EffectScheduler from "effect/Scheduler"
import { seeded } from "../support/Seeded.ts"

/** The moment at which every world begins, in ms. */
export const epoch = 1_700_000_000_000

interface Sleeper {
  readonly at: number
  readonly order: number
  readonly wake: () => void
}

/** Steps without time going on: then something runs in circles. */
const maxStepsPerInstant = 50_000

/** Nothing goes on, or time does not. */
export class Stuck extends Error {}

export class World implements EffectScheduler.Scheduler {
  readonly executionMode = "sync"
  /** Virtual time, in ms. */
  now = epoch
  steps = 0
  /** Is called after each step of a fiber. What it throws ends the run. */
  afterStep: () => void = () => {}
  private readonly chance: () => number
  private readonly tasks: Array<() => void> = []
  private readonly sleepers: Array<Sleeper> = []
  private order = 0
  private trace = 0
  private readonly maxSteps: number

  /** `maxSteps` is for worlds that are larger than most. */
  constructor(seed: number, maxSteps: number = maxStepsPerInstant) {
    this.chance = seeded(seed)
    this.maxSteps = maxSteps
  }

  /** A number from 0 to 1. */
  random = (): number => {
    const drawn = this.chance()
    this.note(drawn * 2 ** 32)
    return drawn
  }

  /** A number that sums up all that happened: two runs that differ anywhere have different ones. */
  get fingerprint(): string {
    return (this.trace >>> 0).toString(16).padStart(8, "0")
  }

  private note(value: number): void {
    this.trace = Math.imul(this.trace ^ (value | 0), 0x01000193)
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount >= 2048
  }

  makeDispatcher(): EffectScheduler.SchedulerDispatcher {
    return {
      scheduleTask: (task) => void this.tasks.push(task),
      flush: () => {
        for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) task()
      }
    }
  }

  /** Waits for `ms` of this world's time. */
  sleep = (ms: number): Effect.Effect<void> =>
    Effect.callback<void>((resume) => {
      const sleeper = { at: this.now + Math.max(0, ms), order: this.order++, wake: () => resume(Effect.void) }
      this.push(sleeper)
      return Effect.sync(() => {
        const index = this.sleepers.indexOf(sleeper)
        if (index !== -1) this.sleepers.splice(index, 1)
      })
    })

  private push(sleeper: Sleeper): void {
    let low = 0
    let high = this.sleepers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.sleepers[middle]
      if (other !== undefined && (other.at < sleeper.at || (other.at === sleeper.at && other.order < sleeper.order))) {
        low = middle + 1
      } else high = middle
    }
    this.sleepers.splice(low, 0, sleeper)
  }

  /** A clock that runs beside this world's time. */
  clock(reading: () => number = () => this.now): EffectClock.Clock {
    const nanos = () => BigInt(Math.round(reading())) * 1_000_000n
    const monotonic = () => BigInt(Math.round(this.now - epoch)) * 1_000_000n
    return {
      currentTimeMillisUnsafe: () => Math.floor(reading()),
      currentTimeMillis: Effect.sync(() => Math.floor(reading())),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: monotonic,
      monotonicTimeNanos: Effect.sync(monotonic),
      sleep: (duration) => this.sleep(Duration.toMillis(duration))
    }
  }

  /** Runs an effect in this world to its end. */
  run<A, E>(effect: Effect.Effect<A, E>): Exit.Exit<A, E> {
    const fiber = Effect.runFork(
      effect.pipe(
        Effect.provideService(EffectClock.Clock, this.clock()),
        Effect.provideService(Random.Random, {
          nextDoubleUnsafe: this.random,
          nextIntUnsafe: () => Math.floor(this.random() * Number.MAX_SAFE_INTEGER)
        })
      ),
      { scheduler: this }
    )
    let inThisInstant = 0
    for (let exit = fiber.pollUnsafe(); ; exit = fiber.pollUnsafe()) {
      if (exit !== undefined) return exit
      if (this.tasks.length > 0) {
        if (++inThisInstant > this.maxSteps) throw new Stuck("something runs in circles, without time going on")
        this.runOne()
        continue
      }
      const next = this.sleepers.shift()
      if (next === undefined) throw new Stuck("everything waits, and for nothing")
      if (next.at > this.now) inThisInstant = 0
      this.now = next.at
      this.note(next.at)
      next.wake()
    }
  }

  /** Any of those that can go on. */
  private runOne(): void {
    const index = Math.floor(this.random() * this.tasks.length)
    const task = this.tasks[index]
    const last = this.tasks.pop()
    if (last !== undefined && index < this.tasks.length) this.tasks[index] = last
    this.steps++
    task?.()
    this.afterStep()
  }
}
