/**
 * What went to and came from each peer since this node started: plain numbers, which a session counts up as it goes.
 */

/** Totals of one peer. */
export interface Traffic {
  bytesReceived: number
  bytesSent: number
  operationsReceived: number
  operationsSent: number
  /** How often the rows differed although the clocks were equal, and how often that was repaired. */
  mismatches: number
  repairs: number
}

export const none = (): Traffic => ({
  bytesReceived: 0,
  bytesSent: 0,
  operationsReceived: 0,
  operationsSent: 0,
  mismatches: 0,
  repairs: 0
})

/** Adds `by` to `total`. */
export const add = (total: Traffic, by: Traffic): void => {
  total.bytesReceived += by.bytesReceived
  total.bytesSent += by.bytesSent
  total.operationsReceived += by.operationsReceived
  total.operationsSent += by.operationsSent
  total.mismatches += by.mismatches
  total.repairs += by.repairs
}

/** Peers whose totals are remembered. The one that was met longest ago goes first. */
export const kept = 1_024
