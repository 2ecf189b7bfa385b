/**
 * The candidates that came last and have not been dialled yet. Half of the dials of a lane go to the newest candidate,
 * half to the one that has waited longest. So a node that appears after a flood of invented ones does not wait until
 * all of those were dialled.
 *
 * A bounded number is remembered, the ones that came last.
 */
export type Newcomers =
  | {
      readonly key: string
      readonly cameAt: number
      readonly before: Newcomers
      readonly depth: number
    }
  | undefined

const most = 256

/** Adds the newest. */
export const add = (newcomers: Newcomers, key: string, cameAt: number): Newcomers => {
  const depth = (newcomers?.depth ?? 0) + 1
  return depth > most ? { key, cameAt, before: undefined, depth: 1 } : { key, cameAt, before: newcomers, depth }
}

/** The newest candidates for which `isNew` holds. */
export const from = (newcomers: Newcomers, isNew: (key: string, cameAt: number) => boolean): Newcomers => {
  let top = newcomers
  while (top !== undefined && !isNew(top.key, top.cameAt)) top = top.before
  return top
}
