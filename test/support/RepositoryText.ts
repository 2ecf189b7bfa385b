/** The text of this repository. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"

export const root = join(import.meta.dirname, "../..")

/** The files of a pattern, without installed packages. */
export const sources = (pattern: string | ReadonlyArray<string>): ReadonlyArray<string> =>
  globSync(pattern, { cwd: root, exclude: (path) => path.includes("node_modules") }).sort()

/** What these files hold, one after the other. */
export const textOf = (files: ReadonlyArray<string>): string =>
  files.map((file) => readFileSync(join(root, file), "utf8")).join("\n")

/** The program, without comments: what only a comment names is not there. */
export const program = textOf(sources("src/**/*.ts")).replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "")
