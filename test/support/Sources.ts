/** The sources of the program and of the tests, and the texts in them. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { parseAst } from "rolldown/parseAst"
import { root, sources } from "./RepositoryText.ts"

/** A file, by its path in the repository. */
export interface Source {
  readonly path: string
  readonly text: string
}

export const sourcesIn = (directory: "src" | "test"): ReadonlyArray<Source> =>
  sources(`${directory}/**/*.ts`).map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }))

type Node = { readonly type: string } & Readonly<Record<string, unknown>>

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

const nodesIn = (value: unknown): ReadonlyArray<Node> => (Array.isArray(value) ? value : [value]).filter(isNode)

/** A text as it stands in a source. Parts that are computed are one word. */
const textOf = (node: Node): string | undefined => {
  if (node.type === "Literal") return typeof node["value"] === "string" ? node["value"] : undefined
  if (node.type === "BinaryExpression" && node["operator"] === "+") {
    const parts = [...nodesIn(node["left"]), ...nodesIn(node["right"])].map(textOf)
    return parts.some((part) => part !== undefined) ? parts.map((part) => part ?? "…").join("") : undefined
  }
  if (node.type !== "TemplateLiteral") return undefined
  return nodesIn(node["quasis"])
    .map(({ value }) =>
      typeof value === "object" && value !== null && "cooked" in value && typeof value.cooked === "string"
        ? value.cooked
        : ""
    )
    .join("x")
}

/** The texts of more than one word in a source. Imports and SQL are left out. */
export const textsOf = ({ path, text }: Source): ReadonlyArray<string> => {
  const found: Array<string> = []
  const visit = (node: Node, isPart: boolean): void => {
    if (node.type.startsWith("Import") || node.type === "ExportAllDeclaration") return
    const content = textOf(node)
    if (content !== undefined && !isPart && / /.test(content) && !isSql(content)) found.push(content)
    const isSum = node.type === "BinaryExpression" && content !== undefined
    for (const child of Object.values(node)) for (const one of nodesIn(child)) visit(one, isSum && isAddend(one))
  }
  for (const node of nodesIn(parseAst(text, { lang: "ts" }, path))) visit(node, false)
  return found
}

/** The names in a source, of what it declares and of what it uses. Those in comments and texts are left out. */
export const namesIn = ({ path, text }: Source): ReadonlySet<string> => {
  const found = new Set<string>()
  const visit = (node: Node): void => {
    const { name } = node
    if (node.type === "Identifier" && typeof name === "string") found.add(name)
    for (const child of Object.values(node)) for (const one of nodesIn(child)) visit(one)
  }
  for (const node of nodesIn(parseAst(text, { lang: "ts" }, path))) visit(node)
  return found
}

/** A part of a sum: its text is in that of the sum already. */
const isAddend = ({ type }: Node): boolean =>
  type === "Literal" || type === "TemplateLiteral" || type === "BinaryExpression"

const isSql = (text: string): boolean =>
  /\b(SELECT|CREATE|INSERT|UPDATE|DELETE|DROP|ALTER|FROM|PRAGMA|AND kind)\b/.test(text)
