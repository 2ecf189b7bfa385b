/** Times in words. */

const day = 86_400

/** Seconds in the greatest unit that fits: `4 s`, `3 min`, `2 h`, `5 d`. */
export const duration = (seconds: number): string =>
  seconds < 60
    ? `${Math.min(59, Math.round(seconds))} s`
    : seconds < 3600
      ? `${Math.floor(seconds / 60)} min`
      : seconds < day
        ? `${Math.floor(seconds / 3600)} h`
        : `${Math.floor(seconds / day)} d`
