/** Failures in words. */
export interface Explained {
  readonly problem: string
  readonly nextStep: string | undefined
}

/** A failure in one line: what the problem is, and what to do next. */
export const messageOf = ({ problem, nextStep }: Explained): string =>
  nextStep === undefined ? problem : `${problem}; ${nextStep}`

/** `1 row`, `2 rows`. */
export const counted = (count: number, singular: string, plural = `${singular}s`): string =>
  `${count} ${count === 1 ? singular : plural}`

/** The first three names of so many. */
export const some = (names: ReadonlyArray<string>, count = names.length): string =>
  `${names.slice(0, 3).join(", ")}${count > 3 ? ", …" : ""}`

/** `1.5 kB`, `2.0 MB`. */
export const sizeOf = (bytes: number): string =>
  bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
