#!/usr/bin/env node
/**
 * The program: checks that this Node can run it, and starts the command line.
 *
 * Nothing else may be imported here. An old Node must be able to read this file and the modules that it names, or it
 * would fail with a syntax error before it can say what it lacks.
 */
const needed = { major: 22, minor: 19 }

const current = process.versions.node
const [major = 0, minor = 0] = current.split(".").map(Number)

if (major > needed.major || (major === needed.major && minor >= needed.minor)) {
  void import("./cli/Program.ts")
} else {
  const message = `feral-sync needs Node ${needed.major}.${needed.minor} or later; this is ${current}: install a newer Node`
  const isJson = process.argv.includes("--json")
  process.stderr.write(`${isJson ? JSON.stringify({ _tag: "NodeTooOld", message }) : message}\n`)
  process.exitCode = 2
}

export {}
