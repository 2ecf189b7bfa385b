/**
 * What happens in a memory, from its change feed: in a process of its own and in the node alike.
 *
 * Nothing is missed while the memory is away, or while a client is slow: the reader goes on where it was. Where it
 * cannot, it says that anything may have changed.
 */
import { Effect, Option, Schedule, type Scope, Stream } from "effect"
import type { Memory } from "../services/memory/Memory.ts"
import type { Event } from "./Reach.ts"

/** How long after the memory went away it is looked for again. */
const again = "1 second"

/** The events of the memory that is found. When it is away, it is looked for again. */
export const events = <E>(
  find: Effect.Effect<Option.Option<Pick<Memory["Service"], "feed">>, E, Scope.Scope>
): Stream.Stream<Event> =>
  Stream.suspend(() => {
    let since: string | undefined
    const eventsOf = ({ feed }: Pick<Memory["Service"], "feed">) =>
      Stream.concat(
        Stream.succeed<Event>({ _tag: "Watched" }),
        Stream.map(feed(since === undefined ? {} : { since }), (event): Event => {
          since = event.cursor
          return event._tag === "Reset" ? { _tag: "Watched" } : { _tag: "Changed", operations: event.operations }
        })
      )
    return Stream.unwrap(Effect.map(find, Option.match({ onNone: () => Stream.empty, onSome: eventsOf }))).pipe(
      Stream.catch(() => Stream.empty),
      Stream.repeat(Schedule.spaced(again))
    )
  })
