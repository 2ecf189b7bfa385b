/**
 * Loads the files of the program, with what was compiled of them in earlier runs. It is a part of the program itself.
 *
 * The compile cache of Node keeps what is compiled when a file is loaded. That leaves out every function that is first called later,
 * which is most of what a short command runs: to compile these again took a quarter of its time. So the files are scripts here, and
 * their code is kept when the process ends. It lies in the directory of that cache, which belongs to this user and this Node.
 */
import { createHash } from "node:crypto"
import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { createRequire, getCompileCacheDir } from "node:module"
import { basename, dirname, join } from "node:path"
import { Script } from "node:vm"

/** In the first runs the code is written again each time: they do what those before them did not. */
const learningRuns = 4

/** Until then a process has done what a start takes. One that lasts also lets go of code that it no longer runs (ms). */
const started = 5_000

/** The head of a file of code: a digest of the source and the code, and the number of runs that it has learned from. */
const digestBytes = 20
const digestOf = (source: Uint8Array, code: Uint8Array): Buffer =>
  createHash("sha1").update(source).update(code).digest()

interface Kept {
  readonly code: Buffer
  readonly runs: number
}

/** The code of this source that was kept. None if it is of another source, or damaged. */
const read = (file: string, source: Uint8Array): Kept | undefined => {
  try {
    const bytes = readFileSync(file)
    const code = bytes.subarray(digestBytes + 1)
    const runs = bytes[digestBytes]
    return runs !== undefined && digestOf(source, code).equals(bytes.subarray(0, digestBytes))
      ? { code, runs }
      : undefined
  } catch {
    return undefined
  }
}

/** A cache that cannot be written is none: the next run compiles again. */
const write = (file: string, source: Uint8Array, { code, runs }: Kept): void => {
  try {
    const whole = `${file}.${process.pid}`
    writeFileSync(whole, Buffer.concat([digestOf(source, code), Buffer.of(runs), code]), { mode: 0o600 })
    renameSync(whole, file)
  } catch {}
}

interface Loaded {
  readonly exports: unknown
}

/** Loads a file of the program, and the files that it asks for. Gives what the first exports. */
export const load = (first: string): unknown => {
  const directory = getCompileCacheDir()
  const modules = new Map<string, Loaded>()
  let learning: Array<() => void> = []

  const compile = (path: string): Script => {
    const bytes = readFileSync(path)
    const text = `(function (exports, require, module, __filename, __dirname) {${bytes.toString()}\n})`
    const options = { filename: path }
    if (directory === undefined) return new Script(text, options)
    // Several installations have files of one name.
    const place = createHash("sha1").update(path).digest("hex").slice(0, 8)
    const file = join(directory, `${basename(path)}-${place}`)
    const kept = read(file, bytes)
    const script = new Script(text, kept === undefined ? options : { ...options, cachedData: kept.code })
    const runs = kept === undefined || script.cachedDataRejected === true ? 0 : kept.runs
    if (runs < learningRuns) {
      learning.push(() => write(file, bytes, { code: script.createCachedData(), runs: runs + 1 }))
    }
    return script
  }

  const moduleOf = (path: string): Loaded => {
    const known = modules.get(path)
    if (known !== undefined) return known
    const made = { exports: {} }
    modules.set(path, made)
    const elsewhere = createRequire(path)
    const within = dirname(path)
    const require = (id: string): unknown => (id.startsWith("./") ? moduleOf(join(within, id)).exports : elsewhere(id))
    compile(path).runInThisContext().call(made.exports, made.exports, require, made, path, within)
    return made
  }

  const learn = () => {
    for (const write of learning) write()
    learning = []
  }
  process.on("exit", learn)
  setTimeout(learn, started).unref()
  return moduleOf(first).exports
}
