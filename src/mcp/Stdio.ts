/**
 * The server as a process of its own, for a client that started it and talks to it over standard input and output.
 *
 * Nothing but the protocol goes to standard output. It ends when the input ends, when its output is not read any more,
 * and when the process that started it is gone.
 */
import { Deferred, Effect, Exit, Layer, Option, Sink, Stream } from "effect"
import { escapeInLines } from "../core/text/Printable.ts"
import * as Stdio from "effect/Stdio"
import { StandardStreams, type StreamFailed } from "../services/node/StandardStreams.ts"
import * as Lines from "./JsonRpcLines.ts"
import type { Reach } from "./Reach.ts"
import * as Server from "./McpServer.ts"

/** Time for calls under way once the input has ended. */
const grace = "700 millis"

/**
 * How often it is looked whether the parent is there. Its death ends the input too, unless another process has the
 * pipe.
 */
const parentEvery = "500 millis"

/** Serves until the client is gone. Fails when the output takes no more. */
export const serve = Effect.fnUntraced(function* (
  options: Server.Options
): Effect.fn.Return<void, StreamFailed, Reach> {
  const inputEnded = yield* Deferred.make<void>()
  const readerGone = yield* Deferred.make<void, StreamFailed>()
  const watched = yield* Deferred.make<void>()
  const stdio = yield* streams({ inputEnded, readerGone, watched })
  const served = Layer.launch(Server.layerStdio({ ...options, isWatched: Deferred.await(watched) })).pipe(
    Effect.provideService(Stdio.Stdio, stdio),
    // The protocol interrupts itself when it has answered everything after the end of the input.
    Effect.exit
  )
  yield* Effect.raceFirst(
    served,
    Effect.raceFirst(
      Effect.andThen(Deferred.await(inputEnded), Effect.sleep(grace)),
      Effect.raceFirst(Deferred.await(readerGone), parentGone)
    )
  )
})

type Signal = Deferred.Deferred<void>

/** A client that asks for resources wants to know of changes. For all others the node sends nothing. */
const isWatching = (message: string): boolean => /"method"\s*:\s*"(resources|subscriptions)\//.test(message)

const streams = Effect.fnUntraced(function* ({
  inputEnded,
  readerGone,
  watched
}: Readonly<Record<"inputEnded" | "watched", Signal>> & {
  readonly readerGone: Deferred.Deferred<void, StreamFailed>
}) {
  const { input, output } = yield* StandardStreams
  const write = (text: string | Uint8Array) =>
    output(escapeInLines(typeof text === "string" ? text : Buffer.from(text).toString("utf8"))).pipe(
      Effect.catch((failure) =>
        Effect.asVoid(Deferred.done(readerGone, failure.isReaderGone ? Exit.void : Exit.fail(failure)))
      )
    )
  const splitter = new Lines.Splitter()
  /** The message of a line, for the protocol; nothing when it was answered here. */
  const taken = Effect.fnUntraced(function* (line: Option.Option<Uint8Array>) {
    const read = Option.match(line, { onNone: () => Lines.tooLong, onSome: Lines.read })
    if (read._tag === "Refused") yield* write(`${read.answer}\n`)
    if (read._tag === "Message" && isWatching(read.text)) yield* Deferred.succeed(watched, undefined)
    return read._tag === "Message" ? [Buffer.from(`${read.text}\n`)] : []
  })
  return Stdio.make({
    args: Effect.succeed([]),
    stdin: input.pipe(
      // Nothing can be read any more: that is the end, too.
      Stream.catch(() => Stream.empty),
      Stream.map((bytes) => splitter.push(bytes)),
      Stream.concat(Stream.sync(() => [splitter.take()])),
      Stream.flattenIterable,
      Stream.mapEffect(taken),
      Stream.flattenIterable,
      Stream.ensuring(Deferred.succeed(inputEnded, undefined))
    ),
    stdout: () => Sink.forEach(write),
    stderr: () => Sink.drain
  })
})

/** The parent is another one when the first has died. */
const parentGone = Effect.suspend(() => {
  const parent = process.ppid
  return Effect.sleep(parentEvery).pipe(Effect.repeat({ until: () => process.ppid !== parent }))
})
