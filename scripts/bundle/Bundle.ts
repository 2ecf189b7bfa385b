/**
 * The program in few files: to find, read and join some five hundred modules takes a command longer than all else that it does.
 * What a command always needs is one file; each further step, such as opening the database, is one more, loaded with it.
 *
 * Modules that look for files beside them find them where they would be without bundling.
 */
import { isBuiltin } from "node:module"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"

const root = fileURLToPath(new URL("../../", import.meta.url))
const source = join(root, "src")

/**
 * What is loaded at once, by the modules that all of it can be reached from. What is in a file stays out of those that follow.
 * The first is loaded before the rest may be: `Program.ts` waits for that, and must not be waited for by it.
 */
const steps: ReadonlyArray<readonly [string, ...ReadonlyArray<string>]> = [
  ["process", "Heap.ts", "services/node/UserHome.ts"],
  ["command", "cli/Process.ts"],
  ["access", "cli/Access.ts"],
  ["database", "cli/Direct.ts"],
  ["client", "services/admin/api/Client.ts"],
  ["agents", "mcp/Stdio.ts"],
  ["node", "cli/Running.ts"]
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

/** Writes the files of these modules of `src` into a directory. Gives the modules that are in them. */
export const bundle = async (
  directory: string,
  input: Readonly<Record<string, string>>,
  packages: Packages
): Promise<ReadonlyArray<string>> => {
  const build = await rolldown({
    input: Object.fromEntries(Object.entries(input).map(([name, file]) => [name, join(source, file)])),
    platform: "node",
    logLevel: "silent",
    external: (id) => isBuiltin(id) || (packages === "effect" && isPackage(id) && !isEffect(id)),
    plugins: [
      {
        name: "savings",
        transform: (code, id) => {
          const { made, instead } = savings.find(({ file }) => id.endsWith(`/effect/dist/${file}`)) ?? {}
          if (made === undefined || instead === undefined) return null
          if (!made.test(code)) throw new Error(`${id} is not as it was: change the savings of Bundle.ts`)
          return code.replace(made, instead)
        }
      },
      {
        name: "places",
        transform: (code, id) => {
          if (!id.startsWith(source) || !code.includes("import.meta.url")) return null
          const place = relative(source, id).replace(/\.ts$/, ".js")
          return code.replaceAll("import.meta.url", `new URL("../${place}", import.meta.url).href`)
        }
      }
    ]
  })
  const { output } = await build.write({
    dir: directory,
    format: "esm",
    comments: false,
    entryFileNames: "[name].js",
    chunkFileNames: "program/[name].js",
    codeSplitting: {
      groups: steps.map(([name, ...files], index) => ({
        name,
        test: (id) => files.some((file) => id === join(source, file)),
        priority: steps.length - index
      }))
    }
  })
  await build.close()
  return output.flatMap((part) => (part.type === "chunk" ? part.moduleIds : []))
}
