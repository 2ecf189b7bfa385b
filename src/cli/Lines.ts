/**
 * Cuts bytes into lines of text. At most one line of `maxBytes` is in memory; of a longer one, or one that is not
 * UTF-8, only its number is kept, with what is wrong with it. Empty lines are counted, and left out.
 */
export interface Line {
  /** The first one is 1. */
  readonly number: number
  readonly text: string
  readonly problem?: string
}

export interface Lines {
  /** The lines that end in these bytes. */
  push(bytes: Uint8Array): ReadonlyArray<Line>
  /** The last line, if it does not end. */
  end(): ReadonlyArray<Line>
}

const newline = 0x0a

export const make = (maxBytes: number): Lines => {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  let parts: Array<Uint8Array> = []
  let length = 0
  let number = 0

  const add = (bytes: Uint8Array) => {
    length += bytes.length
    if (length > maxBytes) parts = []
    else parts.push(bytes)
  }

  const finish = (): ReadonlyArray<Line> => {
    number++
    const bytes = Buffer.concat(parts)
    const isLong = length > maxBytes
    parts = []
    length = 0
    if (isLong) return [{ number, text: "", problem: `a line of more than ${maxBytes} bytes` }]
    try {
      const text = decoder.decode(bytes)
      return text.trim() === "" ? [] : [{ number, text }]
    } catch {
      return [{ number, text: "", problem: "not UTF-8" }]
    }
  }

  return {
    push: (bytes) => {
      const lines: Array<Line> = []
      let start = 0
      for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
        add(bytes.subarray(start, end))
        lines.push(...finish())
        start = end + 1
      }
      if (start < bytes.length) add(bytes.subarray(start))
      return lines
    },
    end: () => (length === 0 ? [] : finish())
  }
}
