/**
 * Notices that files changed, and waits until they have come to rest.
 *
 * It looks at the files from time to time. The system's own notices miss what matters here: a directory that a link is
 * turned away from (as Kubernetes does), and all that happens on a network mount. A look at three files costs
 * microseconds, and also sees a file that is written over, replaced by renaming, or behind a link that was turned.
 */
import { type Duration, Effect, FileSystem, Option } from "effect"

/** What files looked like: equal texts, equal files. */
export const look = Effect.fnUntraced(function* (paths: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const seen = yield* Effect.forEach(paths, (path) =>
    fs.stat(path).pipe(
      Effect.map(({ dev, ino, size, mode, mtime }) => {
        const at = Option.getOrUndefined(mtime)?.getTime()
        return [dev, Option.getOrUndefined(ino), size, mode, at].join(" ")
      }),
      Effect.catch(({ reason }) => Effect.succeed(reason._tag))
    )
  )
  return seen.join("\n")
})

/**
 * Runs `take` when the files are no longer as they were at `first` and did not change between two looks; again and
 * again while it says that it could not take them.
 */
export const follow = Effect.fnUntraced(function* <R>(
  options: { readonly paths: ReadonlyArray<string>; readonly first: string; readonly every: Duration.Input },
  take: Effect.Effect<boolean, never, R>
) {
  let taken: string | undefined = options.first
  let last = options.first
  while (true) {
    yield* Effect.sleep(options.every)
    const now = yield* look(options.paths)
    if (now === last && now !== taken) taken = (yield* take) ? now : undefined
    last = now
  }
})
