/**
 * Long work in a pseudo-terminal: one line that is written anew, and is gone in the end. The work is as long as the test wants: it
 * feeds what is read, reads what is written, or stops the process that has to answer.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { open } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { clean, type Node, Nodes, until } from "../support/Nodes.ts"
import { needs } from "../support/Needs.ts"
import { main } from "../support/Program.ts"
import { root } from "../support/RepositoryText.ts"

const nodes = new Nodes()
const directory = mkdtempSync(join(tmpdir(), "feral-sync-progress-"))
const children: Array<ChildProcess> = []
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL")
  await nodes.dispose()
  rmSync(directory, { recursive: true, force: true })
})

const redrawn = "\r\u001b[2K"

/** Runs a line of the shell in a terminal of 80 columns, or with pipes. `$FERAL` is the program. */
const started = (line: string, home: string, isTerminal = true) => {
  const shell = ["/bin/sh", "-c", line]
  const command = isTerminal ? ["/usr/bin/python3", join(root, "test/support/terminal.py"), "80", ...shell] : shell
  const env = { ...clean, FERAL_HOME: home, TERM: "xterm", FERAL: `${process.execPath} ${main}` }
  const child = spawn(command[0] ?? "", command.slice(1), { env, stdio: ["ignore", "pipe", "pipe"] })
  children.push(child)
  let text = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (more: string) => (text += more))
  }
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
  const shows = (part: string | RegExp) =>
    until(
      String(part),
      async () => text,
      (all) => (typeof part === "string" ? all.includes(part) : part.test(all))
    )
  return { child, ended, shows, text: () => text }
}

let pipes = 0
const pipe = (): string => {
  const file = join(directory, `pipe-${pipes++}`)
  execFileSync("mkfifo", [file])
  return file
}

const row = (id: number): string =>
  `${JSON.stringify({ kind: "notes", id: `note-${id}`, content: `note ${id} ${"x".repeat(400)}` })}\n`

/** Writes rows into a pipe until something has happened: so many that the work is told of several times a second. */
const feed = async (file: string, isEnough: () => boolean) => {
  const handle = await open(file, "w")
  for (let id = 0; !isEnough(); id += 500) {
    await handle.write(Array.from({ length: 500 }, (_, index) => row(id + index)).join(""))
    await sleep(50)
  }
  await handle.close()
}

/** A line that is drawn again: what is done, and how fast. At the end it is erased. */
const assertRedrawn = (text: string, line: RegExp) => {
  const parts = text.split(redrawn)
  assert.isAtLeast(parts.length, 3, text)
  for (const part of parts.slice(1, -1)) {
    if (part === "") continue
    assert.match(part, line)
    assert.isAtMost(part.length, 79)
  }
  assert.notMatch(parts.at(-1) ?? "", line)
}

const isAfter = (ms: number) => {
  const from = performance.now()
  return () => performance.now() - from > ms
}

/** A node that is not running, with rows. */
const filled = async (rows: number): Promise<Node> => {
  const node = nodes.make()
  await node.seed(rows)
  return node
}

describe.skipIf(needs("python3"))("progress in a terminal", { timeout: 90_000 }, () => {
  it("import", async () => {
    const file = pipe()
    const { ended, text } = started(`exec $FERAL import - < ${file}`, nodes.make().home)
    await feed(file, () => text().split(redrawn).length > 3)
    assert.strictEqual(await ended, 0)
    assertRedrawn(text(), /^\d+ operations read, \d+ [KM]iB\/s$/)
    assert.include(text().split(redrawn).at(-1), "Read ")
  })

  it("export", async () => {
    const { home } = await filled(5_000)
    const file = pipe()
    const { ended, text } = started(`exec $FERAL export - > ${file}`, home)
    const handle = await open(file, "r")
    const bytes = Buffer.alloc(16_384)
    for (;;) {
      const { bytesRead } = await handle.read(bytes)
      if (bytesRead === 0) break
      // A slow reader, until the line was drawn a few times.
      if (text().split(redrawn).length <= 3) await sleep(50)
    }
    await handle.close()
    assert.strictEqual(await ended, 0)
    // Nothing is left when all rows are read, and the reader has not taken them yet.
    assertRedrawn(text(), /^\d+ operations exported \(\d+ % of 5000\), \d+\/s(, .+ left)?$/)
    assert.match(text(), / left/)
  })

  it("verify, while the node does not answer", async () => {
    const server = await nodes.make().start()
    const other = await nodes.make({ FERAL_SYNC_PEERS: server.address, FERAL_SYNC_MDNS_TIMEOUT: "0" }).start()
    await server.cli("note", "add", "tea")
    await until(
      "both have the note",
      () => other.status(),
      ({ counts, peers }) => counts.notes === 1 && peers.some(({ state }) => state === "live")
    )
    const pids = [server.pid, other.pid]
    const signal = (pid: number, name: "SIGSTOP" | "SIGCONT") => process.kill(pid, name)
    try {
      for (const json of ["", " --json"]) {
        // The comparison waits for the peer; then the node itself is stopped for as long as it takes.
        signal(server.pid, "SIGSTOP")
        const { ended, shows, text } = started(`exec $FERAL verify${json}`, other.home)
        await (json === "" ? shows("Comparing with the peers …") : sleep(500))
        signal(other.pid, "SIGSTOP")
        await (json === "" ? shows(/peers, \d+ s\s+\S\[2KComparing/) : sleep(2_000))
        for (const pid of pids) signal(pid, "SIGCONT")
        assert.strictEqual(await ended, 0, text())
        // On a busy machine, what comes before the comparison takes its seconds as well.
        const steps = /^(Checking the database|Adding up the rows|Comparing with the peers), \d+ s$/
        if (json === "") assertRedrawn(text(), steps)
        else assert.notInclude(text(), redrawn)
      }
    } finally {
      for (const pid of pids) signal(pid, "SIGCONT")
    }
  })

  it("backup, which is stopped for a while", async () => {
    const { home } = await filled(20_000)
    for (let time = 0; ; time++) {
      const place = mkdtempSync(join(directory, "backup-"))
      // The shell says its own id, which is that of the program.
      const { ended, shows, text } = started(`echo "id $$"; exec $FERAL backup ${join(place, "copy.db")}`, home)
      await shows(/id \d+\r\n/)
      const pid = Number(/id (\d+)/.exec(text())?.[1])
      while (readdirSync(place).length === 0) await sleep(1)
      process.kill(pid, "SIGSTOP")
      await sleep(1_500)
      process.kill(pid, "SIGCONT")
      assert.strictEqual(await ended, 0, text())
      assert.include(text(), "Backed up 20000 rows")
      // It may have been done before it was stopped.
      if (!text().includes(redrawn) && time < 5) continue
      assertRedrawn(
        text().slice(text().indexOf("\n") + 1),
        /^[\d.]+ [KMG]iB copied( \(\d+ % of [\d.]+ [KMG]iB\))?, .+\/s(, .+ left)?$/
      )
      break
    }
  })
})

describe("progress elsewhere", { timeout: 90_000 }, () => {
  it("is a line every ten seconds, and nothing with --json", async () => {
    const [file, other] = [pipe(), pipe()]
    const human = started(`exec $FERAL import - < ${file}`, nodes.make().home, false)
    const machine = started(
      `exec $FERAL import - --json < ${other}`,
      nodes.make().home,
      needs("python3") ? false : true
    )
    const isEnough = isAfter(2_500)
    await Promise.all([feed(file, () => human.text().includes("/s\n")), feed(other, isEnough)])
    assert.deepStrictEqual([await human.ended, await machine.ended], [0, 0])
    assert.match(human.text(), /^Created .+\n\d+ operations read, \d+ [KM]iB\/s\nRead \d+ /)
    assert.notInclude(human.text(), redrawn)
    assert.deepInclude(JSON.parse(machine.text()), { refused_count: 0 })
  })
})
