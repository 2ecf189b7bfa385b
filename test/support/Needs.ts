/**
 * What some tests need of the machine beyond Node and npm. A person who lacks it runs all other tests, and is told once what
 * was left out. Continuous integration lacks nothing: there a missing requirement is an error.
 */
import { spawnSync } from "node:child_process"

const succeeds = (command: string, ...args: ReadonlyArray<string>) =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0
const program = (name: string) => () => succeeds("sh", "-c", `command -v ${name}`)
const python = (module: string) => () => succeeds("/usr/bin/python3", "-c", `import ${module}`)

/** Each requirement: the Debian package that brings it, where there is one, and how to see that it is there. */
const requirements = {
  root: { package: undefined, isThere: () => process.getuid?.() === 0 },
  "avahi-daemon": { package: "avahi-daemon", isThere: program("avahi-daemon") },
  "avahi-browse": { package: "avahi-utils", isThere: program("avahi-browse") },
  chromium: { package: "chromium", isThere: program("chromium") },
  "dbus-daemon": { package: "dbus", isThere: program("dbus-daemon") },
  faketime: { package: "faketime", isThere: program("faketime") },
  ip: { package: "iproute2", isThere: program("ip") },
  less: { package: "less", isThere: program("less") },
  nft: { package: "nftables", isThere: program("nft") },
  openssl: { package: "openssl", isThere: program("openssl") },
  promtool: { package: "prometheus", isThere: program("promtool") },
  python3: { package: "python3", isThere: python("sqlite3") },
  registry: {
    package: undefined,
    isThere: () => succeeds("npm", "ping", "--fetch-timeout=20000", "--fetch-retries=1")
  },
  setpriv: { package: "util-linux", isThere: program("setpriv") },
  "systemd-analyze": { package: "systemd", isThere: program("systemd-analyze") },
  "systemd-notify": { package: "systemd", isThere: program("systemd-notify") },
  unshare: { package: "util-linux", isThere: program("unshare") },
  websockets: { package: "python3-websockets", isThere: python("websockets") },
  zeroconf: { package: "python3-zeroconf", isThere: python("zeroconf") }
} as const
export type Requirement = keyof typeof requirements

const known = new Map<Requirement, boolean>()
const isThere = (name: Requirement): boolean => {
  const found = known.get(name) ?? requirements[name].isThere()
  known.set(name, found)
  return found
}

/** Whether one of these is missing, so that a test has to be left out: `describe.skipIf(needs("root", "nft"))`. */
export const needs = (...names: ReadonlyArray<Requirement>): boolean => {
  const missing = names.filter((name) => !isThere(name))
  if (missing.length > 0 && process.env["CI"] !== undefined) throw new Error(`this machine lacks ${missing.join(", ")}`)
  return missing.length > 0
}

/** What is missing on this machine, in words, and how to get it; nothing when all is there. */
export const missing = (): string | undefined => {
  const names = (Object.keys(requirements) as ReadonlyArray<Requirement>).filter((name) => !isThere(name))
  const packages = [...new Set(names.flatMap((name) => requirements[name].package ?? []))]
  const wants = [
    ...(names.includes("root") ? ["root"] : []),
    ...(names.includes("registry") ? ["the registry of npm"] : []),
    ...(packages.length > 0 ? [`the Debian packages ${packages.join(", ")}`] : [])
  ]
  return wants.length === 0 ? undefined : wants.join(" and ")
}
