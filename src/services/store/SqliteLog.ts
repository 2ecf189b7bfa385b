/**
 * Whether the log of writes beside a database (`sync.db-wal`) is of this database. SQLite replays whatever log it
 * finds, and the log of another file damages this one. That happens when a backup is copied over `sync.db`, beside the
 * log of the previous file.
 *
 * A file and its log are told apart by a mark, `application_id` in the header of the file: its low 16 bits are a random
 * number, its high 16 bits the number before. The number changes soon after a log was begun, and soon after a
 * checkpoint wrote to the file (`Marker`), so that no two states of the file have the same. A change is one write of
 * page 1, which holds both numbers. It is made twice: then the number before is one that no copy of the file has,
 * however long the mark stays.
 *
 * Guarantee: **a log is never taken for foreign by mistake**, for that would lose acknowledged writes. Let N be the
 * number of the file when its log was begun. The first write of page 1 in the log either keeps N, or changes the mark
 * and holds N as the number before: N is in the log. Page 1 of the file is the one of that moment, or a later one that
 * a checkpoint copied from the log. So the number of a file is in its own log, whenever the process ended. If page 1 is
 * not in the log at all, nothing is known, and the log is assumed to belong to the file.
 *
 * What is not found: a log that was begun before files had marks; one whose process ended between its first write and
 * the mark; and by chance one foreign log in 32,000. A copy of the file that was made since its log was begun needs no
 * finding: the log holds all that came after, and replaying it gives the newest state.
 */
import { Clock, Effect, FileSystem } from "effect"
import { closeSync, openSync, readSync, statSync } from "node:fs"

/** Where things are in page 1: https://sqlite.org/fileformat.html */
const header = { bytes: 100, pageSize: 16, writeVersion: 18, readVersion: 19, mark: 68 } as const
const isRollback = (page: Buffer) => page[header.writeVersion] === 1 && page[header.readVersion] === 1
const magic = Buffer.from("SQLite format 3\0", "latin1")

/** Where things are in a log: its header, then frames, each with a header and a page. */
const log = { bytes: 32, pageSize: 8, salts: 16, checksum: 24, frame: 24 } as const

const number = (mark: number) => mark & 0xffff
const numberBefore = (mark: number) => mark >>> 16

/** The mark after `mark`; `random` is between 0 and 1. */
export const after = (mark: number, random: number): number => {
  const next = 1 + Math.floor(random * 0xfffe)
  return (number(mark) << 16) | (next < number(mark) ? next : next + 1)
}

/** Whether the log beside `file` is certainly of another file. The caller ensures that no process writes. */
export const isForeign = (file: string): boolean =>
  reading(`${file}-wal`, (readLog) => {
    const head = readLog(0, log.bytes)
    // SQLite does not replay what begins otherwise, and a log of nothing changes nothing.
    if (head === undefined || !isLogHeader(head)) return false
    return reading(file, (readFile) => {
      const first = readFile(0, header.bytes)
      // SQLite removes the log of an empty file.
      if (first === undefined) return statSync(file).size === 0
      if (!first.subarray(0, magic.length).equals(magic)) return false
      // A node's database is in WAL mode from its first write on, and a backup is not.
      if (isRollback(first)) return true
      const numbers = numbersIn(readLog, head)
      return numbers.size > 0 && !numbers.has(number(first.readUInt32BE(header.mark)))
    })
  }) ?? false

/** All numbers that the log gives its file, in the frames that belong to its header. */
const numbersIn = (read: Read, head: Buffer): ReadonlySet<number> => {
  const numbers = new Set<number>()
  const salts = head.subarray(log.salts, log.salts + 8)
  const size = log.frame + pageSizeOf(head)
  for (let at = log.bytes; ; at += size) {
    const frame = read(at, log.frame + header.bytes)
    if (frame === undefined || !frame.subarray(8, 16).equals(salts)) return numbers
    if (frame.readUInt32BE(0) !== 1) continue
    const mark = frame.readUInt32BE(log.frame + header.mark)
    numbers.add(number(mark)).add(numberBefore(mark))
  }
}

const pageSizeOf = (head: Buffer): number => head.readUInt32BE(log.pageSize)

/** Whether SQLite takes this for the header of a log. */
const isLogHeader = (head: Buffer): boolean => {
  const first = head.readUInt32BE(0)
  const size = pageSizeOf(head)
  if ((first & ~1) >>> 0 !== 0x377f0682 || size < 512 || size > 65_536) return false
  const word = (at: number) => ((first & 1) === 1 ? head.readUInt32BE(at) : head.readUInt32LE(at))
  let [a, b] = [0, 0]
  for (let at = 0; at < log.checksum; at += 8) {
    a = (a + word(at) + b) >>> 0
    b = (b + word(at + 4) + a) >>> 0
  }
  return a === head.readUInt32BE(log.checksum) && b === head.readUInt32BE(log.checksum + 4)
}

type Read = (at: number, length: number) => Buffer | undefined

/** Reads from a file; none when it is not there. A read past its end gives none as well. */
const reading = <A>(path: string, use: (read: Read) => A): A | undefined => {
  let file: number
  try {
    file = openSync(path, "r")
  } catch {
    return undefined
  }
  try {
    return use((at, length) => {
      const buffer = Buffer.alloc(length)
      return readSync(file, buffer, 0, length, at) === length ? buffer : undefined
    })
  } finally {
    closeSync(file)
  }
}

/** The time, as a part of the name of a file that is kept. */
export const stampNow = Effect.map(Clock.currentTimeMillis, (now) => new Date(now).toISOString().replace(/[:.]/g, "-"))

/** Sets a foreign log aside, under a name that says so. */
export const setAside = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  if (!isForeign(file)) return
  const stamp = yield* stampNow
  for (const suffix of ["-wal", "-shm"]) {
    if (!(yield* fs.exists(`${file}${suffix}`))) continue
    yield* fs.rename(`${file}${suffix}`, `${file}${suffix}.of-another-database-${stamp}`)
  }
  yield* Effect.logWarning("moved away a write-ahead log that belonged to another database").pipe(
    Effect.annotateLogs({ file: `${file}-wal.of-another-database-${stamp}` })
  )
})

/** When the mark of a database that is open for writing has to be changed: twice. */
export interface Marker {
  /** Whether a log was begun, or the file was written to, since the mark was changed. */
  isDue(): boolean
  /** Notes that the mark was changed. */
  done(): void
}

export const marker = Effect.fnUntraced(function* (file: string) {
  let opened: number | undefined
  let marked = ""
  let now = ""
  const salts = Buffer.alloc(8)
  yield* Effect.addFinalizer(() => Effect.sync(() => opened !== undefined && closeSync(opened)))
  const isDue = () => {
    try {
      opened ??= openSync(`${file}-wal`, "r")
      if (readSync(opened, salts, 0, salts.length, log.salts) < salts.length) return false
      now = `${salts.toString("hex")} ${statSync(file, { bigint: true }).mtimeNs}`
      return now !== marked
    } catch {
      return false
    }
  }
  return { isDue, done: () => void (marked = now) } satisfies Marker
})
