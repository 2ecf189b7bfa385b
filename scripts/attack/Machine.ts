/** What a process of this machine uses. Linux. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { getPriority, setPriority } from "node:os"

/** CPU time of a process since it began (ms), in steps of 10. */
export const cpuMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  // The name of the program comes second, in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Resident memory of a process (MiB). */
export const residentMib = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

/** Where a session has a group of its own in the scheduler, a priority counts among its processes alone, and the group has one. */
const group = "/proc/self/autogroup"

const wanted = -15

/**
 * Runs something that has the CPU before others of this machine, with the processes that it starts: what is measured is the
 * program and not its neighbours. Takes root; without it, or elsewhere than on Linux, it runs like everything else.
 */
export const measuring = async <A>(run: () => Promise<A>): Promise<A> => {
  const before = getPriority()
  const set = (own: number, ofGroup: number) => {
    try {
      setPriority(own)
      if (existsSync(group)) writeFileSync(group, String(ofGroup))
    } catch {
      // Not allowed.
    }
  }
  set(wanted, wanted)
  try {
    return await run()
  } finally {
    set(before, 0)
  }
}
