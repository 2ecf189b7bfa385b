/**
 * The times, sizes and counts of a session.
 */

/** Times of the protocol, in milliseconds. */
export const times = {
  /** From the connection to the end of the handshake. */
  handshake: 10_000,
  /** Silence after which we ask for a sign of life, and after which the peer is given up. */
  ping: 15_000,
  timeout: 40_000,
  /** How long an operation of a third party waits for news that the peer has it from elsewhere. */
  relay: 300,
  /** How long it waits at most while the peer has not acknowledged what it was sent: in a crowd, news comes late. */
  relayBusy: 5_000,
  /** How long frames are gathered for one commit at most, while more of them come all the time. */
  gather: 10,
  /** How long progress made elsewhere waits before it is told, so that many commits make one message. */
  announce: 100,
  /** Between two messages about writes that a node waits for. */
  relayed: 1_000,
  /** Until a commit that was not possible is tried again: this, and twice as long each time. */
  retry: { first: 1_000, cap: 30_000 },
  /** Between two pieces of rows that are compared, so that other work goes on. */
  slice: 4,
  /** How long a difference between rows that no clock covers must last: nothing tells what is still under way. */
  uncovered: 3_000,
  /** Between two dialogues about the same difference: this, and twice as long each time. */
  repair: 30_000,
  /** Between two dialogues in any case. */
  repairAgain: 5_000,
  /**
   * How long a difference that is explained must last until rows are compared all the same: this, twice as long each
   * time, at most.
   */
  explained: { first: 60_000, cap: 3_600_000 }
} as const

/**
 * Characters of frames that are committed together, and their number: enough to share what a commit costs, and few
 * enough that it does not keep others waiting.
 */
export const commitSize = 1024 * 1024
export const commitFrames = 16

/** Characters of frames that wait to be committed: the credit, and the largest frame besides. */
export const waitingSize = 16 * 1024 * 1024

/** The credit: bytes and frames in flight without an acknowledgement. */
export interface Credit {
  readonly bytes: number
  readonly frames: number
}

/** The credit of every node, which all that receive make room for. Less of it can be used. */
export const credit: Credit = { bytes: 4 * 1024 * 1024, frames: 256 }

/** How long new origins that were left out wait at least, and at most, and the time for each of them (ms). */
export const leftOutWait = { least: 60_000, most: 3_600_000, each: 100 } as const

/** Frames in a row that carry nothing, which a peer may send. */
export const emptyFrames = 16

/** Origins that one read asks for at most. */
export const originsPerRead = 256

/** Room for the envelope of a frame of operations. */
export const envelopeBytes = 1_024

/** A time of a session, if there is one, when all of them are moved by `by` (ms). */
export const movedBy = (time: number | undefined, by: number): number | undefined =>
  time === undefined ? undefined : time + by
