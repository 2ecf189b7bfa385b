/**
 * Tests as values, and how they become tests of the runner that runs the file.
 *
 * Vitest is found where it runs the file; other runners by their global `describe` and `it` (Jest, Mocha, Bun). Nothing
 * of a runner is loaded where none runs.
 */
import { Data, Effect } from "effect"
import type * as Law from "./Law.ts"

/** One test. */
export interface Case {
  readonly name: string
  readonly run: Effect.Effect<void, unknown>
}

/** Tests that belong together. */
export interface Suite {
  readonly name: string
  readonly cases: ReadonlyArray<Case>
}

/** How a test runner takes tests: the `describe` and `it` that most of them have. */
export interface Runner {
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>): unknown
}

/** Called where no test runner runs the file. */
export class NoTestRunner extends Data.TaggedError("NoTestRunner")<{ readonly suite: string }> {
  readonly problem = `${this.suite}: no test runner was found`
  readonly nextStep = "call it in a test file of Vitest, Jest or Mocha, or pass { runner: { describe, it } }"
  override get message(): string {
    return `${this.problem}; ${this.nextStep}`
  }
}

const isRunner = (value: object): value is Runner =>
  "describe" in value && typeof value.describe === "function" && "it" in value && typeof value.it === "function"

// Kept from bundlers: what is not installed must not have to be found.
const vitest = "vitest"
const running: object | undefined =
  // In a browser there is no process.
  globalThis.process?.env["VITEST"] === undefined ? undefined : await import(/* @vite-ignore */ vitest)

/** States the tests of a suite for the runner that runs this file, or for `runner`. */
export const state = (suite: Suite, runner?: Runner): void => {
  const found = [runner, running, globalThis].find((one) => one !== undefined && isRunner(one))
  if (found === undefined || !isRunner(found)) throw new NoTestRunner({ suite: suite.name })
  found.describe(suite.name, () => {
    for (const { name, run } of suite.cases) found.it(name, () => Effect.runPromise(run))
  })
}

/** How laws are stated: which of them, with how many values, and where. */
export interface Options extends Law.Options {
  /** The name of the one law to state. */
  readonly law?: string | undefined
  readonly runner?: Runner | undefined
}

/** States laws as tests. */
export const stateLaws = (
  name: string,
  laws: ReadonlyArray<Law.Law>,
  { law: wanted, runner, ...options }: Options = {}
) =>
  state(
    {
      name,
      cases: laws
        .filter((law) => wanted === undefined || law.name === wanted)
        .map((law) => ({ name: law.name, run: law.check(options) }))
    },
    runner
  )
