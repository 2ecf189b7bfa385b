/**
 * The data directory: where things are in it, and that other users cannot read it, whatever the mask of the process.
 */
import { Effect, FileSystem, Option, type PlatformError } from "effect"
import { existsSync, lstatSync, readdirSync, readlinkSync, statfsSync, statSync } from "node:fs"
import { join, sep } from "node:path"
import { StoreUnavailable } from "./NodeFailure.ts"
import { userHome } from "./UserHome.ts"
import { roomFor } from "./DiskRoom.ts"
import * as FileError from "./FileError.ts"

/** The files of a data directory. */
export interface Paths {
  readonly database: string
  /** The Unix socket on which a running node answers. */
  readonly socket: string
  /** The passphrase, when it was made here. */
  readonly passphrase: string
  /** The tickets that other nodes gave to this one. */
  readonly tickets: string
  /** The nodes that were removed, by id. */
  readonly removed: string
  /** The peers that are paused, by id. */
  readonly paused: string
  /** What programs show on the port of the local interface. */
  readonly token: string
  /** A page that leads a browser to the dashboard. */
  readonly open: string
}

export const paths = (home: string): Paths => ({
  database: join(home, "sync.db"),
  socket: join(home, "feral-sync.sock"),
  passphrase: join(home, "passphrase"),
  tickets: join(home, "tickets"),
  removed: join(home, "removed"),
  paused: join(home, "paused"),
  token: join(home, "token"),
  open: join(home, "open.html")
})

/** The files that other users may neither read nor write. */
const secrets = [
  "sync.db",
  "sync.db-wal",
  "sync.db-shm",
  "lock",
  "passphrase",
  "tls-key.pem",
  "tickets",
  "removed",
  "paused",
  "token",
  "open.html"
]

/**
 * The files that are refused when they are of another user: what they say is believed. A page is written anew each
 * time.
 */
const trusted = [...secrets.filter((file) => file !== "open.html"), "feral-sync.sock"]

/**
 * Other files of feral-sync in a data directory (the socket, certificates, a CA), and those at the top of a file
 * system.
 */
const others = ["feral-sync.sock", "tls-cert.pem", "tls", "lost+found"]

/** Something in a data directory that others can get at. */
export interface Exposed {
  readonly path: string
  /** What its mode should be. */
  readonly mode: number
  /** Whether it belongs to this user, who alone may change that. */
  readonly isOurs: boolean
}

/**
 * What other users can read: the directory, and its secrets. A shared directory does not count, because its files have
 * their own modes. That is one with the sticky bit, like `/tmp`, the home directory of the user, or one outside it with
 * other files.
 */
export const exposed = Effect.fn("Home.exposed")(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const user = process.getuid?.()
  // Where users have no numbers, modes mean nothing.
  if (user === undefined) return []
  const expected = [{ path: home, mode: 0o700 }, ...secrets.map((file) => ({ path: join(home, file), mode: 0o600 }))]
  const found = yield* Effect.forEach(expected, ({ path, mode }) =>
    fs.stat(path).pipe(
      Effect.map((info): ReadonlyArray<Exposed> => {
        const isShared = info.type === "Directory" && isSharedDirectory(path, info.mode)
        if ((info.mode & 0o077) === 0 || isShared) return []
        return [{ path, mode, isOurs: Option.contains(info.uid, user) }]
      }),
      // A missing file is not a secret. A file that cannot be examined fails again where it is used.
      Effect.orElseSucceed(() => [])
    )
  )
  return found.flat()
})

/**
 * Whether a directory is not for feral-sync alone, so that its mode is not for us to change: `/etc`, by a slip, above
 * all.
 */
const isSharedDirectory = (directory: string, mode: number) => {
  const user = userHome()
  if ((mode & 0o1000) !== 0 || directory === user) return true
  return !(user !== undefined && directory.startsWith(user + sep)) && holdsOthers(directory)
}

/** A draft, a log or a kept copy of one of these files has its name with an ending. */
const isOurs = (name: string): boolean => [...secrets, ...others].some((file) => name.startsWith(file))

const holdsOthers = (directory: string): boolean => {
  try {
    return readdirSync(directory).some((name) => !isOurs(name))
  } catch {
    return false
  }
}

/**
 * Fails when nothing can make a path a data directory: a file or a link is in the way. A path that is not there yet is
 * fine, and so is a link to a directory.
 */
export const mustBePossible = Effect.fn("Home.mustBePossible")(function* (home: string) {
  const obstacle = obstacleTo(home)
  if (obstacle === undefined) return
  const advice = "use a directory: --home DIR, or FERAL_HOME"
  return yield* new StoreUnavailable({ reason: "other", detail: obstacle, advice })
})

const obstacleTo = (home: string): string | undefined => {
  const parts = home.split(sep)
  // From the top: the first of its parts that is in the way.
  for (let length = 2; length <= parts.length; length++) {
    const path = parts.slice(0, length).join(sep)
    try {
      if (statSync(path).isDirectory()) continue
      return path === home ? `${home} is a file, not a directory` : `${home} cannot be created: ${path} is a file`
    } catch (error) {
      if (codeOf(error) === "ELOOP") return `${path} is a symbolic link that leads back to itself`
      const target = linkedFrom(path)
      if (target !== undefined) return `${path} is a symbolic link to ${target}, which does not exist`
      const above = parts.slice(0, length - 1).join(sep) || sep
      if (isOfTheKernel(above)) return `${home} cannot be created: ${above} is a kernel file system`
      // It is not there, or cannot be looked at: then nothing below it can be.
      return undefined
    }
  }
  return isOfTheKernel(home) ? `files cannot be created in ${home}: it is a kernel file system` : undefined
}

/** Virtual file systems of the Linux kernel, by their numbers: proc, sysfs, cgroups, devpts, tracefs, debugfs. */
const ofTheKernel = new Set([0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x1cd1, 0x74726163, 0x64626720])

const isOfTheKernel = (directory: string): boolean => {
  try {
    return process.platform === "linux" && ofTheKernel.has(statfsSync(directory).type)
  } catch {
    return false
  }
}

/** Where a symbolic link leads to. */
const linkedFrom = (path: string): string | undefined => {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

/** Makes sure that the directory is there, and that it and the secrets in it are for this user alone. */
export const prepare = Effect.fn("Home.prepare")(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const wrong = Effect.mapError(unusable(home))
  yield* mustBePossible(home)
  if (!existsSync(paths(home).database)) yield* roomFor(home)
  if (!(yield* fs.exists(home).pipe(wrong))) {
    yield* FileError.makeDirectories(home).pipe(
      // The mask of the process may have taken more away than others' rights.
      Effect.andThen(fs.chmod(home, 0o700)),
      wrong
    )
  }
  const { mode } = yield* fs.stat(home).pipe(wrong)
  for (const path of [home, ...trusted.map((file) => join(home, file))]) yield* refuseForeign(path)
  if ((mode & 0o077) !== 0 && isSharedDirectory(home, mode)) {
    yield* Effect.logWarning(
      "other users can enter the data directory, and it contains other files: use a separate directory (FERAL_HOME)"
    ).pipe(Effect.annotateLogs({ home }))
  }
  const mend = Effect.fnUntraced(function* ({ path, mode, isOurs }: Exposed) {
    if (!isOurs) return yield* Effect.fail(path)
    yield* fs.chmod(path, mode).pipe(Effect.mapError(() => path))
    return path
  })
  const [mended, left] = yield* Effect.partition(yield* exposed(home), mend)
  if (mended.length > 0) {
    yield* Effect.logWarning("fixed permissions: other users could read these files").pipe(
      Effect.annotateLogs({ files: mended.join(", ") })
    )
  }
  if (left.length > 0) {
    yield* Effect.logWarning(
      "other users can read these files, and their modes cannot be changed: run chmod go= as their owner"
    ).pipe(Effect.annotateLogs({ files: left.join(", ") }))
  }
})

/**
 * Whether something belongs to another user, who could read or replace it: itself, or the link that leads to it. Root
 * owns what containers mount.
 */
export const isForeign = (path: string): boolean => {
  const user = process.getuid?.()
  return [lstatSync, statSync].some((look) => {
    try {
      const { uid } = look(path)
      return user !== undefined && uid !== user && uid !== 0
    } catch {
      // What is missing is no secret. What cannot be examined fails again where it is used.
      return false
    }
  })
}

/** Refuses what belongs to another user. */
export const refuseForeign = Effect.fnUntraced(function* (path: string) {
  if (!isForeign(path)) return
  return yield* new StoreUnavailable({
    reason: "other",
    detail: `${path} belongs to another user: use a data directory of your own (--home, FERAL_HOME), or chown it`
  })
})

/** Prepares the directory if it is not there. One that is there was prepared when the node started. */
export const ensure = Effect.fn("Home.ensure")(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(home).pipe(Effect.mapError(unusable(home))))) yield* prepare(home)
})

/** Writes all of a file or nothing of it, for this user's eyes only. */
export const writeSecret = Effect.fn("Home.writeSecret")((path: string, content: string) =>
  FileError.writeWhole(path, content, 0o600).pipe(Effect.mapError(unusable(path)))
)

/** What a failure of the file system means for the data directory. */
export const unusable =
  (path: string) =>
  (cause: PlatformError.PlatformError): StoreUnavailable => {
    const explained = FileError.explain(cause, path)
    if (explained === undefined) {
      return new StoreUnavailable({ reason: "other", detail: `${path}: ${cause.reason.message}`, cause })
    }
    const { reason, problem: detail, nextStep: advice } = explained
    return new StoreUnavailable({ reason, detail, advice, cause })
  }

/** The code that the system gave for an error; empty when there is none. */
export const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error ? String(error.code) : ""

/** A size of a file, in the unit that fits. */
export const sized = (bytes: number): string =>
  bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${Math.round(bytes / 1024 / 1024)} MiB`
