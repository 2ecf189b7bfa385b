/**
 * What a container makes of the machine, without one: any user id, no HOME, a root that is read-only, no capabilities and no way
 * to get some, secrets that others may read. And the rules that the Containerfile keeps.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { needs } from "../../support/Needs.ts"
import { Node, run } from "../../support/Nodes.ts"
import { root } from "../../support/RepositoryText.ts"

describe.skipIf(needs("root", "setpriv", "unshare"))("in what a container makes of the machine", () => {
  it("a node runs, takes a write, and stops", async () => {
    const place = mkdtempSync(join(tmpdir(), "feral-container-"))
    chmodSync(place, 0o755)
    const data = join(place, "data")
    mkdirSync(data)
    const passphrase = join(place, "passphrase")
    writeFileSync(passphrase, "correct horse battery staple\n", { mode: 0o644 })
    execFileSync("mount", ["-t", "tmpfs", "-o", "mode=1777", "tmpfs", data])
    const unset = { HOME: undefined, XDG_CACHE_HOME: undefined, TMPDIR: undefined, FERAL_SYNC_PASSPHRASE: undefined }
    const user = ["--reuid", "12345", "--regid", "12345", "--clear-groups"]
    const rights = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    const enter = [
      "unshare",
      "--mount",
      "sh",
      "-c",
      `mount --make-rprivate / && mount -o remount,bind,ro / && exec "$@"`,
      "sh",
      "setpriv",
      ...user,
      ...rights
    ]
    const node = new Node(join(data, "feral"), unset, enter)
    try {
      await node.start({}, ["--passphrase-file", passphrase])
      const ask = (...args: ReadonlyArray<string>) =>
        run([...args, "--json", "--home", node.home], unset, "", ["setpriv", ...user])
      assert.strictEqual((await ask("note", "add", "from a container")).code, 0)
      assert.include((await ask("note", "list")).stdout, "from a container")
      assert.include(node.log, "other users can read the passphrase")
      assert.strictEqual(await node.stop(), 0)
    } finally {
      await node.stop("SIGKILL")
      execFileSync("umount", [data])
      rmSync(place, { recursive: true })
    }
  }, 60_000)
})

describe("the Containerfile", () => {
  const lines = readFileSync(join(root, "Containerfile"), "utf8").split("\n")
  const instructions = lines.filter((line) => /^[A-Z]+ /.test(line))

  it("the Containerfile pins its base image, runs as a numeric user, and needs no shell", () => {
    const all = (name: string) => instructions.filter((line) => line.startsWith(`${name} `))
    // A version, so that an image can be built again; a user by number, for clusters that refuse root.
    for (const line of all("FROM")) assert.match(line, /^FROM docker\.io\/[\w/-]+:\d/)
    assert.match(all("USER").at(-1) ?? "", /^USER [1-9]\d+:\d+$/)
    // Arrays: a shell would not pass on signals.
    for (const line of [...all("ENTRYPOINT"), ...all("CMD")]) assert.match(line, / \[".*"\]$/)
    assert.isEmpty(all("ADD"))
    assert.isEmpty(all("ARG"))
    assert.isTrue(all("WORKDIR").every((line) => line.startsWith("WORKDIR /")))
    assert.notMatch(lines.join("\n"), /sudo|curl|wget|apt-get/)
  })

  it("the Containerfile creates the directory that npm packs into: npm creates none", () => {
    const packing = instructions.filter((line) => line.includes("--pack-destination"))
    assert.isNotEmpty(packing)
    for (const line of packing) {
      const directory = /--pack-destination (\S+)/.exec(line)?.[1] ?? ""
      assert.include(line.split("npm pack", 1)[0], `mkdir ${directory}`)
    }
  })

  it("says why", () => {
    const comments = lines.filter((line) => /^\s*#/.test(line)).length
    assert.isAtLeast(comments, 10)
  })
})
