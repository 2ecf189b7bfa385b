/** Where a program may find itself: without a home, as a user that nobody knows, with temporary directories of no use. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { needs } from "../../support/Needs.ts"
import { Node, run, until } from "../../support/Nodes.ts"

const unset = { HOME: undefined, XDG_CACHE_HOME: undefined, XDG_RUNTIME_DIR: undefined, TMPDIR: undefined }
const unknownUser = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]

let root: string
let running: Node | undefined
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "feral-place-"))
  chmodSync(root, 0o755)
})
afterEach(async () => {
  await running?.stop("SIGKILL")
  running = undefined
  rmSync(root, { recursive: true, force: true })
})

describe.skipIf(needs("root", "setpriv"))("a user that the system does not know, without HOME", () => {
  const ask = (args: ReadonlyArray<string>, env: Record<string, string | undefined> = {}) =>
    run(args, { ...unset, ...env }, "", unknownUser)

  it("has help and version", async () => {
    const commands = [["--help"], ["note", "add", "--help"], ["--version"]]
    for (const { code, stdout, stderr } of await Promise.all(commands.map((args) => ask(args)))) {
      assert.deepStrictEqual([code, stderr], [0, ""])
      assert.notStrictEqual(stdout, "")
    }
  })

  it("is told to set FERAL_HOME when nothing else gives a home, and not otherwise", async () => {
    const home = join(root, "home")
    mkdirSync(home)
    chownSync(home, 54321, 54321)
    const [homeless, tilde, byVariable, byHome] = await Promise.all([
      ask(["note", "list", "--json"]),
      ask(["note", "list", "--home", "~/data"]),
      ask(["note", "add", "works", "--json"], { FERAL_HOME: join(home, "data") }),
      ask(["note", "add", "works", "--json"], { HOME: home })
    ])
    assert.strictEqual(homeless.code, 2)
    assert.deepInclude(JSON.parse(homeless.stderr), { _tag: "ConfigInvalid" })
    assert.match(homeless.stderr, /this user has no home directory: set FERAL_HOME/)
    assert.strictEqual(tilde.code, 2)
    assert.match(tilde.stderr, /no home directory: write the path without ~/)
    for (const { code, stderr } of [byVariable, byHome]) assert.deepStrictEqual([code, stderr], [0, ""])
    assert.isTrue(existsSync(join(home, ".feral", "sync.db")))
    assert.isTrue(existsSync(join(home, "data", "sync.db")))
  }, 60_000)

  it("runs a node", async () => {
    chownSync(root, 54321, 54321)
    running = new Node(join(root, "data"), unset, unknownUser)
    await running.start()
    const { stdout } = await ask(["status", "--json", "--home", running.home])
    assert.strictEqual((JSON.parse(stdout) as { node_id: string }).node_id, running.id)
    assert.strictEqual(await running.stop(), 0)
  }, 60_000)
})

describe("a system that does not show how much memory a process has", () => {
  it("runs a node, which goes on after it has asked", async () => {
    const fake = "process.memoryUsage.rss=()=>{console.error('asked in vain');throw new Error('EACCES')}"
    const options = `--import data:text/javascript,${encodeURIComponent(fake)}`
    running = new Node(join(root, "data"), { NODE_OPTIONS: options })
    const node = await running.start()
    // Reading makes garbage. When that is collected and the node has nothing to do for a while, it asks.
    for (let n = 0; n < 300; n++) await node.status()
    await until(
      "it has asked",
      async () => node.log,
      (log) => log.includes("asked in vain")
    )
    assert.strictEqual((await run(["status", "--home", node.home])).code, 0)
    assert.strictEqual(await running.stop(), 0)
  }, 60_000)
})

describe("a data directory whose path is too long for a socket", () => {
  const long = (name: string) => join(root, name, "x".repeat(60), "y".repeat(60))

  it("is asked by commands whatever the environments of the node and of the commands say", async () => {
    const useless = long("temporary")
    mkdirSync(useless, { recursive: true })
    chmodSync(useless, 0o500)
    const environments = [
      { TMPDIR: useless },
      { TMPDIR: join(root, "missing"), XDG_RUNTIME_DIR: root },
      { TMPDIR: "/proc", XDG_RUNTIME_DIR: join(root, "missing") }
    ]
    running = new Node(long("home"), { ...unset, ...environments[0] })
    const { home } = await running.start()
    const asked = await Promise.all(
      environments.map((env) => run(["status", "--json", "--home", home], { ...unset, ...env }))
    )
    for (const { stdout, stderr } of asked) {
      assert.strictEqual(stderr, "")
      assert.strictEqual((JSON.parse(stdout) as { port: number | null }).port, running.port)
    }
    assert.notInclude(running.log, "limited")
    assert.strictEqual(await running.stop(), 0)
    assert.isFalse(existsSync(join(home, "feral-sync.sock")))
  }, 60_000)
})
