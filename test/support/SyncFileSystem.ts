/** The file system without waiting, as far as the store needs it to open its files: for worlds in which time is simulated. */
import { ByteSize, Effect, FileSystem, Option } from "effect"
import * as fs from "node:fs"
import { systemError } from "effect/PlatformError"

const attempt = <A>(method: string, path: string, body: () => A) =>
  Effect.try({
    try: body,
    catch: (cause) => {
      const code = cause instanceof Error && "code" in cause ? cause.code : undefined
      const _tag = code === "ENOENT" ? "NotFound" : code === "EEXIST" ? "AlreadyExists" : "Unknown"
      return systemError({ _tag, module: "FileSystem", method, pathOrDescriptor: path, cause })
    }
  })

const unused = Effect.die("the store does not use this")

const opened = (path: string): FileSystem.File => ({
  [FileSystem.FileTypeId]: FileSystem.FileTypeId,
  readAlloc: (size) =>
    attempt("read", path, () => Option.some(Uint8Array.from(fs.readFileSync(path).subarray(0, Number(size))))),
  stat: unused,
  sync: Effect.void,
  seek: () => unused,
  read: () => unused,
  truncate: () => unused,
  write: () => unused,
  writeAll: () => unused
})

export const syncFileSystem: FileSystem.FileSystem = FileSystem.makeNoop({
  access: (path) => attempt("access", path, () => fs.accessSync(path)),
  exists: (path) => Effect.sync(() => fs.existsSync(path)),
  chmod: (path, mode) => attempt("chmod", path, () => fs.chmodSync(path, mode)),
  makeDirectory: (path, options) =>
    attempt("makeDirectory", path, () => fs.mkdirSync(path, { mode: options?.mode ?? 0o777 })),
  rename: (from, to) => attempt("rename", from, () => fs.renameSync(from, to)),
  open: (path, options) =>
    attempt("open", path, () => {
      fs.closeSync(fs.openSync(path, options?.flag ?? "r", options?.mode))
      return opened(path)
    }),
  stat: (path) =>
    attempt("stat", path, () => {
      const { size, mode, dev } = fs.statSync(path)
      const none = Option.none<never>()
      const times = { mtime: none, atime: none, birthtime: none }
      const owner = { ino: none, nlink: none, uid: none, gid: none, rdev: none }
      const sizes = { size: ByteSize.bytes(size), blksize: none, blocks: none }
      return { type: "File" as const, mode, dev: BigInt(dev), ...sizes, ...times, ...owner }
    })
})
