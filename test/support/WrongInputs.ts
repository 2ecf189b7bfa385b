/** Inputs of every kind that are refused, however they are given. */

const episode = { session_id: "s", event_type: "t", summary: "u" }
const execution = { session_id: "s", skill_id: "k", endpoint_id: "e", result_status: "ok" }
const stated = { subject: "sky", predicate: "is", object: "blue" }

export type Write = "notes" | "facts" | "episodes" | "log"

/** What is wrong, the input, the fields that are named, and the command that gives the same input, if there is one. */
export const wrong: ReadonlyArray<readonly [string, Write, unknown, ReadonlyArray<string>, ReadonlyArray<string>?]> = [
  ["a note without text", "notes", { content: "" }, ["content"], ["note", "add", ""]],
  ["a note of white space", "notes", { content: " \n\t\u00a0" }, ["content"], ["note", "add", " \n\t\u00a0"]],
  ["a note with a wrong key", "notes", { contents: "x" }, ["contents", "content"]],
  ["a note with one key too many", "notes", { content: "x", tag: ["a"] }, ["tag"]],
  [
    "an importance that is none",
    "notes",
    { content: "x", importance: "very" },
    ["importance"],
    ["note", "add", "x", "--importance", "very"]
  ],
  ["tags that are one text", "notes", { content: "x", tags: "a" }, ["tags"]],
  ["a tag of white space", "notes", { content: "x", tags: ["a", " "] }, ["tags.1"], ["note", "add", "x", "--tag", " "]],
  ["no note at all", "notes", null, [""]],
  [
    "a confidence of 7",
    "facts",
    { ...stated, confidence: 7 },
    ["confidence"],
    ["fact", "set", "sky", "is", "blue", "--confidence", "7"]
  ],
  [
    "a confidence below 0",
    "facts",
    { ...stated, confidence: -0.1 },
    ["confidence"],
    ["fact", "add", "sky", "is", "blue", "--confidence=-0.1"]
  ],
  [
    "a confidence in words",
    "facts",
    { ...stated, confidence: "sure" },
    ["confidence"],
    ["fact", "add", "sky", "is", "blue", "--confidence", "sure"]
  ],
  ["an empty subject", "facts", { ...stated, subject: "" }, ["subject"], ["fact", "set", "", "is", "blue"]],
  ["an object of white space", "facts", { ...stated, object: "  " }, ["object"], ["fact", "set", "sky", "is", "  "]],
  [
    "an episode without a summary",
    "episodes",
    { ...episode, summary: " " },
    ["summary"],
    ["episode", "add", "--session", "s", "--type", "t", "--summary", " "]
  ],
  ["an importance of 2", "episodes", { ...episode, importance: 2 }, ["importance"]],
  [
    "arguments that are not JSON",
    "log",
    { ...execution, args: "{a}" },
    ["args"],
    ["log", "append", "--session", "s", "--skill", "k", "--endpoint", "e", "--status", "ok", "--args", "{a}"]
  ],
  [
    "a time below 0",
    "log",
    { ...execution, latency_ms: -1 },
    ["latency_ms"],
    ["log", "append", "--session", "s", "--skill", "k", "--endpoint", "e", "--status", "ok", "--latency-ms=-1"]
  ],
  ["a note with half a surrogate pair", "notes", { content: "half \ud83d" }, ["content"]],
  [
    "a tag with the other half",
    "notes",
    { content: "x", tags: ["a", "\udc00"], importance: "very" },
    ["tags.1", "importance"]
  ],
  [
    "a fact with half a surrogate pair",
    "facts",
    { ...stated, predicate: "\ud800", object: "\udfff" },
    ["predicate", "object"]
  ],
  ["an episode with half a surrogate pair", "episodes", { ...episode, detail: "\ud83d\ud83d" }, ["detail"]],
  [
    "arguments with half a surrogate pair",
    "log",
    { ...execution, args: { a: [{ b: "\udc00" }] } },
    ["args"],
    [
      "log",
      "append",
      "--session",
      "s",
      "--skill",
      "k",
      "--endpoint",
      "e",
      "--status",
      "ok",
      "--args",
      '{"a":"\\ud83d"}'
    ]
  ],
  ["arguments with half a surrogate pair in a key", "log", { ...execution, args: { "\ud83d": 1 } }, ["args"]],
  ["a result with half a surrogate pair", "log", { ...execution, result_summary: "\ud83d" }, ["result_summary"]]
]

/** Arguments of an execution that JSON has no form for, and what is said of them. Over HTTP none of them can come. */
export const notJson: ReadonlyArray<readonly [what: string, args: unknown, says: RegExp]> = [
  ["a number that is none", { a: NaN }, /a is NaN/],
  ["an infinite number", { a: [1, { b: -Infinity }] }, /a\.1\.b is -Infinity/],
  ["undefined", { a: undefined }, /a is undefined/],
  ["undefined in a list", [1, undefined], /1 is undefined/],
  ["a date", { a: { b: new Date(0) } }, /a\.b is a Date/],
  ["a map", { a: new Map() }, /a is a Map/],
  ["a big integer", { a: 1n }, /a is a bigint/],
  ["a function", { a: () => 1 }, /a is a function/]
]

/** Ids, kinds and versions that cannot be any. */
export const notNames: ReadonlyArray<unknown> = [7, null, undefined, {}, ["x"], true, NaN]
