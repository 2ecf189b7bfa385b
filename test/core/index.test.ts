/** `feral-sync/core` where there is no Node: bundled for a browser, and run in a page and in a worker of Chromium. */
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { createHmac, scryptSync } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { gzipSync } from "node:zlib"
import { rolldown } from "rolldown"
import * as Handshake from "../../src/core/sync/Handshake.ts"
import { needs } from "../support/Needs.ts"
import { root } from "../support/RepositoryText.ts"

/** What the size in `docs/embedding.md` says (kB, compressed, with what it takes of Effect), and what it may grow to. */
const mostKilobytes = 90

/** A program of one file, for a browser. */
const bundled = async (code: string): Promise<string> => {
  const build = await rolldown({
    cwd: root,
    input: "entry",
    platform: "browser",
    // An import that a browser does not have fails the build.
    onLog: (_, { message }) => assert.fail(message),
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === "entry" ? join(root, "entry.ts") : undefined),
        load: (id) => (id === join(root, "entry.ts") ? code : undefined)
      }
    ]
  })
  const { output } = await build.generate({ format: "iife", minify: true, codeSplitting: false })
  assert.lengthOf(output, 1)
  return output[0].code
}

/** Derives a key, proves it, and merges the same writes in two orders. `report` is called with the outcome. */
const program = `
import { Digest, Handshake, Hlc, Json, Merge, NodeId, Operation } from "./src/core/index.ts"
const isWorker = typeof document === "undefined"
// Once is enough, and a key takes its time.
const key = isWorker ? Array.from(Handshake.deriveKey("a passphrase")) : []
const node = NodeId.NodeId.make("browser")
const write = (wall, content) => ({
  op_id: Operation.OpId.make("op" + wall),
  table: Operation.Kind.make("notes"),
  op_type: "insert",
  row_id: Operation.RowId.make("r"),
  data: Json.CanonicalJson.make(JSON.stringify({ content })),
  hlc: { ...Hlc.send(Hlc.zero, wall), node },
  timestamp: wall / 1000
})
const digestOf = (operations) =>
  Digest.toText(Merge.mergeBatch(() => undefined, operations).digest)
const writes = [write(1, "first"), write(2, "second")]
globalThis.outcome = {
  key,
  same: digestOf(writes) === digestOf(writes.toReversed()),
  isNode: typeof process !== "undefined",
  isWorker
}
`

describe("feral-sync/core", () => {
  it("derives keys and proofs as the functions of Node do", () => {
    const key = scryptSync("pass \u00e9", "feral-sync/2 passphrase", 32, { N: 2 ** 15, r: 8, maxmem: 2 ** 26 })
    assert.deepStrictEqual(Handshake.deriveKey("pass e\u0301"), new Uint8Array(key))
    const fields = ["feral-sync/2 proof", "dialler", "one", "other", new Uint8Array([1, 2]), "n\u00f6de", ""]
    const mac = createHmac("sha256", key)
    for (const field of fields) {
      const bytes = Buffer.from(field)
      const length = Buffer.alloc(4)
      length.writeUInt32BE(bytes.length)
      mac.update(length).update(bytes)
    }
    const nonces = { dialler: "one", server: "other" }
    const transcript = { nonces, binding: new Uint8Array([1, 2]), dialler: "n\u00f6de", server: "" }
    assert.strictEqual(Handshake.prove(key, "dialler", transcript), mac.digest("base64url"))
  })

  it("is bundled for a browser, in the size that the documents state", async () => {
    const code = await bundled(`import * as core from "./src/core/index.ts"; globalThis.core = core`)
    const kilobytes = Math.round(gzipSync(code).length / 1000)
    console.info(`feral-sync/core: ${kilobytes} kB compressed, ${Math.round(code.length / 1000)} kB`)
    assert.isAtMost(kilobytes, mostKilobytes)
  })

  it.skipIf(needs("chromium"))("runs in a page and in a worker", async () => {
    const directory = mkdtempSync(join(tmpdir(), "feral-sync-browser-"))
    try {
      const code = await bundled(program)
      const worker = `${code}; postMessage(globalThis.outcome)`
      const page = `<!doctype html><pre id="out"></pre><script>${code.replaceAll("</script", "<\\/script")}</script><script>
        const worker = new Worker(URL.createObjectURL(new Blob([${JSON.stringify(worker).replaceAll("</", "<\\/")}])))
        worker.onmessage = ({ data }) => { document.getElementById("out").textContent = JSON.stringify([globalThis.outcome, data]) }
      </script>`
      const file = join(directory, "page.html")
      writeFileSync(file, page)
      const options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]
      const profile = `--user-data-dir=${join(directory, "profile")}`
      const { stdout } = await promisify(execFile)("chromium", [
        ...options,
        profile,
        // Until then nothing is printed, as long as a script runs.
        "--virtual-time-budget=15000",
        `file://${file}`
      ])
      const [, text = ""] = /<pre id="out">(.*?)<\/pre>/.exec(stdout) ?? []
      const key = Array.from(Handshake.deriveKey("a passphrase"))
      assert.deepStrictEqual(JSON.parse(text), [
        { key: [], same: true, isNode: false, isWorker: false },
        { key, same: true, isNode: false, isWorker: true }
      ])
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})
