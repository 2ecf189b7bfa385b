/**
 * Networks of their own, made of network namespaces: each host is a namespace with an interface `eth0`, each network a bridge
 * in a namespace of its own. Nothing is changed outside of them, and nothing of them is left. Linux, and root.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Node, Nodes, until } from "./Nodes.ts"

const badLink = new URL("bad_link.py", import.meta.url)

const execute = (command: ReadonlyArray<string>, input?: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const [file = "", ...args] = command
    const child = execFile(file, args, { timeout: 20_000 }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${command.join(" ")}: ${error.message} ${stderr}`))
    )
    child.stdin?.end(input)
  })

/** What a node in a namespace needs to know: it is found, and reached, on every interface. */
const open = {
  FERAL_SYNC_HOST: "::",
  FERAL_SYNC_PORT: "9090",
  FERAL_SYNC_MDNS: "on"
} as const

/** A process in a namespace, and what it has written. */
export class Program {
  output = ""
  readonly process: ChildProcess
  /** Done when the process is. */
  readonly ended: Promise<unknown>

  constructor(command: ReadonlyArray<string>) {
    const [file = "", ...args] = command
    // A group of its own, so that what it starts ends with it.
    this.process = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], detached: true })
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.output += text))
    }
    this.ended = new Promise((resolve) => this.process.once("exit", resolve).once("error", resolve))
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const { pid, exitCode, signalCode } = this.process
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, signal)
    await this.ended
  }
}

/** A host: a namespace. */
export class Host {
  readonly name: string
  /** Goes before a command that is to run there. */
  readonly enter: ReadonlyArray<string>
  private readonly lab: Lab

  constructor(lab: Lab, name: string) {
    this.lab = lab
    this.name = name
    this.enter = ["ip", "netns", "exec", name]
  }

  ip(...args: ReadonlyArray<string>): Promise<string> {
    return execute(["ip", "-n", this.name, ...args])
  }

  run(...command: ReadonlyArray<string>): Promise<string> {
    return execute([...this.enter, ...command])
  }

  /** Sets the rules of the packet filter, which replace those that were there. */
  async filter(...rules: ReadonlyArray<string>): Promise<void> {
    const chains = ["input", "output"].map((hook) => `chain ${hook} {\ntype filter hook ${hook} priority 0\n}`)
    const text = `table inet lab {\n${chains.join("\n")}\n}\nflush table inet lab\n`
    await execute([...this.enter, "nft", "-f", "-"], text + rules.map((rule) => `add rule inet lab ${rule}\n`).join(""))
  }

  /** Names that are known on this host alone. */
  names(lines: ReadonlyArray<string>): void {
    writeFileSync(`/etc/netns/${this.name}/hosts`, ["127.0.0.1 localhost", ...lines, ""].join("\n"))
  }

  /** A node, not started yet. */
  node(env: Readonly<Record<string, string>> = {}): Node {
    return this.lab.nodes.make({ ...open, ...env }, this.enter)
  }

  start(...command: ReadonlyArray<string>): Program {
    return this.lab.keep(new Program([...this.enter, ...command]))
  }
}

/** A network: a bridge that joins hosts. Its addresses are 10.77.<number>.<host>. */
export class Lan {
  readonly number: number
  readonly bridge: Host
  private ports = 0
  private readonly lab: Lab

  constructor(lab: Lab, number: number, bridge: Host) {
    this.lab = lab
    this.number = number
    this.bridge = bridge
  }

  /** Plugs a host in: it gets an interface, an address, and a route to everywhere, as a host in a house has. */
  async plug(host: Host, device = "eth0"): Promise<string> {
    const port = ++this.ports
    const address = `10.77.${this.number}.${port}`
    await this.bridge.ip("link", "add", `p${port}`, "type", "veth", "peer", "name", device, "netns", host.name)
    await this.bridge.ip("link", "set", `p${port}`, "master", "br0", "up")
    await host.ip("address", "add", `${address}/24`, "dev", device)
    await host.ip("link", "set", device, "up")
    await host.ip("route", "replace", "default", "via", `10.77.${this.number}.254`, "dev", device)
    return address
  }

  /** A host that is plugged in here. */
  async host(): Promise<Host & { readonly address: string; readonly port: string }> {
    const host = await this.lab.host()
    const address = await this.plug(host)
    return Object.assign(host, { address, port: `p${this.ports}` })
  }

  /** Pulls or plugs a cable at the side of the bridge, which the host sees as one that is not there. */
  async cable(port: string, state: "up" | "down"): Promise<void> {
    await this.bridge.ip("link", "set", port, state)
  }

  /** Joins the hosts from now on by a link that delays every frame, and loses some (percent). */
  async degrade(delayMs: number, loss: number): Promise<void> {
    const ports = Array.from({ length: this.ports }, (_, index) => `p${index + 1}`)
    for (const port of ports) await this.strand(port)
    const link = this.bridge.start("python3", fileURLToPath(badLink), `${delayMs}`, `${loss}`, "1", ...ports)
    const isReady = async () => link.output
    await until("the link is there", isReady, (output) => output.includes("ready"))
  }

  /** Takes a port out of the bridge, which the host does not see. */
  async strand(port: string): Promise<void> {
    await this.bridge.ip("link", "set", port, "nomaster")
  }

  async rejoin(port: string): Promise<void> {
    await this.bridge.ip("link", "set", port, "master", "br0")
  }
}

/** All the networks of a test. */
export class Lab {
  readonly nodes = new Nodes()
  private readonly prefix = `fs-${randomBytes(4).toString("hex")}`
  private readonly namespaces: Array<string> = []
  private readonly programs: Array<Program> = []
  private lans = 0

  async host(): Promise<Host> {
    const name = `${this.prefix}-${this.namespaces.length}`
    await execute(["ip", "netns", "add", name])
    this.namespaces.push(name)
    const host = new Host(this, name)
    // Files here lie over those of /etc for the processes of the namespace.
    mkdirSync(`/etc/netns/${name}`, { recursive: true })
    host.names([])
    await host.ip("link", "set", "lo", "up")
    // Link-local addresses are there at once, without a second of asking whether somebody has them.
    await host.run("sh", "-c", "for of in all default; do echo 0 > /proc/sys/net/ipv6/conf/$of/accept_dad; done")
    return host
  }

  async lan(): Promise<Lan> {
    const bridge = await this.host()
    await bridge.ip("link", "add", "br0", "type", "bridge")
    await bridge.ip("link", "set", "br0", "up")
    return new Lan(this, ++this.lans, bridge)
  }

  keep(program: Program): Program {
    this.programs.push(program)
    return program
  }

  async dispose(): Promise<void> {
    await Promise.allSettled(this.programs.map((program) => program.stop("SIGKILL")))
    await Promise.allSettled([this.nodes.dispose()])
    await Promise.allSettled(this.namespaces.map((name) => execute(["ip", "netns", "delete", name])))
    for (const name of this.namespaces) rmSync(`/etc/netns/${name}`, { recursive: true, force: true })
  }
}
