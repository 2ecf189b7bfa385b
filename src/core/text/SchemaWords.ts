/**
 * What a schema says of a value that does not fit it, in the words of our messages: they go on from the name of the
 * value.
 */

const whole: Partial<Record<string, string>> = {
  "Missing key": "is missing",
  "Expected no excess property": "is not a known field",
  "Expected a finite number": "is not a finite number",
  "Expected an integer": "is not a whole number",
  "Expected a value with a length of at least 1": "is empty"
}

const rules: ReadonlyArray<readonly [pattern: RegExp, says: string]> = [
  [/^Expected a value between (\S+) and (\S+)$/, "is not a number from $1 to $2"],
  [/^Expected a value greater than or equal to (\S+)$/, "is less than $1"],
  [/^Expected a value less than or equal to (\S+)$/, "is more than $1"],
  [/^Expected a value greater than (\S+)$/, "is not more than $1"],
  [/^Expected a value less than (\S+)$/, "is not less than $1"],
  [/^Expected a value with a length of at least (\d+)$/, "is shorter than $1"],
  [/^Expected a value with a length of at most (\d+)$/, "is longer than $1"],
  [/^Expected a string matching the RegExp .*$/s, "does not have the form that it needs"]
]

const types: Partial<Record<string, string>> = {
  string: "text",
  object: "an object",
  array: "a list",
  number: "a number",
  boolean: "true or false",
  null: "null",
  undefined: "nothing"
}

/** What is wrong with a value. */
export const problemIn = (message: string): string => {
  const known = whole[message]
  if (known !== undefined) return known
  for (const [pattern, says] of rules) if (pattern.test(message)) return message.replace(pattern, says)
  const [, expected = ""] = /^Expected (.+)$/s.exec(message) ?? []
  const parts = alternatives(expected)
  return parts === undefined ? message : `is not ${parts}`
}

/** `"a" | "b" | array` as `a, b or a list`; nothing when this is no choice between values and types. */
export const alternatives = (expected: string): string | undefined => {
  const parts = expected
    .split(" | ")
    .map((part) => types[part] ?? /^"([^"]*)"$/.exec(part)?.[1] ?? number.exec(part)?.[0])
  if (!parts.every((part) => part !== undefined)) return undefined
  const last = parts.at(-1)
  return parts.length === 1 ? last : `${parts.slice(0, -1).join(", ")} or ${last}`
}

const number = /^-?\d+(\.\d+)?$/
