/**
 * Which process listens on a TCP port of this machine. Linux alone tells, and only of the processes of this user.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs"

export interface Owner {
  readonly pid: number
  /** The words of its command line. */
  readonly words: ReadonlyArray<string>
  /** The directory in which it runs: its relative paths are meant there. Empty when it cannot be known. */
  readonly directory: string
  /** A variable of the environment that it was started with. */
  readonly variable: (name: string) => string | undefined
}

/** Processes that are looked at. */
const most = 10_000

/** The process that listens on `port`; none when that cannot be known. */
export const of = (port: number): Owner | undefined => {
  try {
    const sockets = new Set(["tcp", "tcp6"].flatMap((table) => listening(table, port)))
    if (sockets.size === 0) return undefined
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name))
    const pid = pids.slice(0, most).find((pid) => holds(pid, sockets))
    if (pid === undefined) return undefined
    const environment = textsOf(`/proc/${pid}/environ`)
    return {
      pid: Number(pid),
      words: textsOf(`/proc/${pid}/cmdline`).filter((word) => word !== ""),
      directory: linkOf(`/proc/${pid}/cwd`),
      variable: (name) => environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1)
    }
  } catch {
    return undefined
  }
}

/** The sockets that listen on the port, as `/proc/<pid>/fd` names them. */
const listening = (table: string, port: number): ReadonlyArray<string> => {
  const end = `:${port.toString(16).toUpperCase().padStart(4, "0")}`
  try {
    return readFileSync(`/proc/net/${table}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => local?.endsWith(end) === true && state === "0A")
      .map((fields) => `socket:[${fields[9]}]`)
  } catch {
    return []
  }
}

const holds = (pid: string, sockets: ReadonlySet<string>): boolean => {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.has(linkOf(`/proc/${pid}/fd/${fd}`)))
  } catch {
    return false
  }
}

/** The texts of a file that has a null character after each. */
const textsOf = (path: string): ReadonlyArray<string> => {
  try {
    return readFileSync(path, "utf8").split("\0")
  } catch {
    return []
  }
}

const linkOf = (path: string): string => {
  try {
    return readlinkSync(path)
  } catch {
    return ""
  }
}
