/**
 * The walls between the parts, as .oxlintrc.json states them: a tree of offending lines is linted with the project's own
 * configuration, and every line must be reported, or let through, for the reason given here.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const imports = "eslint(no-restricted-imports)"
const nodeModules = "import(no-nodejs-modules)"
const globals = "eslint(no-restricted-globals)"

/** What is expected of each line: the rule that reports it, or `undefined` where it is allowed. */
const tree: Record<string, ReadonlyArray<readonly [line: string, rule: string | undefined]>> = {
  "src/core/replica/Merge.ts": [
    [`export { Chunk, HashMap, Option, Order, Result, Schema } from "effect"`, undefined],
    [`export { hlc } from "./Hlc.ts"`, undefined],
    [`export { state } from "../sync/SessionState.ts"`, undefined],
    [`export { exchange } from "../sync/v1/V1State.ts"`, imports],
    [`export { Effect } from "effect"`, imports],
    [`export { Layer } from "effect"`, imports],
    [`export { Stream } from "effect"`, imports],
    [`export { Clock } from "effect"`, imports],
    [`export { Random } from "effect"`, imports],
    [`export { Ref } from "effect"`, imports],
    [`export { Context } from "effect"`, imports],
    [`export type { Queue } from "effect"`, imports],
    [`export * as all from "effect"`, imports],
    [`export * as effect from "effect/Effect"`, imports],
    [`export * as http from "effect/http"`, imports],
    [`export * as platform from "@effect/platform-node"`, imports],
    [`export * as ws from "ws"`, imports],
    [`export { store } from "../../services/store/Store.ts"`, imports],
    [`export { escaped } from "./../../services/store/Store.ts"`, imports],
    [`export { main } from "../../main.ts"`, imports],
    [`export { memory } from "../../index.ts"`, imports],
    [`export { readFileSync } from "node:fs"`, nodeModules],
    [`export { createHash } from "node:crypto"`, nodeModules],
    [`export const now = Date.now()`, globals],
    [`export const today = new Date()`, globals],
    [`export const home = process.env["HOME"]`, globals],
    [`export const id = crypto.randomUUID()`, globals],
    [`export const die = Math.random()`, "eslint(no-restricted-properties)"]
  ],
  "src/core/sync/SessionState.ts": [
    [`export { Option } from "effect"`, undefined],
    [`export { hlc } from "../replica/Hlc.ts"`, undefined],
    [`export { send } from "./Send.ts"`, undefined],
    [`export { exchange } from "./v1/V1Exchange.ts"`, undefined],
    [`export { Effect } from "effect"`, imports],
    [`export { store } from "../../services/store/Store.ts"`, imports],
    [`export { main } from "../../main.ts"`, imports],
    [`export { createHash } from "node:crypto"`, nodeModules]
  ],
  "src/core/sync/v1/V1State.ts": [
    [`export { wire } from "../Wire.ts"`, undefined],
    [`export { hlc } from "../../replica/Hlc.ts"`, undefined],
    [`export { store } from "../../../services/store/Store.ts"`, imports],
    [`export { main } from "../../../main.ts"`, imports]
  ],
  "src/core/sync/Handshake.ts": [
    [`export { hmac } from "@noble/hashes/hmac.js"`, undefined],
    [`export { encode } from "effect/encoding/Base64Url"`, undefined],
    [`export { randomBytes } from "@noble/hashes/utils.js"`, imports],
    [`export { createHmac } from "node:crypto"`, nodeModules],
    [`export { connect } from "node:tls"`, imports],
    [`export { Effect } from "effect"`, imports]
  ],
  "src/services/peers/Peers.ts": [
    [`export { Effect, Layer } from "effect"`, undefined],
    [`export { hlc } from "../../core/replica/Hlc.ts"`, undefined],
    [`export { store } from "../store/Store.ts"`, undefined],
    [`export * as command from "effect/cli/Command"`, undefined],
    [`export * as files from "@effect/platform-node/NodeFileSystem"`, undefined],
    [`export * as platform from "@effect/platform-node"`, imports],
    [`export * as ws from "ws"`, imports],
    [`export type { WebSocket } from "ws"`, imports],
    [`export const later = import("ws")`, imports],
    [`export * as mdns from "multicast-dns"`, imports],
    [`export * as tls from "node:tls"`, imports],
    [`export * as bareTls from "tls"`, imports],
    [`export * as driver from "@effect/sql-sqlite-node"`, imports],
    [`export * as sql from "effect/sql"`, imports],
    [`export * as client from "effect/sql/SqlClient"`, imports],
    [`export * as sqlite from "node:sqlite"`, imports],
    [`export { main } from "../main.ts"`, imports],
    [`export { note } from "../cli/Note.ts"`, imports],
    [`console.log("here")`, "eslint(no-console)"],
    [`export const cast = (value: any) => value`, "typescript(no-explicit-any)"],
    [`export const sure = (value: string | undefined) => value!.length`, "typescript(no-non-null-assertion)"],
    [`const unused = 1`, "eslint(no-unused-vars)"],
    [`export const five = (_a: 1, _b: 1, _c: 1, _d: 1, _e: 1) => 1`, undefined],
    [`export const six = (_a: 1, _b: 1, _c: 1, _d: 1, _e: 1, _f: 1) => 1`, "eslint(max-params)"],
    [`Promise.resolve(1)`, "typescript(no-floating-promises)"]
  ],
  "src/services/transport/WebSocketTransport.ts": [
    [`export * as ws from "ws"`, undefined],
    [`export * as mdns from "multicast-dns"`, imports],
    [`export * as tls from "node:tls"`, imports],
    [`export * as sql from "effect/sql"`, imports],
    [`export { main } from "../../main.ts"`, imports]
  ],
  "src/services/transport/WebSocketConnection.ts": [
    [`export * as ws from "ws"`, undefined],
    [`export * as mdns from "multicast-dns"`, imports],
    [`export * as tls from "node:tls"`, imports],
    [`export * as sql from "effect/sql"`, imports],
    [`export { main } from "../../main.ts"`, imports]
  ],
  "src/services/discovery/MdnsDiscovery.ts": [
    [`export * as mdns from "multicast-dns"`, undefined],
    [`export * as ws from "ws"`, imports],
    [`export * as tls from "node:tls"`, imports],
    [`export * as sql from "effect/sql"`, imports],
    [`export { main } from "../../main.ts"`, imports]
  ],
  "src/services/transport/tls/Tls.ts": [[`export { connect } from "node:tls"`, imports]],
  "src/services/transport/tls/Endpoint.ts": [
    [`export * as tls from "node:tls"`, undefined],
    [`export * as ws from "ws"`, imports],
    [`export * as mdns from "multicast-dns"`, imports],
    [`export * as sql from "effect/sql"`, imports],
    [`export { main } from "../../main.ts"`, imports]
  ],
  "src/services/store/SqliteBackend.ts": [
    [`export * as driver from "@effect/sql-sqlite-node"`, undefined],
    [`export * as sql from "effect/sql"`, undefined],
    [`export * as ws from "ws"`, imports],
    [`export * as mdns from "multicast-dns"`, imports],
    [`export * as tls from "node:tls"`, imports],
    [`export { main } from "../../main.ts"`, imports]
  ],
  "src/services/store/SqliteCheck.ts": [[`export * as sql from "effect/sql/SqlClient"`, undefined]],
  "src/services/store/SqliteSchema.ts": [[`export * as sql from "effect/sql/SqlClient"`, undefined]],
  "src/services/store/SqliteSearch.ts": [[`export * as sql from "effect/sql/SqlClient"`, undefined]],
  "src/services/store/Memory.ts": [[`export * as sql from "effect/sql"`, imports]],
  "src/index.ts": [
    [`export { main } from "./main.ts"`, imports],
    [`export { note } from "./cli/Note.ts"`, imports]
  ],
  "src/main.ts": [
    [`export { note } from "./cli/Note.ts"`, undefined],
    [`export * as ws from "ws"`, imports],
    [`console.log("here")`, "eslint(no-console)"]
  ],
  "src/cli/Note.ts": [
    [`export { main } from "../main.ts"`, undefined],
    [`export { fact } from "./Fact.ts"`, undefined],
    [`console.log("here")`, undefined],
    [`export * as mdns from "multicast-dns"`, imports],
    [`export * as tls from "node:tls"`, imports],
    [`export * as sql from "effect/sql"`, imports]
  ],
  "test/Peers.test.ts": [
    [`export * as ws from "ws"`, undefined],
    [`console.log("here")`, undefined],
    [`export const cast = (value: any) => value`, "typescript(no-explicit-any)"]
  ]
}

interface Report {
  readonly diagnostics: ReadonlyArray<{
    readonly code: string
    readonly filename: string
    readonly labels: ReadonlyArray<{ readonly span: { readonly line: number } }>
  }>
}

const lint = (): {
  readonly status: number | null
  readonly rulesByLine: ReadonlyMap<string, ReadonlyArray<string>>
} => {
  const project = join(import.meta.dirname, "..")
  const root = mkdtempSync(join(tmpdir(), "feral-sync-walls-"))
  try {
    copyFileSync(join(project, ".oxlintrc.json"), join(root, ".oxlintrc.json"))
    writeFileSync(join(root, "tsconfig.json"), `{ "compilerOptions": { "module": "nodenext" } }`)
    for (const [file, lines] of Object.entries(tree)) {
      mkdirSync(join(root, dirname(file)), { recursive: true })
      writeFileSync(join(root, file), lines.map(([line]) => `${line}\n`).join(""))
    }
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(project, "node_modules/oxlint/bin/oxlint"), "--format=json"],
      {
        cwd: root,
        encoding: "utf8",
        env: { ...process.env, OXLINT_TSGOLINT_PATH: join(project, "node_modules/oxlint-tsgolint/bin/tsgolint.js") }
      }
    )
    assert.isTrue(stdout.startsWith("{"), `oxlint printed no report: ${stdout}${stderr}`)
    const rulesByLine = new Map<string, Array<string>>()
    for (const { code, filename, labels } of (JSON.parse(stdout) as Report).diagnostics) {
      const key = `${filename}:${labels[0]?.span.line}`
      rulesByLine.set(key, [...(rulesByLine.get(key) ?? []), code])
    }
    return { status, rulesByLine }
  } finally {
    rmSync(root, { recursive: true })
  }
}

describe("walls", () => {
  const { status, rulesByLine } = lint()

  it("an offence fails the run", () => {
    assert.strictEqual(status, 1)
  })

  for (const [file, lines] of Object.entries(tree)) {
    for (const [index, [line, rule]] of lines.entries()) {
      it(`${file}: ${line} ${rule === undefined ? "is allowed" : `breaks ${rule}`}`, () => {
        const found = rulesByLine.get(`${file}:${index + 1}`) ?? []
        if (rule === undefined) assert.deepStrictEqual(found, [])
        else assert.include(found, rule)
      })
    }
  }
})
