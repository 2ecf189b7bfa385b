/**
 * How many packets are read: so many of each sender, and so many in all. A packet that is larger than a frame counts as
 * the frames that it fills, because the cost of reading grows with its size. Packets over the limit are dropped before
 * decoding, as a network drops packets; whatever matters in multicast DNS is said again.
 *
 * A node sends a few packets when it starts and one in a while after that. What a sender sends within that has a budget
 * of its own, so that senders that flood do not crowd it out. The limits are far above what a network of honest nodes
 * needs, and far below what would keep this one busy. One sender that floods uses up its own share alone.
 */
import * as Oldest from "../../core/peers/Oldest.ts"
import * as Pace from "../../core/peers/Pace.ts"

export const limits = {
  /** Of senders that send little. */
  quiet: { sender: { burst: 16, every: 1_000 }, all: { burst: 256, every: 10 } },
  /** Beyond that. Where all nodes are on one host, as in tests, they are one sender. */
  busy: { sender: { burst: 128, every: 50 }, all: { burst: 256, every: 20 } },
  /** Bytes of a frame. */
  frame: 1_500,
  /** Senders that are remembered. */
  senders: 1_024
} as const

export interface Intake {
  /** Whether a packet of so many bytes that came at `now` (ms) is read. */
  takes(sender: string, bytes: number, now: number): boolean
}

export const make = (): Intake => {
  const budgets = [budget(limits.quiet), budget(limits.busy)]
  return {
    takes: (sender, bytes, now) => {
      const frames = Math.ceil(bytes / limits.frame)
      return budgets.some((takes) => takes(sender, frames, now))
    }
  }
}

type Limits = { readonly sender: Pace.Limit; readonly all: Pace.Limit }

const budget = (limit: Limits): ((sender: string, frames: number, now: number) => boolean) => {
  /** The one that was heard of longest ago is the first. */
  const senders = new Map<string, number>()
  let all: number = Pace.fresh
  return (sender, frames, now) => {
    const pace = senders.get(sender) ?? Pace.fresh
    if (Pace.readyAt(pace, limit.sender) > now || Pace.readyAt(all, limit.all) > now) return false
    all = Pace.after(all, limit.all, now, frames)
    Oldest.set(senders, sender, Pace.after(pace, limit.sender, now, frames), limits.senders)
    return true
  }
}
