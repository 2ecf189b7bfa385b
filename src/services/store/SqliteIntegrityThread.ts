/**
 * The thread of `SqliteIntegrity.ts`: checks a whole database file, which blocks the thread that does it. Answers with
 * the problems that it found, or with the error that kept it from looking.
 */
import { DatabaseSync } from "node:sqlite"
import { parentPort, workerData } from "node:worker_threads"

/** Problems that are told of one file. */
const most = 20

const problemsOf = (file: string, isCopy: boolean, views: ReadonlyArray<string>): ReadonlyArray<string> => {
  const db = new DatabaseSync(file, { readOnly: !isCopy })
  try {
    // A copy has to be whole without files beside it.
    if (isCopy) db.exec("PRAGMA journal_mode = DELETE")
    const found = db.prepare(`PRAGMA integrity_check(${most})`).all()
    const problems = found.map(({ integrity_check }) => String(integrity_check)).filter((text) => text !== "ok")
    for (const view of problems.length > 0 ? [] : views) {
      try {
        // Every row and column of it is computed.
        for (const _ of db.prepare(`SELECT * FROM ${view}`).iterate());
      } catch (error) {
        problems.push(`the view ${view} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    return problems
  } finally {
    db.close()
  }
}

const { file, isCopy, views } = workerData as { file: string; isCopy: boolean; views: ReadonlyArray<string> }
try {
  parentPort?.postMessage({ problems: problemsOf(file, isCopy, views) })
} catch (error) {
  const { message, errcode } = error as { message?: string; errcode?: number }
  parentPort?.postMessage({ error: { message: String(message), errcode } })
}
