/** Generated mutants that change nothing that can be seen, each with the reason. */
export interface Explained {
  readonly file: string
  /** A part of the line that no other line of the file has with the same change. */
  readonly line: string
  readonly from: string
  readonly to: string
  readonly why: string
}

export const explained: ReadonlyArray<Explained> = []
