/** What doctor says of certificates that existing FERAL nodes cannot check, and that the documented command mends it. */
import { assert, describe, it } from "@effect/vitest"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Option } from "effect"
import type { Settings } from "../../../../src/services/node/Config.ts"
import * as ExistingNodes from "../../../../src/services/admin/doctor/ExistingNodes.ts"
import * as Certificates from "../../../support/Certificates.ts"
import * as Directory from "../../../support/Directory.ts"
import { blocksOf, read } from "../../../support/Markdown.ts"
import { needs } from "../../../support/Needs.ts"
import { settings } from "../../../support/Settings.ts"

const found = (changes: Partial<Settings>) => ExistingNodes.examine(settings("/nowhere", changes))

describe("doctor: existing FERAL nodes", () => {
  it.live.skipIf(needs("openssl"))(
    "cannot dial a node whose certificate is that of the recipe; the line of docs/existing-nodes.md mends it",
    () =>
      Effect.gen(function* () {
        const directory = yield* Directory.directory
        const tls = Option.some(yield* Certificates.recipe(directory))
        const [finding, ...more] = yield* found({ tls })
        assert.strictEqual(more.length, 0)
        assert.strictEqual(finding?.status, "warning")
        assert.match(
          finding?.message ?? "",
          /peer-cert\.pem contains no address, so existing FERAL nodes cannot connect/
        )
        assert.match(finding?.next_step ?? "", /subjectAltName \(see docs\/existing-nodes\.md\)/)
        assert.deepStrictEqual(yield* found({ tls, legacy: "off" }), [])
        const [line] = blocksOf(read("docs/existing-nodes.md")).flatMap(({ code }) =>
          code.includes("subjectAltName=") ? [code] : []
        )
        yield* Certificates.run(directory, "sh", "-ec", String(line))
        assert.deepStrictEqual(yield* found({ tls }), [])
      }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )

  it.effect("are not looked at without certificates, nor where the certificate cannot be read", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* found({}), [])
      const missing = { ca: "/nowhere/ca", cert: "/nowhere/cert", key: "/nowhere/key" }
      assert.deepStrictEqual(yield* found({ tls: Option.some(missing) }), [])
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
