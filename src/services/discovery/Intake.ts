/**
 * How many packets are read: so many of each sender, and so many in all. A packet that is larger than a frame counts as
 * the frames that it fills, because the cost of reading grows with its size. Packets over the limit are dropped before
 * decoding, as a network drops packets; whatever matters in multicast DNS is said again.
 *
 * A node sends a few packets when it starts and one in a while after that, so the limits are far above what a network of honest
 * nodes needs, and far below what would keep this one busy. One sender that floods uses up its own share alone.
 */
import * as Pace from "../../core/peers/Pace.ts"

export const limits = {
  /** Packets of one sender. Where all nodes are on one host, as in tests, they are one sender. */
  sender: { burst: 128, every: 50 },
  all: { burst: 512, every: 5 },
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
  /** The one that was heard of longest ago is the first. */
  const senders = new Map<string, number>()
  let all: number = Pace.fresh
  return {
    takes: (sender, bytes, now) => {
      const frames = Math.ceil(bytes / limits.frame)
      const pace = senders.get(sender) ?? Pace.fresh
      if (Pace.readyAt(pace, limits.sender) > now || Pace.readyAt(all, limits.all) > now) return false
      all = Pace.after(all, limits.all, now, frames)
      senders.delete(sender)
      const oldest = senders.keys().next()
      if (senders.size >= limits.senders && !oldest.done) senders.delete(oldest.value)
      senders.set(sender, Pace.after(pace, limits.sender, now, frames))
      return true
    }
  }
}
