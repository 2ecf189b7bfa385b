/**
 * Runs unit tests of the tree that it lies in, again and again, as its parent asks for them: one server for all runs, for starting one
 * takes longer than most tests. Each message is a `Question`, and is answered by whether all its tests pass.
 */
import { createVitest } from "vitest/node"

export interface Question {
  /** The file that is changed, from the root of the tree. That of the question before is as it was. */
  readonly changed: string
  /** Files of tests, in the order in which they run: the first that fails ends it. */
  readonly tests: ReadonlyArray<ReadonlyArray<string>>
}

const root = new URL("../../", import.meta.url).pathname

const vitest = await createVitest("test", {
  root,
  watch: false,
  project: ["unit"],
  bail: 1,
  maxWorkers: 1,
  reporters: [{}]
})

let before: string | undefined

const pass = async ({ changed, tests }: Question): Promise<boolean> => {
  for (const file of [before, changed]) if (file !== undefined) vitest.invalidateFile(`${root}${file}`)
  before = changed
  for (const files of tests) {
    if (files.length === 0) continue
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications(
      await vitest.globTestSpecifications([...files])
    )
    if (unhandledErrors.length > 0 || !testModules.every((module) => module.ok())) return false
  }
  return true
}

process.on("message", (question: Question) => void pass(question).then((passed) => process.send?.(passed)))
