/**
 * Bundles the program into `dist`, beside the library, which the compiler has put there. `npm run build` runs it.
 *
 * Effect is a part of it, with its licence. Other packages are not: npm installs them, and can mend them.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bundle } from "./bundle/Bundle.ts"

const dist = fileURLToPath(new URL("../dist/", import.meta.url))

const modules = await bundle(dist, { main: "main.ts" }, "effect")

const packages = new Set(modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []))
const licences = [...packages].sort().map((path) => {
  const { name, version } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"))
  return `${name} ${version}\n\n${readFileSync(join(path, "LICENSE"), "utf8").trim()}\n`
})
writeFileSync(join(dist, "program", "LICENSES"), licences.join(`\n${"-".repeat(72)}\n\n`))
