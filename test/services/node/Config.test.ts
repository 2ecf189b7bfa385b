import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Formatter, Layer, Option, Redacted } from "effect"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import {
  Config,
  load,
  loadHome,
  type Overrides,
  type Settings,
  unknownVariables
} from "../../../src/services/node/Config.ts"
import { flagOf } from "../../../src/services/node/Settings.ts"
import { variables } from "../../../src/services/node/Variables.ts"

const withEnv = (env: Record<string, string>) =>
  Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env, preserveEmptyStrings: true }))

const settingsOf = (env: Record<string, string>, overrides?: Overrides) => load(overrides).pipe(withEnv(env))

const problemsOf = (env: Record<string, string>, overrides?: Overrides) =>
  Effect.map(Effect.flip(settingsOf(env, overrides)), ({ problems }) => problems)

const tls = { FERAL_SYNC_TLS_CERT: "/c.pem", FERAL_SYNC_TLS_KEY: "/k.pem", FERAL_SYNC_TLS_CA: "/a.pem" }

const good: ReadonlyArray<
  readonly [env: Record<string, string>, read: (settings: Settings) => unknown, expected: unknown]
> = [
  [{ FERAL_HOME: "/data/feral" }, (s) => s.home, "/data/feral"],
  [{ FERAL_HOME: "~" }, (s) => s.home, homedir()],
  [{ FERAL_HOME: "~/x/../y" }, (s) => s.home, join(homedir(), "y")],
  [{ FERAL_HOME: "here" }, (s) => s.home, resolve("here")],
  [{ FERAL_HOME: "  " }, (s) => s.home, join(homedir(), ".feral")],
  [{ FERAL_SYNC_HOST: "127.0.0.1" }, (s) => s.host, "127.0.0.1"],
  [{ FERAL_SYNC_HOST: "[::1]" }, (s) => s.host, "::1"],
  [{ FERAL_SYNC_HOST: "fe80::1%eth0" }, (s) => s.host, "fe80::1%eth0"],
  [{ FERAL_SYNC_HOST: "node-a.local" }, (s) => s.host, "node-a.local"],
  [{ FERAL_SYNC_PORT: "0" }, (s) => s.port, 0],
  [{ FERAL_SYNC_PORT: " 65535 " }, (s) => s.port, 65_535],
  [
    { FERAL_SYNC_PEERS: "a:1, [::1]:9090,a:1,," },
    (s) => s.peers,
    [
      { host: "a", port: 1 },
      { host: "::1", port: 9090 }
    ]
  ],
  [{ FERAL_SYNC_PEERS: "" }, (s) => s.peers, []],
  [tls, (s) => s.tls, Option.some({ cert: "/c.pem", key: "/k.pem", ca: "/a.pem" })],
  [{ ...tls, FERAL_SYNC_REQUIRE_CLIENT_CERT: "Yes" }, (s) => s.requireClientCert, true],
  [{ FERAL_SYNC_REQUIRE_CLIENT_CERT: "off" }, (s) => s.requireClientCert, false],
  ...["1", "true", "yes", "on", "TRUE"].map((word) => [{ FERAL_SYNC_MDNS: word }, mdns, true] as const),
  ...["0", "false", "no", "off", "Off"].map((word) => [{ FERAL_SYNC_MDNS: word }, mdns, false] as const),
  [{ FERAL_SYNC_MDNS_INTERFACE: "127.0.0.1, ::1" }, (s) => s.mdnsInterfaces, ["127.0.0.1", "::1"]],
  [{ FERAL_SYNC_MDNS_TIMEOUT: "0" }, (s) => Duration.toMillis(s.mdnsTimeout), 0],
  [{ FERAL_SYNC_MDNS_TIMEOUT: "0.5" }, (s) => Duration.toMillis(s.mdnsTimeout), 500],
  [{ FERAL_SYNC_MDNS_TIMEOUT: "30 seconds" }, (s) => Duration.toMillis(s.mdnsTimeout), 30_000],
  [{ FERAL_SYNC_INTERVAL: "2 minutes" }, (s) => Duration.toMillis(s.interval), 120_000],
  [{ FERAL_SYNC_INTERVAL: "250 millis" }, (s) => Duration.toMillis(s.interval), 250],
  [{ FERAL_SYNC_LEGACY: "ON" }, (s) => s.legacy, "on"],
  [{ FERAL_SYNC_LEGACY_SCOPE: "team a" }, (s) => s.legacyScope, Option.some("team a")],
  [{ FERAL_SYNC_MAX_CLOCK_DRIFT_MS: "0" }, (s) => s.maxClockDriftMs, 0],
  [{ FERAL_SYNC_MAX_FRAME_BYTES: "4096" }, (s) => s.maxFrameBytes, 4096],
  [{ FERAL_SYNC_MAX_FRAME_BYTES: "16777216" }, (s) => s.maxRecvBytes, 16_777_216],
  [{ FERAL_SYNC_MAX_RECV_BYTES: "262144" }, (s) => s.maxRecvBytes, 262_144],
  [{ FERAL_SYNC_TOMBSTONE_DAYS: "30" }, (s) => s.tombstoneMs, 30 * 86_400_000],
  [{ FERAL_SYNC_MAX_OPAQUE_BYTES: "0" }, (s) => s.maxOpaqueBytes, 0],
  [{ FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES: "1000" }, (s) => s.maxOpaqueOriginBytes, 1_000],
  [{ FERAL_SYNC_MAX_PEER_RATE_BYTES: "0" }, (s) => s.maxPeerRateBytes, 0],
  [{ FERAL_SYNC_MAX_PEER_BURST_BYTES: "1048576" }, (s) => s.maxPeerBurstBytes, 1_048_576],
  [{ FERAL_SYNC_API_PORT: "0" }, (s) => s.apiPort, 0],
  [{ FERAL_SYNC_LOG: "json" }, (s) => s.log, "json"],
  [{ FERAL_SYNC_LOG_LEVEL: "warn" }, (s) => s.logLevel, "warn"]
]

function mdns(settings: Settings) {
  return settings.mdns
}

/** Values that must be refused, and a word that the user must find in what is said. */
const bad: ReadonlyArray<readonly [variable: string, text: string, says: RegExp]> = [
  ["FERAL_HOME", "a\0b", /null/],
  ["FERAL_SYNC_HOST", "localhost:9090", /FERAL_SYNC_PORT/],
  ["FERAL_SYNC_HOST", "two words", /host name/],
  ...["65536", "-1", "9090.5", "0x10", "http"].map((text) => ["FERAL_SYNC_PORT", text, /0 to 65535/] as const),
  ["FERAL_SYNC_HOST", "999.1.1.1", /is not an IPv4 address/],
  ["FERAL_SYNC_HOST", "10.0.0", /is not an IPv4 address/],
  ["FERAL_SYNC_HOST", "fe80::12345", /is not an IPv6 address/],
  ["FERAL_SYNC_PEERS", "[fe80::1%25nosuch]:9090", /"nosuch" is not an interface of this machine/],
  ["FERAL_SYNC_PEERS", "http://a", /is a URL.*write a:9090/],
  ["FERAL_SYNC_PEERS", "a:1;b", /commas; write a:1,b:9090/],
  ["FERAL_SYNC_PEERS", "192.168.1.300", /is not an IPv4 address/],
  ["FERAL_SYNC_PEERS", "a:0", /1 to 65535/],
  ["FERAL_SYNC_PEERS", "::1:9090", /\[::1\]:9090/],
  ["FERAL_SYNC_REQUIRE_CLIENT_CERT", "maybe", /true/],
  ["FERAL_SYNC_REQUIRE_CLIENT_CERT", "true", /FERAL_SYNC_TLS_CERT/],
  ["FERAL_SYNC_MDNS", "2", /off/],
  ["FERAL_SYNC_MDNS_INTERFACE", "127.0.0.1,a name", /"a name"/],
  ...["-1", "soon", "5 lightyears", "90000"].map((text) => ["FERAL_SYNC_MDNS_TIMEOUT", text, /seconds/] as const),
  ["FERAL_SYNC_INTERVAL", "0", /above 0/],
  ["FERAL_SYNC_LEGACY", "true", /off, tls, on/],
  ["FERAL_SYNC_MAX_CLOCK_DRIFT_MS", "1.5", /whole number/],
  ["FERAL_SYNC_MAX_FRAME_BYTES", "4095", /4096/],
  ["FERAL_SYNC_TOMBSTONE_DAYS", "0", /whole number/],
  ["FERAL_SYNC_TOMBSTONE_DAYS", "half a day", /whole number/],
  ["FERAL_SYNC_MAX_OPAQUE_BYTES", "-1", /whole number/],
  ["FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES", "64 MiB", /whole number/],
  ["FERAL_SYNC_MAX_PEER_RATE_BYTES", "fast", /whole number/],
  ["FERAL_SYNC_MAX_PEER_BURST_BYTES", "1000", /whole number of 1048576 or more/],
  ["FERAL_SYNC_MAX_RECV_BYTES", "262143", /FERAL_SYNC_MAX_FRAME_BYTES \(262144\)/],
  ["FERAL_SYNC_API_PORT", "on", /0 to 65535/],
  ["FERAL_SYNC_LOG", "xml", /pretty, json/],
  ["FERAL_SYNC_LOG_LEVEL", "loud", /debug, info, warn, error/]
]

describe("Config", () => {
  it.effect("nothing set gives the defaults of the table", () =>
    Effect.gen(function* () {
      const settings = yield* settingsOf({})
      assert.deepStrictEqual(settings, Config.make())
      assert.deepInclude(settings, { port: 9090, apiPort: 9091, mdns: true, legacy: "tls", maxClockDriftMs: 300_000 })
      assert.strictEqual(settings.host, undefined)
      assert.strictEqual(settings.home, join(homedir(), ".feral"))
    })
  )

  for (const [env, read, expected] of good) {
    it.effect(`takes ${JSON.stringify(env)}`, () =>
      Effect.map(settingsOf(env), (settings) => assert.deepStrictEqual(read(settings), expected))
    )
  }

  for (const [variable, text, says] of bad) {
    it.effect(`refuses ${variable}=${JSON.stringify(text)}`, () =>
      Effect.gen(function* () {
        const problems = yield* problemsOf({ [variable]: text })
        assert.deepStrictEqual(
          problems.map(({ variable }) => variable),
          [variable]
        )
        assert.match(problems[0]?.problem ?? "", says)
      })
    )
  }

  it.effect("everything that is wrong is said at once", () =>
    Effect.gen(function* () {
      const env = {
        ...Object.fromEntries(bad.map(([variable, text]) => [variable, text])),
        FERAL_SYNC_PASSPHRASE: "",
        FERAL_SYNC_TLS_CERT: "/c.pem"
      }
      const error = yield* Effect.flip(settingsOf(env))
      const named = new Set(error.problems.map(({ variable }) => variable))
      for (const variable of [...bad.map(([variable]) => variable), "FERAL_SYNC_PASSPHRASE", "FERAL_SYNC_TLS_KEY"]) {
        // With a certificate named, the demand for client certificates is no problem any more, nor is the limit on what
        // is received while the one on what is sent is unknown.
        if (variable === "FERAL_SYNC_REQUIRE_CLIENT_CERT" || variable === "FERAL_SYNC_MAX_RECV_BYTES") continue
        assert.isTrue(named.has(variable), variable)
        assert.include(error.message, variable)
      }
      assert.strictEqual(error._tag, "ConfigInvalid")
    })
  )

  it.effect("TLS files come all three or not at all", () =>
    Effect.gen(function* () {
      for (const present of Object.keys(tls)) {
        const problems = yield* problemsOf({ [present]: "/file.pem", FERAL_SYNC_TLS_NOTHING: "" })
        const missing = Object.keys(tls).filter((name) => name !== present)
        assert.deepStrictEqual(
          problems.map(({ variable }) => variable),
          missing
        )
        for (const { problem } of problems) assert.include(problem, present)
      }
    })
  )

  it.effect("a flag overrides the environment, and gives its own name to a problem", () =>
    Effect.gen(function* () {
      const env = { FERAL_SYNC_PORT: "wrong", FERAL_SYNC_API_PORT: "1234" }
      const settings = yield* settingsOf(env, { values: { FERAL_SYNC_PORT: "4321" } })
      assert.deepInclude(settings, { port: 4321, apiPort: 1234 })
      const problems = yield* problemsOf(env, { values: { FERAL_SYNC_PORT: "70000", FERAL_SYNC_HOST: " " } })
      assert.deepStrictEqual(
        problems.map(({ variable }) => variable),
        ["--host", "--port"]
      )
    })
  )

  it("every variable has a flag of its own", () => {
    assert.strictEqual(flagOf("FERAL_HOME"), "home")
    assert.strictEqual(flagOf("FERAL_SYNC_MDNS_INTERFACE"), "mdns-interface")
    assert.strictEqual(new Set(variables.map(flagOf)).size, variables.length)
  })

  it.effect("the passphrase is redacted wherever it comes from, and never empty", () =>
    Effect.gen(function* () {
      const settings = yield* settingsOf({ FERAL_SYNC_PASSPHRASE: " with spaces " })
      const secret = Option.getOrThrow(settings.passphrase)
      assert.strictEqual(Redacted.value(secret), " with spaces ")
      assert.notInclude(JSON.stringify(settings), "with spaces")
      assert.notInclude(Formatter.format(secret), "with spaces")

      const flag = yield* settingsOf({ FERAL_SYNC_PASSPHRASE: "" }, { passphrase: Redacted.make("given") })
      assert.strictEqual(Redacted.value(Option.getOrThrow(flag.passphrase)), "given")

      const [problem] = yield* problemsOf({ FERAL_SYNC_PASSPHRASE: "" })
      assert.strictEqual(problem?.variable, "FERAL_SYNC_PASSPHRASE")
      assert.include(problem?.problem, "an empty passphrase is never accepted")
    })
  )

  it.effect("the layer reads the environment of the program", () =>
    Effect.gen(function* () {
      const { port } = yield* Config
      assert.strictEqual(port, 1234)
    }).pipe(Effect.provide(Config.layer().pipe(Layer.provide(providerLayer({ FERAL_SYNC_PORT: "1234" })))))
  )

  it.effect("the layer notices a passphrase that is set to nothing also by default", () =>
    Effect.gen(function* () {
      process.env["FERAL_SYNC_PASSPHRASE"] = ""
      const error = yield* Effect.flip(Effect.provide(Config, Config.layer()))
      assert.strictEqual(error.problems[0]?.variable, "FERAL_SYNC_PASSPHRASE")
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          delete process.env["FERAL_SYNC_PASSPHRASE"]
        })
      )
    )
  )

  it.effect("a source that cannot be read is a problem of its variable", () =>
    Effect.gen(function* () {
      const provider = ConfigProvider.make((path) =>
        path[0] === "FERAL_SYNC_PORT"
          ? Effect.fail(new ConfigProvider.SourceError({ message: "gone" }))
          : Effect.succeed(undefined)
      )
      const error = yield* Effect.flip(load().pipe(Effect.provideService(ConfigProvider.ConfigProvider, provider)))
      assert.deepStrictEqual(error.problems, [{ variable: "FERAL_SYNC_PORT", problem: "cannot be read: gone" }])
    })
  )

  it.effect("the data directory alone needs nothing else to be right", () =>
    Effect.gen(function* () {
      const wrong = { FERAL_SYNC_PORT: "wrong" }
      assert.strictEqual(yield* loadHome().pipe(withEnv({ ...wrong, FERAL_HOME: "/a" })), "/a")
      assert.strictEqual(yield* loadHome("~/b").pipe(withEnv({ FERAL_HOME: "/a" })), join(homedir(), "b"))
      assert.strictEqual(yield* loadHome().pipe(withEnv({})), join(homedir(), ".feral"))
      const error = yield* Effect.flip(loadHome("").pipe(withEnv({})))
      assert.strictEqual(error.problems[0]?.variable, "--home")
    })
  )

  it("unknown variables that look like ours are found", () => {
    const names = ["PATH", "FERAL_SYNC_PASSPHRASE", "FERAL_SYNC_PASPHRASE", "FERAL_HOME", "FERAL_SYNC_PORT"]
    assert.deepStrictEqual(unknownVariables(names), ["FERAL_SYNC_PASPHRASE"])
  })
})

const providerLayer = (env: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnv({ env }))
