/**
 * A node as a process: how it starts and stops, and that commands go through it.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import type { Note } from "../../src/core/replica/Row.ts"
import type { NodeStatus } from "../../src/services/node/Status.ts"
import { howLong, within } from "../support/Best.ts"
import { freePort } from "../support/Dashboard.ts"
import { freshHome, type Node, Nodes, run, until } from "../support/Nodes.ts"
import { main } from "../support/Program.ts"

const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("FERAL_")))
const loopback = ["--host", "127.0.0.1", "--port", "0", "--mdns", "off"]
const withoutApi = ["--api-port", "0"]

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

/** Starts a node with these arguments, waits for its first words, stops it. Gives all that it said. */
const startAndStop = (
  args: ReadonlyArray<string>,
  options: { readonly env?: Record<string, string>; readonly stdin?: string; readonly signal?: NodeJS.Signals } = {}
) =>
  new Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>((resolve) => {
    const api = args.includes("--api-port") ? [] : withoutApi
    const child = spawn(process.execPath, [main, "start", ...loopback, ...api, ...args], {
      env: { ...clean, ...options.env }
    })
    const said = { stdout: "", stderr: "" }
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => (said[name] += text))
    }
    child.stdin.end(options.stdin ?? "")
    child.stdout.once("data", () => child.kill(options.signal ?? "SIGTERM"))
    child.once("close", (code) => resolve({ code, ...said }))
  })

describe("start", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`stops within 3 seconds on ${signal}, with exit code 0, and leaves no socket`, async () => {
      await within(3_000, async () => {
        const node = await nodes.make().start()
        assert.isTrue(existsSync(join(node.home, "feral-sync.sock")))
        const took = await howLong(async () => assert.strictEqual(await node.stop(signal), 0))
        assert.isFalse(existsSync(join(node.home, "feral-sync.sock")))
        return took
      })
    })
  }

  it("SIGUSR1 opens no inspector, and the node goes on", async () => {
    const node = await nodes.make().start()
    process.kill(node.pid, "SIGUSR1")
    await node.cli("note", "add", "still here")
    const { counts } = await node.status()
    assert.strictEqual(counts.notes, 1)
    assert.notInclude(node.log, "Debugger listening")
  })

  it("start --json prints one line on stdout when it is ready, and logs to stderr", async () => {
    const { home, remove } = freshHome()
    const { code, stdout, stderr } = await startAndStop(["--json", "--home", home], { env: { FERAL_SYNC_LOG: "json" } })
    const { node_id, port, ...rest } = JSON.parse(stdout) as Record<string, unknown>
    assert.strictEqual(code, 0)
    assert.strictEqual(stdout.split("\n").length, 2)
    assert.match(String(node_id), /^[0-9a-f]{16}$/)
    assert.isAbove(Number(port), 0)
    assert.deepStrictEqual(rest, { api_port: null, home })
    const lines = stderr.trimEnd().split("\n")
    for (const line of lines) assert.isObject(JSON.parse(line))
    assert.include(stderr, "node started")
    remove()
  })

  it("makes a passphrase at the first start, and says where it is but not what it is", async () => {
    const { home, remove } = freshHome()
    const first = await startAndStop(["--home", home])
    assert.strictEqual(first.code, 0)
    const file = join(home, "passphrase")
    const secret = readFileSync(file, "utf8").trim()
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)
    assert.strictEqual(statSync(home).mode & 0o777, 0o700)
    assert.include(first.stdout, `cat ${file}`)
    assert.include(first.stdout, "--passphrase-file -")
    const second = await startAndStop(["--home", home, "--log-level", "debug"])
    assert.notInclude(second.stdout, "--passphrase-file -")
    for (const text of [first.stdout, first.stderr, second.stdout, second.stderr]) assert.notInclude(text, secret)
    remove()
  })

  it("names the way to the dashboard, where it serves one", async () => {
    const { home, remove } = freshHome()
    const port = await freePort()
    assert.match((await startAndStop(["--home", home, "--api-port", port])).stdout, /dashboard +.*open/)
    assert.notInclude((await startAndStop(["--home", home])).stdout, "dashboard")
    remove()
  })

  it("takes the passphrase from a file, or from stdin, and makes none then", async () => {
    const { home, remove } = freshHome()
    mkdirSync(dirname(home), { recursive: true })
    const file = join(dirname(home), "given")
    writeFileSync(file, "from a file\n")
    const fromFile = await startAndStop(["--home", home, "--passphrase-file", file])
    assert.strictEqual(fromFile.code, 0)
    assert.include(fromFile.stdout, "as configured")
    const env = { FERAL_SYNC_PASSPHRASE: "" }
    const fromStdin = await startAndStop(["--home", home, "--passphrase-file", "-"], { stdin: "from stdin\n", env })
    assert.strictEqual(fromStdin.code, 0)
    assert.isFalse(existsSync(join(home, "passphrase")))
    remove()
  })

  it("names what goes without TLS: the plain addresses, and that nodes without TLS are accepted", async () => {
    const { home, remove } = freshHome()
    const peers = { FERAL_SYNC_PEERS: "plain://127.0.0.1:9,127.0.0.1:10" }
    const on = await startAndStop(["--home", home], { env: { FERAL_SYNC_LEGACY: "on", ...peers } })
    assert.match(on.stderr, /connecting without TLS: .*127\.0\.0\.1:9\b/)
    assert.match(on.stderr, /WARN.*accepting connections without TLS/)
    const off = await startAndStop(["--home", home], {})
    assert.notInclude(off.stderr, "without TLS")
    remove()
  })

  it("a variable that is misspelt is pointed out", async () => {
    const { home, remove } = freshHome()
    const { stderr } = await startAndStop(["--home", home], { env: { FERAL_SYNC_PASPHRASE: "x" } })
    assert.include(stderr, "FERAL_SYNC_PASPHRASE")
    remove()
  })

  it("a second node in the same directory is refused, and the first goes on", async () => {
    const node = await nodes.make().start()
    const { code, stdout, stderr } = await run(["start", ...loopback, "--json", "--home", node.home], {})
    assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: "" })
    const error = JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "") as Record<string, unknown>
    assert.strictEqual(error["_tag"], "StoreUnavailable")
    assert.include(error["message"], "locked")
    assert.strictEqual((await node.status()).node_id, node.id)
  })

  it("a port that is taken is a failure that says what to do", async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    const { home, remove } = freshHome()
    const { code, stderr } = await run(["start", "--json", "--home", home], {
      FERAL_SYNC_HOST: "127.0.0.1",
      FERAL_SYNC_PORT: `${port}`,
      FERAL_SYNC_API_PORT: "0",
      FERAL_SYNC_MDNS: "off"
    })
    assert.strictEqual(code, 1)
    assert.include(stderr, "ListenFailed")
    // This test is the other program: it has no data directory.
    assert.match(stderr, /another program uses the port/)
    // It is not a node: only the port is in the way.
    assert.match(stderr, /use another port: \S.* start --port 0 --home \S+"/)
    assert.notInclude(stderr, "--passphrase-file")
    assert.isFalse(existsSync(home))
    await new Promise((resolve) => server.close(resolve))
    remove()
  })
})

describe("a start that fails leaves nothing behind", () => {
  const ways: ReadonlyArray<readonly [args: ReadonlyArray<string>, code: number, says: RegExp]> = [
    [
      ["--host", "203.0.113.5"],
      1,
      /this machine does not have the address\); set FERAL_SYNC_HOST to an address of this/
    ],
    [["--host", "999.1.1.1"], 2, /is not an IPv4 address/],
    [["--tls-cert", "/none", "--tls-key", "/none", "--tls-ca", "/none"], 2, /the file does not exist/],
    [["--peers", "a;b"], 2, /has a semicolon: separate peers with commas; write a:9090,b:9090/],
    [["--port", "x"], 2, /is not a port/],
    [["--passphrase-file", "/none"], 2, /the file does not exist/]
  ]
  for (const [args, code, says] of ways) {
    it(args.join(" "), async () => {
      const { home, remove } = freshHome()
      const ended = await run(["start", "--mdns", "off", "--api-port", "0", "--home", home, ...args, ...port(args)], {})
      assert.deepInclude(ended, { code, stdout: "" })
      assert.match(ended.stderr, says)
      assert.isFalse(existsSync(home))
      remove()
    })
  }
  const port = (args: ReadonlyArray<string>) => (args.includes("--port") ? [] : ["--port", "0"])

  it("and the line that it prints starts a second node", async () => {
    const first = await nodes.make().start({ FERAL_SYNC_PASSPHRASE: undefined })
    const { home, remove } = freshHome()
    const env = { FERAL_SYNC_HOST: "127.0.0.1", FERAL_SYNC_MDNS: "off" }
    const { stderr } = await run(["start", "--port", `${first.port}`, "--home", home], env)
    assert.include(stderr, `another node uses the port: process ${first.pid}`)
    const file = join(first.home, "passphrase")
    assert.include(stderr, `start --home ${home} --port 0 --api-port 0 --passphrase-file ${file}`)
    const second = await nodes
      .make()
      .start({ FERAL_SYNC_PASSPHRASE: undefined }, ["--passphrase-file", file, "--peers", first.address])
    await until(
      "both are connected",
      () => second.status(),
      ({ peers }) => peers.some(({ state }) => state === "live")
    )
    const again = await run(["start", "--port", `${first.port}`, "--home", first.home], env)
    assert.match(
      again.stderr,
      new RegExp(`locked \\(a node is already running in .*process ${first.pid}, port ${first.port}`)
    )
    remove()
  })
})

describe("the node that uses a port is found", () => {
  const ways: ReadonlyArray<readonly [how: string, args: ReadonlyArray<string>, env: Record<string, string>]> = [
    ["by a relative --home", ["--home", "n1"], {}],
    ["by --home=", ["--home=./n1"], {}],
    ["by a relative FERAL_HOME", [], { FERAL_HOME: "n1" }],
    ["by the home directory of its user", [], { HOME: "." }]
  ]
  it.each(ways)("%s, from elsewhere", async (_, args, given) => {
    const { home: root, remove } = freshHome()
    mkdirSync(root)
    const env = { ...clean, ...given, ...(given["HOME"] === undefined ? {} : { HOME: root }) }
    const node = spawn(process.execPath, [main, "start", ...loopback, "--json", ...args], { cwd: root, env })
    const ready = await new Promise<string>((resolve) => node.stdout.setEncoding("utf8").once("data", resolve))
    const { port } = JSON.parse(ready) as { readonly port: number }
    const flags = ["--host", "127.0.0.1", "--port", `${port}`, "--api-port", "0", "--mdns", "off"]
    const { stderr } = await run(["start", ...flags, "--home", join(root, "n2")])
    const theirs = join(root, given["HOME"] === undefined ? "n1" : ".feral")
    assert.include(stderr, `another node uses the port: process ${node.pid}`)
    assert.include(
      stderr,
      `start --home ${join(root, "n2")} --port 0 --api-port 0 --passphrase-file ${join(theirs, "passphrase")}`
    )
    node.kill("SIGTERM")
    await new Promise((resolve) => node.once("close", resolve))
    remove()
  })
})

describe("commands with a running node", () => {
  const human = async (node: Node, ...args: ReadonlyArray<string>) => {
    const { code, stdout, stderr } = await run([...args, "--home", node.home], {})
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    return stdout
  }

  it("go through it, and find what was written before it ran", async () => {
    const node = nodes.make()
    const before = await node.cli<{ id: string }>("note", "add", "before")
    await node.start()
    const during = await node.cli<{ id: string }>("note", "add", "during ü 🙂\nsecond line")
    await node.cli("note", "edit", before.id, "changed")
    const notes = await node.cli<ReadonlyArray<Note>>("note", "list")
    assert.deepStrictEqual(
      notes.map(({ id, content }) => ({ id, content })),
      [
        { id: before.id, content: "changed" },
        { id: during.id, content: "during ü 🙂\nsecond line" }
      ]
    )
    assert.strictEqual((await node.status()).counts.notes, 2)
    const missing = await run(["note", "delete", "nothing", "--json", "--home", node.home], {})
    assert.strictEqual(missing.code, 1)
    assert.strictEqual((JSON.parse(missing.stderr) as { _tag: string })._tag, "RowNotFound")
    await node.stop()
    assert.deepStrictEqual(await node.cli("note", "list"), notes)
  })

  it("status and peers show it", async () => {
    const node = await nodes.make().start()
    const status = await node.cli<NodeStatus>("status")
    assert.deepStrictEqual(Object.keys(status), [
      "summary",
      "node_id",
      "version",
      "port",
      "api_port",
      "tls",
      "legacy",
      "uptime_seconds",
      "vector_clock",
      "digest",
      "counts",
      "opaque",
      "peer_limits",
      "commands",
      "discovery",
      "peers"
    ])
    assert.deepInclude(status, { node_id: node.id, port: node.port, api_port: null, tls: "auto", peers: [] })
    assert.deepStrictEqual(await node.cli("peers"), [])
    assert.include(await human(node, "status"), `running for`)
    // What is off is not asked for.
    const alone = await human(node, "peers")
    assert.strictEqual(alone, "No peers yet: set FERAL_SYNC_PEERS (host:port,host:port), or set FERAL_SYNC_MDNS=on.\n")
  })

  it("the error of a peer names its address once", async () => {
    const nowhere = "127.0.0.1:1"
    const node = await nodes.make().start({}, ["--peers", nowhere])
    const shown = await until(
      "it was tried",
      () => human(node, "peers"),
      (text) => text.includes("[PeerUnreachable]")
    )
    const line = shown.split("\n").find((line) => line.includes("[PeerUnreachable]")) ?? ""
    assert.strictEqual(line.split(nowhere).length, 2, line)
  })

  it("the socket that a killed node leaves does not stop commands", async () => {
    const node = await nodes.make().start()
    await node.cli("note", "add", "kept")
    await node.stop("SIGKILL")
    assert.isTrue(existsSync(join(node.home, "feral-sync.sock")))
    assert.strictEqual((await node.cli<ReadonlyArray<Note>>("note", "list")).length, 1)
    await node.start()
    assert.strictEqual((await node.cli<ReadonlyArray<Note>>("note", "list")).length, 1)
  })

  it("commands that come while it starts wait for it", async () => {
    const node = nodes.make()
    const [, ...written] = await Promise.all([
      node.start(),
      ...Array.from({ length: 4 }, (_, index) => node.cli<{ id: string }>("note", "add", `${index}`))
    ])
    assert.strictEqual((await node.cli<ReadonlyArray<Note>>("note", "list")).length, written.length)
  })
})
