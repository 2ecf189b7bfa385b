import { assert, it } from "@effect/vitest"
import { ByteSize, Effect, Fiber, FileSystem, Option } from "effect"
import { TestClock } from "effect/testing"
import * as Changes from "../../../../src/services/transport/tls/Changes.ts"

/** A file that was last changed at `at()`. */
const fileChanged = (at: () => number) =>
  FileSystem.layerNoop({
    stat: () =>
      Effect.sync(() => ({
        type: "File",
        mtime: Option.some(new Date(at())),
        atime: Option.none(),
        birthtime: Option.none(),
        dev: 1n,
        ino: Option.none(),
        mode: 0o600,
        nlink: Option.none(),
        uid: Option.none(),
        gid: Option.none(),
        rdev: Option.none(),
        size: ByteSize.bytes(1),
        blksize: Option.none(),
        blocks: Option.none()
      }))
  })

it.effect("files are taken when they have come to rest, once; and again and again when they could not be", () => {
  let changedAt = 0
  let isGood = true
  let taken = 0
  return Effect.gen(function* () {
    const first = yield* Changes.look(["file"])
    const take = Effect.sync(() => {
      taken++
      return isGood
    })
    const following = yield* Changes.follow({ paths: ["file"], first, every: "1 second" }, take).pipe(
      Effect.forkChild({ startImmediately: true })
    )
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual(taken, 0)
    for (let second = 1; second <= 10; second++) {
      changedAt = second
      yield* TestClock.adjust("1 second")
      assert.strictEqual(taken, 0)
    }
    yield* TestClock.adjust("1 second")
    assert.strictEqual(taken, 1)
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual(taken, 1)

    isGood = false
    changedAt = 20
    yield* TestClock.adjust("11 seconds")
    assert.strictEqual(taken, 11)
    isGood = true
    yield* TestClock.adjust("10 seconds")
    assert.strictEqual(taken, 12)
    yield* Fiber.interrupt(following)
  }).pipe(Effect.provide(fileChanged(() => changedAt)))
})
