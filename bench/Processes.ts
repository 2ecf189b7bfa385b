/** What a process has used, as Linux tells. */
import { readFileSync } from "node:fs"

const field = (pid: number, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

/** Resident memory now, and at its most (MiB). */
export const residentMib = (pid: number): number => field(pid, "VmRSS")
export const peakMib = (pid: number): number => field(pid, "VmHWM")

/** Processor time so far, of all threads (ms). */
export const cpuMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  // In ticks of a hundredth of a second: user, then system.
  return (Number(fields[11]) + Number(fields[12])) * 10
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
