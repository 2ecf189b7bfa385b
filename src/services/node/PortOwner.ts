/**
 * Which process listens on a TCP port of this machine. Linux alone tells, and only of the processes of this user.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs"

export interface Owner {
  readonly pid: number
  /** The words of its command line. */
  readonly words: ReadonlyArray<string>
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
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")
    return { pid: Number(pid), words: words.filter((word) => word !== "") }
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

const linkOf = (path: string): string => {
  try {
    return readlinkSync(path)
  } catch {
    return ""
  }
}
