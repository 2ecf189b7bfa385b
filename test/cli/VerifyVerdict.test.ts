/** What `verify` makes of what it was told of the peers: its exit code, and what it names. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import * as Access from "../../src/cli/Access.ts"
import { run } from "../support/Cli.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import { Memory } from "../../src/services/memory/Memory.ts"
import { StandardStreams } from "../../src/services/node/StandardStreams.ts"
import type { Compared } from "../../src/services/node/Status.ts"
import * as MemoryLive from "../../src/services/memory/MemoryLive.ts"
import * as MemoryStore from "../../src/services/store/MemoryStore.ts"

const memory = MemoryLive.layer.pipe(Layer.provide(MemoryStore.layer()), Layer.provide(HlcClock.layer))

const large = "1 row is larger than laptop accepts: notes 01a2, 3.0 MB; raise FERAL_SYNC_MAX_RECV_BYTES there"

/** What the peers say, the exit code, and words of what is printed and of the error. */
const verdicts: ReadonlyArray<
  readonly [string, ReadonlyArray<Compared["result"]>, string | undefined, number, RegExp, RegExp]
> = [
  ["equal", ["equal"], undefined, 0, /✓ peer0 has the same rows/, /^$/],
  ["repaired", ["equal", "repaired"], undefined, 0, /! peer1 had different rows: repaired/, /^$/],
  ["an existing FERAL node", ["not comparable"], undefined, 0, /- peer0 does not support comparing/, /^$/],
  ["operations under way", ["behind"], undefined, 0, /- peer0 could not be compared/, /^$/],
  [
    "other rows",
    ["equal", "differs"],
    undefined,
    1,
    /✗ peer1 has different rows/,
    /still differ: run ".* verify" on that node/
  ],
  [
    "deferred",
    ["deferred"],
    undefined,
    1,
    /✗ peer0 and this node defer/,
    /in the future are deferred: .*identity new --reissue/
  ],
  ["deferred by one of two", ["equal", "deferred"], undefined, 1, /✗ peer1 and this node defer/, /are deferred/],
  [
    "a row that is too large",
    ["behind"],
    large,
    1,
    /✗ peer0 does not have the same rows: 1 row .*notes 01a2, 3.0 MB/,
    /raise FERAL_SYNC_MAX_RECV_BYTES/
  ],
  [
    "a row that is too large for one of two",
    ["equal", "behind"],
    large,
    1,
    /✗ peer1 .*notes 01a2/,
    /raise FERAL_SYNC_MAX_RECV_BYTES/
  ],
  [
    "both",
    ["deferred", "behind"],
    large,
    1,
    /peer0 and this node defer[^]*peer1 .*notes 01a2/,
    /in the future are deferred/
  ]
]

const attempt = Effect.fnUntraced(function* (
  results: ReadonlyArray<Compared["result"]>,
  reason: string | undefined,
  args: ReadonlyArray<string>
) {
  const unused = Effect.die(new Error("not a part of this test"))
  const peers = results.map((result, n): Compared => ({
    node_id: `peer${n}`,
    result,
    rows_repaired: 0,
    ...(result === "behind" && reason !== undefined ? { reason } : {})
  }))
  let [stdout, stderr] = ["", ""]
  const opened = {
    home: "/nowhere",
    isRunning: true,
    archive: unused,
    verification: {
      damage: Effect.succeed([]),
      audit: Effect.succeed({ rows: 1, digest: "0", corrected: [] }),
      compare: Effect.succeed(peers)
    },
    purging: { purge: () => unused },
    origins: { list: unused, forget: () => unused },
    status: unused,
    peers: unused
  }
  const code = yield* run(["verify", ...args]).pipe(
    Effect.provideService(Access.Opener, {
      open: () => Effect.map(Memory.pipe(Effect.provide(memory)), (memory) => ({ ...opened, memory }))
    }),
    Effect.provideService(StandardStreams, {
      output: (text) => Effect.sync(() => void (stdout += text)),
      error: (text) => Effect.sync(() => void (stderr += text)),
      input: Stream.empty
    })
  )
  return { code, stdout, stderr }
})

describe("verify", () => {
  it.effect.each(verdicts)("%s", ([, results, reason, code, printed, error]) =>
    Effect.gen(function* () {
      const shown = yield* attempt(results, reason, [])
      assert.strictEqual(shown.code, code)
      assert.match(shown.stdout, printed)
      assert.match(shown.stderr.trim(), error)
      const asJson = yield* attempt(results, reason, ["--json"])
      assert.strictEqual(asJson.code, code)
      const { ok, peers } = JSON.parse(asJson.stdout)
      assert.deepStrictEqual({ ok, peers: peers.length }, { ok: code === 0, peers: results.length })
    })
  )
})
