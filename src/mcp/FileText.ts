/**
 * Texts and paths as the memory tool shows them: files below `/memories`, with numbered lines.
 */
import { Result } from "effect"

export const root = "/memories"

/** A path in its one form, or what is wrong with it. */
export const normalize = (path: string): Result.Result<string, string> => {
  const trimmed = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path
  if (trimmed !== root && !trimmed.startsWith(`${root}/`)) return Result.fail(`${quoted(path)} is not below ${root}`)
  const parts = trimmed.split("/").slice(1)
  if (parts.some((part) => part === "" || part === "." || part === "..")) {
    return Result.fail(`${quoted(path)} has a part that is not a file name`)
  }
  if (path.length > 1_000 || /\p{Cc}/u.test(path))
    return Result.fail(`${quoted(path.slice(0, 100))} is not a usable path`)
  return Result.succeed(trimmed)
}

const quoted = (text: string): string => JSON.stringify(text)

/** Whether `path` is `directory`, or below it. */
export const isIn = (path: string, directory: string): boolean => path === directory || path.startsWith(`${directory}/`)

/** Lines with their numbers, from the line `first` on. */
export const numbered = (lines: ReadonlyArray<string>, first = 1): string =>
  lines.map((line, index) => `${String(first + index).padStart(6)}\t${line}`).join("\n")

/** The lines around a place that was changed. */
export const around = (text: string, line: number, height: number): string => {
  const lines = text.split("\n")
  const first = Math.max(0, line - 3)
  return numbered(lines.slice(first, line + height + 3), first + 1)
}

/** How often a text is in another, and the lines where. */
export const occurrences = (text: string, part: string): ReadonlyArray<number> => {
  const lines: Array<number> = []
  let line = 1
  let from = 0
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) {
    line += text.slice(from, at).split("\n").length - 1
    from = at
    lines.push(line)
  }
  return lines
}

export interface Entry {
  readonly path: string
  readonly bytes: number
}

/** What a directory has, two levels deep, with sizes. */
export const listing = (directory: string, files: ReadonlyArray<Entry>): string => {
  const sizes = new Map<string, number>()
  for (const { bytes, path } of files) {
    const parts = path.slice(directory.length).split("/").slice(1)
    for (let depth = 1; depth <= Math.min(2, parts.length); depth++) {
      const shown = `${directory}/${parts.slice(0, depth).join("/")}${depth < parts.length ? "/" : ""}`
      sizes.set(shown, (sizes.get(shown) ?? 0) + bytes)
    }
  }
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  const lines = Array.from(sizes, ([path, bytes]) => `${sizeOf(bytes)}\t${path}`).sort((a, b) =>
    a.slice(a.indexOf("\t")) < b.slice(b.indexOf("\t")) ? -1 : 1
  )
  return [
    `Files and directories up to 2 levels deep in ${directory}:`,
    `${sizeOf(total)}\t${directory}`,
    ...lines
  ].join("\n")
}

const sizeOf = (bytes: number): string =>
  bytes < 1024
    ? `${bytes}`
    : bytes < 1024 * 1024
      ? `${(bytes / 1024).toFixed(1)}K`
      : `${(bytes / 1024 / 1024).toFixed(1)}M`
