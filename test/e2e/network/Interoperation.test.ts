/** With other implementations of multicast DNS: Avahi, on our own host and on another one, and python-zeroconf. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { howLong, within } from "../../support/Best.ts"
import { figure, mutual } from "../../support/Discovered.ts"
import { type Host, Lab, type Lan, type Program } from "../../support/Namespaces.ts"
import { needs } from "../../support/Needs.ts"
import { type Node, until } from "../../support/Nodes.ts"

/** A message bus for one host, which Avahi and its tools meet on. */
const busConfig = (socket: string) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

type Row = Awaited<ReturnType<Node["status"]>>["peers"][number]
const shows = (node: Node, id: string, isGood: (row: Row | undefined) => boolean, timeoutMs = 15_000) =>
  until(
    `a row about ${id}`,
    async () => (await node.status()).peers.find(({ node_id }) => node_id === id),
    isGood,
    timeoutMs
  )
const says = (program: Program, what: string, fits: (line: string) => boolean, timeoutMs = 15_000) =>
  until(
    `${what} in ${program.output}`,
    () => Promise.resolve(program.output.split("\n").find(fits)),
    (line) => line !== undefined,
    timeoutMs
  )

describe.skipIf(needs("root", "ip", "avahi-daemon", "avahi-browse", "dbus-daemon", "python3", "zeroconf"))(
  "among other implementations",
  () => {
    const scratch = mkdtempSync(join(tmpdir(), "feral-sync-bus-"))
    const bus = `DBUS_SYSTEM_BUS_ADDRESS=unix:path=${join(scratch, "bus")}`
    let lab: Lab
    let lan: Lan
    let beside: Host & { readonly address: string }
    let away: Host & { readonly address: string }
    /** On the host of Avahi, and on another one. */
    let near: Node
    let far: Node
    const avahi = (...command: ReadonlyArray<string>) => beside.run("env", bus, ...command)

    beforeAll(async () => {
      lab = new Lab()
      lan = await lab.lan()
      beside = await lan.host()
      away = await lan.host()
      writeFileSync(join(scratch, "bus.conf"), busConfig(join(scratch, "bus")))
      writeFileSync(join(scratch, "avahi.conf"), "[server]\nhost-name=avahi-host\n")
      beside.start("dbus-daemon", `--config-file=${join(scratch, "bus.conf")}`, "--nofork", "--nopidfile")
      const daemon = `exec env ${bus} avahi-daemon --no-drop-root --no-chroot --no-rlimits -f ${join(scratch, "avahi.conf")}`
      // Its files are where everybody's are: here they are its own.
      const own = "mount -t tmpfs tmpfs /run && mkdir -p /run/avahi-daemon"
      beside.start(
        "sh",
        "-c",
        `for wait in 1 2 3 4 5 6 7 8 9; do test -S ${join(scratch, "bus")} && break; sleep 0.1; done; ${own} && ${daemon}`
      )
      ;[near, far] = [beside.node(), away.node()]
      await Promise.all([near.start(), far.start()])
      await until(
        "Avahi is there",
        () =>
          avahi("avahi-browse", "-pt", "_none._tcp").then(
            () => true,
            () => false
          ),
        (isThere) => isThere
      )
    })
    afterAll(async () => {
      await lab.dispose()
      rmSync(scratch, { recursive: true, force: true })
    })

    it("our nodes find each other with a responder of the system beside one of them", () => mutual([near, far], "live"))

    it("Avahi shows our nodes with port, addresses and TXT record, and sees their goodbye", async () => {
      const third = away.node({ FERAL_SYNC_PORT: "9095" })
      const browsing = beside.start("env", bus, "avahi-browse", "-rp", "_feral._tcp")
      await third.start()
      const seen = (id: string) => (line: string) => line.startsWith("=;eth0;IPv4;") && line.includes(`feral-${id};`)
      const cases = [
        [near, beside.address, 9090],
        [far, away.address, 9090],
        [third, away.address, 9095]
      ] as const
      for (const [{ id }, address, port] of cases) {
        const [, , , label, type, domain, host, at, on, text] = (await says(browsing, id, seen(id)))?.split(";") ?? []
        assert.deepStrictEqual(
          [label, type, domain, host, on],
          [`feral-${id}`, "_feral._tcp", "local", `feral-${id}.local`, `${port}`]
        )
        // Of several addresses Avahi shows the one that it heard first.
        assert.match(at ?? "", /^(10\.77\.|fe80::)/)
        assert.include(await avahi("avahi-resolve", "-4", "-n", `feral-${id}.local`), address)
        for (const entry of [`node_id=${id}`, "version=1.0.0", "p=2"]) assert.include(text ?? "", `"${entry}"`)
      }
      await says(
        browsing,
        "over IPv6 too",
        (line) => line.startsWith("=;eth0;IPv6;") && line.includes(`feral-${far.id};`)
      )
      await third.stop()
      const gone = (line: string) => line.startsWith("-;eth0;IPv4;") && line.includes(`feral-${third.id};`)
      figure("Avahi sees our goodbye after", await howLong(() => says(browsing, "a goodbye", gone, 5000)))
      const types = await avahi("avahi-browse", "-apt")
      assert.include(types, "_feral._tcp")
    })

    it("a service that Avahi announces is a peer to us, beside it and away from it, until its goodbye", async () => {
      const service = ["feral-from-avahi", "_feral._tcp", "9999", "node_id=from-avahi", "version=1.0.0"]
      const took = await within(3_000, async () => {
        const published = beside.start("env", bus, "avahi-publish-service", ...service)
        for (const node of [near, far]) {
          const row = await shows(node, "from-avahi", (row) => row !== undefined)
          assert.deepStrictEqual([row?.port, row?.source], [9999, "mdns"])
          assert.strictEqual(row?.address, beside.address)
        }
        await published.stop()
        return howLong(() =>
          Promise.all([near, far].map((node) => shows(node, "from-avahi", (row) => row === undefined, 5_000)))
        )
      })
      figure("we see the goodbye of Avahi after", took)
    })

    it("python-zeroconf shows our nodes and is shown by them; goodbyes work both ways", async () => {
      const host = await lan.host()
      const script = fileURLToPath(new URL("../../support/zeroconf_peer.py", import.meta.url))
      const peer = host.start("/usr/bin/python3", script, "feral-from-python", "from-python", "9998", host.address)
      await says(peer, "ready", (line) => line.includes("ready"), 20_000)
      const third = away.node({ FERAL_SYNC_PORT: "9096" })
      await third.start()
      for (const [{ id }, address, port] of [
        [near, beside.address, 9090],
        [far, away.address, 9090],
        [third, away.address, 9096]
      ] as const) {
        const line = await says(peer, id, (line) => line.includes('"add"') && line.includes(`feral-${id}.`))
        const told = JSON.parse(line ?? "{}") as {
          readonly port: number
          readonly addresses: ReadonlyArray<string>
          readonly text: unknown
          readonly server: string
        }
        assert.strictEqual(told.port, port)
        assert.include(told.addresses, address)
        assert.deepStrictEqual(told.text, { node_id: id, version: "1.0.0", p: "2" })
        assert.strictEqual(told.server, `feral-${id}.local.`)
      }
      const row = await shows(far, "from-python", (row) => row !== undefined)
      assert.deepStrictEqual([row?.address, row?.port], [host.address, 9998])
      await third.stop()
      const gone = (line: string) => line.includes('"remove"') && line.includes(`feral-${third.id}.`)
      figure("python-zeroconf sees our goodbye after", await howLong(() => says(peer, "a goodbye", gone, 5000)))
      const stopping = peer.stop()
      figure(
        "we see the goodbye of python-zeroconf after",
        await howLong(() => shows(far, "from-python", (row) => row === undefined, 10_000))
      )
      await stopping
    })
  }
)
