/**
 * Which process holds the lock of a data directory, where the system shows it: Linux does, in `/proc/locks`. What it
 * says is never stale, as a file with a process id would be after a kill.
 */
import { Effect, Option } from "effect"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"

export interface Holder {
  readonly pid: number
  /** The command line of the process; empty where this user may not see it. */
  readonly command: string
}

/** The process that holds `home` for writing, if there is one and the system tells. */
export const find = (home: string): Effect.Effect<Option.Option<Holder>> =>
  Effect.sync(() => {
    const inode = inodeOf(join(home, "lock"))
    const pid = inode === undefined ? undefined : writerOf(textOf("/proc/locks"), inode)
    if (pid === undefined) return Option.none()
    const command = textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim()
    return Option.some({ pid, command: command.length > 200 ? `${command.slice(0, 200)}…` : command })
  })

/** SQLite locks bytes from here on, far behind the data. */
const firstLockByte = 0x40000000

/**
 * The process in a list of locks that has one of SQLite's for writing on a file. In another container its number is not
 * known.
 */
export const writerOf = (locks: string, inode: number): number | undefined => {
  for (const line of locks.split("\n")) {
    // "2: POSIX  ADVISORY  WRITE 16127 fe:00:2229392 1073741824 1073742335"; one that waits has "->" after the number.
    const [, kind, , access, pid, file, start] = line.trim().split(/\s+/)
    const isOfFile = file?.split(":")[2] === `${inode}` && Number(start) >= firstLockByte
    if (kind === "POSIX" && access === "WRITE" && isOfFile && Number(pid) > 0) return Number(pid)
  }
  return undefined
}

const inodeOf = (path: string): number | undefined => {
  try {
    return statSync(path).ino
  } catch {
    return undefined
  }
}

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

/** The holder in a sentence. */
export const describe = (holder: Option.Option<Holder>): string =>
  Option.match(holder, {
    onNone: () => "another process",
    onSome: ({ pid, command }) => (command === "" ? `process ${pid}` : `process ${pid} (${command})`)
  })

/** A failure because `home` is locked names the process that is in the way, and what to do. Others stay as they are. */
export const named = (home: string, advice: string) =>
  Effect.fnUntraced(function* (error: StoreUnavailable) {
    if (error.reason !== "locked") return yield* error
    const detail = `${describe(yield* find(home))} uses ${home}`
    return yield* new StoreUnavailable({ reason: "locked", detail, advice, cause: error })
  })
