/**
 * Writes the reference of the library to `docs/api`, one file for each entry of the package, from the declarations that the compiler
 * makes: `npm run reference`. It is not kept in the repository, where it would be old with the next change.
 *
 * With `--check`, it lists what is exported without a comment, and fails where there is something. A directory after it has the
 * declarations already.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"

const root = join(import.meta.dirname, "..")
const entries = [
  { name: "feral-sync", module: "index" },
  { name: "feral-sync/core", module: "core/index" },
  { name: "feral-sync/client", module: "client" },
  { name: "feral-sync/testing", module: "testing/index" }
]

/** One exported declaration. */
interface Declaration {
  readonly name: string
  readonly comment: string
  readonly code: string
}

const beginning =
  /^export (?:declare )?(?:abstract )?(?:const|function|class|interface|type|namespace)\s+([\w$]+)|^export \{|^export \*/

/** The text of a comment, without its stars. */
const plain = (comment: string): string =>
  comment
    .replace(/^\/\*\*\s?|\s*\*\/$/g, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""))
    .join("\n")
    .trim()

/** What stands between the braces of an export. */
const namesIn = (list: string): ReadonlyArray<string> =>
  list
    .split(",")
    .map((name) => name.trim().replace(/^type /, ""))
    .filter((name) => name !== "")

const moduleOf = (file: string, from: string): string => join(dirname(file), from.replace(/\.(?:ts|js)$/, ".d.ts"))

/** The declarations of a module with those that it exports of others, and the comment at its head. */
const readAll = (file: string): ReturnType<typeof read> => {
  const { head, declarations } = read(file)
  const text = readFileSync(file, "utf8")
  const others = [...text.matchAll(/^export (?:type )?(?:\{([^}]*)\}|\*) from "(\.[^"]+)"/gm)].flatMap(
    ([, list, from = ""]) => {
      const all = readAll(moduleOf(file, from)).declarations
      return list === undefined ? all : all.filter(({ name }) => namesIn(list).includes(name))
    }
  )
  return { head, declarations: [...declarations, ...others] }
}

/** The declarations of a module, and the comment at its head. */
const read = (file: string): { readonly head: string; readonly declarations: ReadonlyArray<Declaration> } => {
  const text = readFileSync(file, "utf8").replace(/^\/\/# .*$/gm, "")
  const parts = text.split(/^(?=\/\*\*|export |import |declare |\}\n(?:export|import))/m)
  const declarations: Array<Declaration> = []
  let comment = ""
  for (const part of parts) {
    if (part.startsWith("/**")) {
      comment = part.trim()
      continue
    }
    const [, name] = beginning.exec(part) ?? []
    if (name !== undefined) declarations.push({ name, comment: plain(comment), code: part.trim() })
    comment = ""
  }
  const [head = ""] = /^\/\*\*[^]*?\*\/(?=\nimport|\nexport \*|\nexport \{)/.exec(text) ?? []
  return { head: plain(head), declarations }
}

/** What an entry exports: namespaces with their modules, and single names with theirs. */
const exportsOf = (
  file: string
): ReadonlyArray<{ readonly names: ReadonlyArray<string>; readonly as?: string; readonly from: string }> =>
  [
    ...readFileSync(file, "utf8").matchAll(/^export (?:type )?(?:\* as (\w+)|\{([^}]*)\}|(\*)) from "(\.[^"]+)"/gm)
  ].flatMap(([, as, names = "", all, from = ""]) => {
    const target = moduleOf(file, from)
    if (all !== undefined) return exportsOf(target)
    if (as !== undefined) return [{ names: [], as, from: target }]
    return [{ names: namesIn(names), from: target }]
  })

const shown = ({ name, comment, code }: Declaration, level: string): string =>
  [`${level} ${name}`, comment, `\`\`\`ts\n${code}\n\`\`\``].filter((part) => part !== "").join("\n\n")

/** The reference of an entry, and what has no comment in it. */
const reference = (name: string, module: string, dist: string) => {
  const file = join(dist, `${module}.d.ts`)
  const bare: Array<string> = []
  const seen = new Set<string>()
  const take = (declarations: ReadonlyArray<Declaration>, of: string): ReadonlyArray<Declaration> => {
    for (const { name, comment, code } of declarations)
      if (comment === "" && /\((?!\))|=>/.test(code.slice(0, 400)) && !/^export (?:interface|type)/.test(code))
        bare.push(`${of}${name}`)
    return declarations
  }
  const sections = exportsOf(file).flatMap(({ names, as, from }) => {
    const { head, declarations } = readAll(from)
    if (as !== undefined) {
      const members = take(declarations, `${as}.`).map((declaration) => shown(declaration, "###"))
      return [`## ${as}`, head, ...members]
    }
    const wanted = names.map((each) => each.split(" as ") as [string, string?])
    return wanted.flatMap(([own, other = own]) => {
      const found = declarations.filter((declaration) => declaration.name === own)
      if (found.length === 0 || seen.has(other)) return []
      seen.add(other)
      return take(found, "").map((declaration) => shown({ ...declaration, name: other }, "##"))
    })
  })
  const own = read(file)
  const body = [`# ${name}`, own.head, ...take(own.declarations, "").map((one) => shown(one, "##")), ...sections]
  return { text: `${body.filter((part) => part !== "").join("\n\n")}\n`, bare }
}

const [flag, given] = process.argv.slice(2)
const isCheck = flag === "--check"
const fresh = mkdtempSync(join(tmpdir(), "feral-sync-reference-"))
const dist = given ?? fresh
try {
  const tsc = join(root, "node_modules/typescript/bin/tsc")
  const options = ["-p", join(root, "tsconfig.build.json"), "--outDir", dist, "--emitDeclarationOnly"]
  if (given === undefined) {
    const { status, stdout } = spawnSync(process.execPath, [tsc, ...options], { encoding: "utf8" })
    if (status !== 0) throw new Error(stdout)
  }
  const target = join(root, "docs/api")
  if (!isCheck) mkdirSync(target, { recursive: true })
  const bare = new Set<string>()
  for (const { name, module } of entries) {
    const made = reference(name, module, dist)
    for (const one of made.bare) bare.add(`${name}: ${one}`)
    const file = join(target, `${name.replace("/", "-")}.md`)
    if (isCheck) continue
    writeFileSync(file, made.text)
    console.info(`${relative(root, file)}: ${made.text.split("\n").length} lines`)
  }
  if (isCheck) {
    for (const one of bare) console.info(`without a comment: ${one}`)
    process.exitCode = bare.size === 0 ? 0 : 1
  }
} finally {
  rmSync(fresh, { recursive: true })
}
