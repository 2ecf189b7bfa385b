/**
 * The program in few files: to find, read and join some five hundred modules takes a command longer than all else that it does.
 * What every command needs is one file. What only some need is in others, by which of them need it.
 *
 * `main.ts` and `Program.ts` are modules. The rest, from `Process.ts` on, are scripts that `Scripts.ts` loads.
 */
import { isBuiltin } from "node:module"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { type Plugin, rolldown } from "rolldown"

const root = fileURLToPath(new URL("../../", import.meta.url))
const source = join(root, "src")

/** What is one file, by the module that all of it can be reached from. What is in the first stays out of the second. */
const whole: ReadonlyArray<readonly [name: string, file: string]> = [
  ["command", "cli/Process.ts"],
  ["access", "cli/Access.ts"]
]

/** What becomes a part of the files: all packages, or Effect alone, while the others stay where npm installs them. */
export type Packages = "all" | "effect"

/** What Effect does in every command, and hardly any needs: a tenth of the time of a short one each. */
const savings: ReadonlyArray<{ readonly file: string; readonly made: RegExp; readonly instead: string }> = [
  {
    // A segmenter is for texts that are not plain.
    file: "cli/CliOutput.js",
    made: /const graphemeSegmenter = \S* *(new Intl\.Segmenter\([^)]*\))/,
    instead: "const graphemeSegmenter = { segment: (text) => (graphemeSegmenter.made ??= $1).segment(text) }"
  },
  {
    // To ask for this class loads all of fetch, and no request of ours is a form.
    file: "http-api/HttpApiClient.js",
    made: /request\.payload instanceof FormData/,
    instead: "false"
  }
]

const isEffect = (id: string): boolean => /^(effect|@effect\/[^/]+)(\/|$)/.test(id)
const isPackage = (id: string): boolean => /^[^./]/.test(id) && !isBuiltin(id)

/** Modules that look for files beside them find them where they would be without bundling. */
const places: Plugin = {
  name: "places",
  transform: (code, id) => {
    if (!id.startsWith(source) || !code.includes("import.meta.url")) return null
    const place = relative(source, id).replace(/\.ts$/, ".js")
    return code.replaceAll("import.meta.url", `new URL("../${place}", import.meta.url).href`)
  }
}

const savingsMade: Plugin = {
  name: "savings",
  transform: (code, id) => {
    const { made, instead } = savings.find(({ file }) => id.endsWith(`/effect/dist/${file}`)) ?? {}
    if (made === undefined || instead === undefined) return null
    if (!made.test(code)) throw new Error(`${id} is not as it was: change the savings of Bundle.ts`)
    return code.replace(made, instead)
  }
}

/** The first of the scripts, and the module that loads it in its place. */
const first = join(source, "cli/Process.ts")
const loading = `
import { fileURLToPath } from "node:url"
import { load } from ${JSON.stringify(join(root, "scripts/bundle/Scripts.ts"))}
export const { start } = load(fileURLToPath(new URL("../program/Process.cjs", import.meta.url)))
`
const scripts: Plugin = {
  name: "scripts",
  load: (id) => (id === first ? loading : null)
}

/** Writes the files of these modules of `src` into a directory. Gives the modules that are in them. */
export const bundle = async (
  directory: string,
  input: Readonly<Record<string, string>>,
  packages: Packages
): Promise<ReadonlyArray<string>> => {
  const options = {
    platform: "node",
    logLevel: "silent",
    external: (id: string) => isBuiltin(id) || (packages === "effect" && isPackage(id) && !isEffect(id))
  } as const
  const modules = await rolldown({
    ...options,
    input: Object.fromEntries(Object.entries(input).map(([name, file]) => [name, join(source, file)])),
    plugins: [scripts, places]
  })
  const program = await rolldown({ ...options, input: { Process: first }, plugins: [savingsMade, places] })
  const written = [
    await modules.write({
      dir: directory,
      format: "esm",
      comments: false,
      entryFileNames: "[name].js",
      chunkFileNames: "program/[name].js"
    }),
    await program.write({
      dir: directory,
      format: "cjs",
      comments: false,
      // A script has no import() that is stable in all versions of Node.
      dynamicImportInCjs: false,
      entryFileNames: "program/[name].cjs",
      chunkFileNames: "program/[name].cjs",
      codeSplitting: {
        groups: whole.map(([name, file], index) => ({
          name,
          test: (id) => id === join(source, file),
          priority: whole.length - index
        }))
      }
    })
  ]
  await Promise.all([modules.close(), program.close()])
  return written.flatMap(({ output }) => output.flatMap((part) => (part.type === "chunk" ? part.moduleIds : [])))
}
