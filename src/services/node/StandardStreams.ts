/**
 * The standard streams of this process.
 *
 * A text that is written leaves whole, or the writer gets the error. Node's own stream for a file takes a write that
 * the system cut short for a whole one, so files and devices are written here without it.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Context, Effect, Schema, type Stream } from "effect"
import { fstatSync, writeSync } from "node:fs"
import { isatty } from "node:tty"
import { getSystemErrorMessage } from "node:util"

/** A standard stream cannot be written or read. `code` is the one of the system. */
export class StreamFailed extends Schema.TaggedError<StreamFailed>()("StreamFailed", {
  code: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }

  /** Whether the reader of a pipe has closed it: it has all that it wanted. A socket says it in its own way. */
  get isReaderGone(): boolean {
    return this.code === "EPIPE" || this.code === "ECONNRESET"
  }
}

export interface StandardStreams {
  /** Writes to standard output, and waits until the text has left. */
  readonly output: (text: string) => Effect.Effect<void, StreamFailed>
  /** Writes to standard error, and waits until the text has left. */
  readonly error: (text: string) => Effect.Effect<void, StreamFailed>
  readonly input: Stream.Stream<Uint8Array, StreamFailed>
}

type Descriptor = 1 | 2

/** The result of a write. `isCut`: a part of the text was written. */
export interface Sent {
  readonly failure: StreamFailed | undefined
  readonly isCut: boolean
}

/** Bytes that may wait for the reader of a pipe, when the writer does not wait for it. */
const maxWaiting = 1024 * 1024

/** Writes without waiting. `done` is called once. The text that waits for a slow reader is bounded. */
export const send = (descriptor: Descriptor, text: string, done: (sent: Sent) => void): void => {
  try {
    if (isWrittenDirectly(descriptor)) return done(sendDirectly(descriptor, text))
  } catch (error) {
    return done({ failure: failure(error), isCut: false })
  }
  const stream = descriptor === 1 ? process.stdout : process.stderr
  if (stream.writableLength > maxWaiting) {
    return done({ failure: new StreamFailed({ code: "EAGAIN", detail: "its reader does not keep up" }), isCut: false })
  }
  // The event of an error comes after the call below, and ends a process that does not listen.
  if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore)
  stream.write(text, (error) =>
    done({ failure: error === null || error === undefined ? undefined : failure(error), isCut: false })
  )
}

const ignore = () => undefined

const isWrittenDirectly = (descriptor: Descriptor): boolean => {
  const status = fstatSync(descriptor)
  return status.isFile() || status.isBlockDevice() || (status.isCharacterDevice() && !isatty(descriptor))
}

const sendDirectly = (descriptor: Descriptor, text: string): Sent => {
  const bytes = Buffer.from(text)
  let written = 0
  try {
    while (written < bytes.length) written += writeSync(descriptor, bytes, written)
    return { failure: undefined, isCut: false }
  } catch (error) {
    return { failure: failure(error), isCut: written > 0 }
  }
}

const failure = (error: unknown): StreamFailed => {
  const has = typeof error === "object" && error !== null
  const code = has && "code" in error ? String(error.code) : "unknown"
  const number = has && "errno" in error ? Number(error.errno) : Number.NaN
  return new StreamFailed({
    code,
    detail: Number.isInteger(number)
      ? getSystemErrorMessage(number)
      : error instanceof Error
        ? error.message
        : String(error)
  })
}

const writer = (descriptor: Descriptor) => (text: string) =>
  Effect.callback<void, StreamFailed>((resume) =>
    send(descriptor, text, ({ failure }) => resume(failure === undefined ? Effect.void : Effect.fail(failure)))
  )

export const StandardStreams: Context.Reference<StandardStreams> = Context.Reference(
  "feral-sync/services/node/StandardStreams",
  {
    defaultValue: (): StandardStreams => ({
      output: writer(1),
      error: writer(2),
      input: NodeStream.fromReadable<Uint8Array, StreamFailed>({
        evaluate: () => process.stdin,
        onError: failure,
        chunkSize: 4
      })
    })
  }
)
