/**
 * A law: a sentence that holds for every value of an arbitrary. It is a value: it can be checked here, by a test runner
 * (`Suite.ts`), by `it.prop` of `@effect/vitest`, or by fast-check (`FastCheck.ts`).
 *
 * A law that is broken tells how: the smallest values that were found, as a story, and the line that replays it.
 */
import { Arbitrary, Data, Effect } from "effect"

/** A law does not hold. `message` is all of it in lines: the law, the story, and how to replay it. */
export class LawBroken extends Data.TaggedError("LawBroken")<{
  readonly law: string
  readonly problem: string
  readonly nextStep: string
}> {
  override get message(): string {
    return `${this.law}\n\n${this.problem}\n\n${this.nextStep}`
  }
}

/** How a law is checked. `runs` is how many values are drawn (200), `size` how large they grow (12). */
export interface Options extends Pick<Arbitrary.CheckOptions, "runs" | "size" | "seed" | "replay"> {}

/** What tells how a value breaks a law, in lines; none when the law holds for it. */
export type Story = ReadonlyArray<string> | undefined

export interface Law<A = unknown> {
  readonly name: string
  /** The values that it is about. */
  readonly arbitrary: Arbitrary.Arbitrary<A>
  /** Throws `LawBroken` with the story, unless the law holds for this value. */
  holds(value: A): void
  /** Draws values until one breaks the law, and makes that one as small as it can. Fails with its story. */
  check(options?: Options): Effect.Effect<void, LawBroken>
}

/** The values with which a law is checked where nothing else is said. */
const usual = { runs: 200, size: 12 } as const

/**
 * A law. `broken` is a pure function, and tells how a value breaks it. `call` is what a person writes to check this law
 * and its like; it stands in the line that replays a story.
 */
export const make = <A>(
  name: string,
  arbitrary: Arbitrary.Arbitrary<A>,
  broken: (value: A) => Story,
  call = "law.check"
): Law<A> => ({
  name,
  arbitrary,
  holds: (value) => {
    const story = broken(value)
    if (story !== undefined) throw new LawBroken({ law: name, problem: told(story), nextStep: "See the values above." })
  },
  check: Effect.fnUntraced(function* (options: Options = {}) {
    const result = yield* Arbitrary.checkEffect(arbitrary, (value) => broken(value) === undefined, {
      ...usual,
      ...options
    })
    if (result._tag === "Passed") return
    if (result._tag !== "Falsified") {
      const problem = Arbitrary.formatCheckFailure(result) ?? ""
      return yield* new LawBroken({ law: name, problem, nextStep: "Widen the arbitrary, or draw the replay anew." })
    }
    const story = broken(result.shrunkInput) ?? []
    const replay = JSON.stringify(result.replay)
    const line =
      call === "law.check"
        ? `law.check({ replay: ${replay} })`
        : `${call}, { law: ${JSON.stringify(name)}, replay: ${replay} })`
    return yield* new LawBroken({
      law: `Broken after ${result.runs} of the drawn values: ${name}`,
      problem: told(story),
      nextStep: `Replay it: ${line}`
    })
  })
})

const told = (story: ReadonlyArray<string>): string => story.map((line) => `  ${line}`).join("\n")
