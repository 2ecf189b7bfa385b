/** Failures in words. */
export interface Explained {
  readonly problem: string
  readonly nextStep: string | undefined
}

/** A failure where there is always something to do. */
export interface Advised extends Explained {
  readonly nextStep: string
}

/**
 * A failure in one line: what the problem is, and what to do next. The two are joined here, and nowhere read apart
 * again.
 */
export const messageOf = ({ problem, nextStep }: Explained, joint: "; " | ": " = "; "): string =>
  nextStep === undefined ? problem : `${problem}${joint}${nextStep}`

/** `1 row`, `2 rows`. */
export const counted = (count: number, singular: string, plural = `${singular}s`): string =>
  `${count} ${count === 1 ? singular : plural}`

/** The first three names of so many. */
export const some = (names: ReadonlyArray<string>, count = names.length): string =>
  `${names.slice(0, 3).join(", ")}${count > 3 ? ", …" : ""}`

/** `1.5 kB`, `2.0 MB`. */
export const sizeOf = (bytes: number): string =>
  bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
