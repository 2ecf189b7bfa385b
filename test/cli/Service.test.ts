/**
 * A node as a service: what it tells its manager, and what `service` asks of systemctl. The manager is a socket of the test, and
 * a script that writes down how it was called.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { needs } from "../support/Needs.ts"
import { freshHome, Nodes, run, until } from "../support/Nodes.ts"

const nodes = new Nodes()
afterAll(() => nodes.dispose())

describe.skipIf(needs("systemd-notify", "python3"))("a node that a manager started", () => {
  it("the node tells the service manager that it is ready, that it is alive, and that it stops", async () => {
    const node = nodes.make()
    const socket = join(dirname(node.home), "notify")
    const script = new URL("../support/notify_socket.py", import.meta.url).pathname
    const manager = spawn("/usr/bin/python3", [script, socket], { stdio: ["ignore", "pipe", "inherit"] })
    try {
      let heard = ""
      manager.stdout.setEncoding("utf8").on("data", (text: string) => (heard += text))
      const hears = (text: string) =>
        until(
          text,
          async () => heard,
          (all) => all.includes(text)
        )
      await hears("listening")
      await node.start({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: "400000" })
      await hears("READY=1")
      await hears("WATCHDOG=1")
      assert.strictEqual(await node.stop(), 0)
      await hears("STOPPING=1")
    } finally {
      manager.kill()
    }
  })

  it("the node keeps running when the service manager is away", async () => {
    const node = nodes.make()
    await node.start({ NOTIFY_SOCKET: join(dirname(node.home), "nothing") })
    assert.strictEqual(await node.stop(), 0)
    assert.include(node.log, "the service manager could not be notified")
  })
})

describe.skipIf(process.platform !== "linux")("service", () => {
  it("is installed, asked, upgraded and removed", async () => {
    const { home, remove } = freshHome()
    try {
      const place = dirname(home)
      const calls = join(place, "calls")
      mkdirSync(join(place, "bin"))
      const systemctl = join(place, "bin", "systemctl")
      writeFileSync(
        systemctl,
        `#!/bin/sh\necho "$@" >> ${calls}\ncase "$*" in *show*) printf 'ActiveState=active\\nUnitFileState=enabled\\nMainPID=42\\nNRestarts=0\\n';; esac\n`
      )
      chmodSync(systemctl, 0o755)
      const env = { XDG_CONFIG_HOME: join(place, "config"), PATH: `${join(place, "bin")}:${process.env["PATH"]}` }
      const ask = async (...args: ReadonlyArray<string>) => {
        const { code, stdout, stderr } = await run(["service", ...args, "--json"], env)
        assert.strictEqual(code, 0, stderr)
        return JSON.parse(stdout) as unknown
      }
      const file = join(place, "config/systemd/user/feral-sync.service")
      assert.deepInclude(await ask("status"), { installed: false, state: "inactive" })
      assert.deepInclude(await ask("install", "--home", home), {
        installed: true,
        enabled: true,
        state: "active",
        pid: 42
      })
      assert.include(readFileSync(file, "utf8"), `start --home ${home}`)
      await ask("install")
      assert.notInclude(readFileSync(file, "utf8"), home)
      assert.deepStrictEqual(await ask("uninstall"), { removed: true, file })
      assert.isFalse(existsSync(file))
      assert.deepStrictEqual(await ask("uninstall"), { removed: false, file })
      const said = readFileSync(calls, "utf8")
        .trim()
        .split("\n")
        .filter((line) => !line.includes("show"))
      const installed = ["daemon-reload", "enable feral-sync.service", "restart feral-sync.service"]
      const removed = ["disable --now feral-sync.service", "daemon-reload"]
      assert.deepStrictEqual(
        said,
        [...installed, ...installed, ...removed].map((line) => `--user ${line}`)
      )
      // A unit that was written by hand stays.
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, "[Service]\n")
      const refused = await run(["service", "install", "--json"], env)
      assert.strictEqual(refused.code, 1)
      assert.include(refused.stderr, "was not written by this command")
    } finally {
      remove()
    }
  })
})
