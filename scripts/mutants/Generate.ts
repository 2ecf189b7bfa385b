/**
 * Makes mutants of a module from its syntax: each differs from it in one place, by an operator, a condition, a constant or a
 * statement that is left out.
 *
 * What has no meaning at run time is left alone (types, imports), and so are texts, and numbers other than 0, 1 and 2: they are
 * limits and times, whose neighbours are as good.
 */
import { parseAst } from "rolldown/parseAst"

export interface Generated {
  /** From the root of the project. */
  readonly file: string
  /** From 1 on. */
  readonly line: number
  readonly start: number
  readonly end: number
  readonly from: string
  readonly to: string
}

/** A node of the syntax tree, whatever it is. */
type Node = { readonly type: string; readonly start: number; readonly end: number } & Readonly<Record<string, unknown>>

const swapped: Readonly<Record<string, string>> = {
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "===": "!==",
  "!==": "===",
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "&&": "||",
  "||": "&&",
  "+=": "-=",
  "-=": "+=",
  "++": "--",
  "--": "++"
}

const methods: Readonly<Record<string, string>> = { max: "min", min: "max", some: "every", every: "some" }

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

const isType = ({ type }: Node): boolean =>
  type.startsWith("Import") ||
  type === "ExportAllDeclaration" ||
  (type.startsWith("TS") && !/^TS(As|Satisfies|NonNull|Instantiation)Expression$/.test(type))

export const generate = (file: string, text: string): ReadonlyArray<Generated> => {
  const found: Array<Generated> = []
  const replace = (start: number, end: number, to: string): void => {
    const from = text.slice(start, end)
    if (from === to) return
    found.push({ file, line: text.slice(0, start).split("\n").length, start, end, from, to })
  }
  const source = ({ start, end }: Node): string => text.slice(start, end)

  /** The operator between two operands. */
  const operator = (left: Node, right: Node, was: string): void => {
    const at = text.indexOf(was, left.end)
    const to = swapped[was]
    if (to !== undefined && at >= 0 && at < right.start) replace(at, at + was.length, to)
  }

  const mutate = (node: Node): void => {
    const { left, right, test, argument, operator: sign, value, expression, consequent } = node
    switch (node.type) {
      case "BinaryExpression":
      case "LogicalExpression":
      case "AssignmentExpression":
        if (!isNode(left) || !isNode(right) || typeof sign !== "string") return
        if (sign === "??") replace(node.start, node.end, `(${source(left)})`)
        else operator(left, right, sign)
        return
      case "UpdateExpression": {
        if (typeof sign !== "string" || !isNode(argument)) return
        const to = swapped[sign] ?? sign
        replace(node.start, node.end, node["prefix"] === true ? `${to}${source(argument)}` : `${source(argument)}${to}`)
        return
      }
      case "UnaryExpression":
        if (sign === "!" && isNode(argument)) replace(node.start, node.end, `!!${source(argument)}`)
        return
      case "ConditionalExpression":
      case "IfStatement":
        if (!isNode(test)) return
        replace(test.start, test.end, "true")
        replace(test.start, test.end, "false")
        return
      case "WhileStatement":
        if (isNode(test)) replace(test.start, test.end, "false")
        return
      case "SwitchCase":
        if (Array.isArray(consequent) && consequent.length > 0 && isNode(consequent[0]) && isNode(consequent.at(-1)))
          replace(consequent[0].start, consequent.at(-1).end, "break")
        return
      case "Literal":
        if (value === true || value === false) replace(node.start, node.end, String(!value))
        else if (value === 0 || value === 1 || value === 2) replace(node.start, node.end, String(Number(value) + 1))
        return
      case "ExpressionStatement":
        if (
          isNode(expression) &&
          ["CallExpression", "AssignmentExpression", "YieldExpression"].includes(expression.type)
        )
          replace(node.start, node.end, ";")
        return
      case "CallExpression": {
        const { callee } = node
        if (!isNode(callee) || callee.type !== "MemberExpression" || !isNode(callee["property"])) return
        const name = source(callee["property"])
        const to = methods[name]
        if (to !== undefined) replace(callee["property"].start, callee["property"].end, to)
        if (["filter", "slice", "sort", "toSorted", "reverse"].includes(name) && isNode(callee["object"]))
          replace(node.start, node.end, source(callee["object"]))
        return
      }
    }
  }

  const visit = (node: Node): void => {
    if (isType(node)) return
    mutate(node)
    for (const [key, child] of Object.entries(node)) {
      if (key === "typeAnnotation" || key === "typeArguments" || key === "typeParameters" || key === "returnType")
        continue
      if (isNode(child)) visit(child)
      else if (Array.isArray(child)) for (const one of child) if (isNode(one)) visit(one)
    }
  }
  const program: unknown = parseAst(text, { lang: "ts" }, file)
  if (isNode(program)) visit(program)
  return found
}
