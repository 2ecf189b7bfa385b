/** Texts of others in the answers of the interface. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import * as Printed from "../../../../src/services/admin/api/Printed.ts"

const hostile = { text: "\u009b31m \u202egnp \u007f \u001b[2J ü 漢 😀", lines: "one\ntwo" }
const printed = (response: HttpServerResponse.HttpServerResponse) =>
  Effect.promise(() => HttpServerResponse.toWeb(Printed.response(response)).text())

describe("what the interface sends", () => {
  const answers: ReadonlyArray<readonly [string, HttpServerResponse.HttpServerResponse]> = [
    ["in one piece", HttpServerResponse.jsonUnsafe(hostile, { status: 404, headers: { "x-kept": "1" } })],
    [
      "as a stream",
      HttpServerResponse.stream(
        // Cut anywhere, within a character as well.
        Stream.fromIterable(
          Array.from(new TextEncoder().encode(`${JSON.stringify(hostile)}\n`), (byte) => Uint8Array.of(byte))
        ),
        { contentType: "application/x-ndjson", status: 404, headers: { "x-kept": "1" } }
      )
    ]
  ]
  for (const [how, answer] of answers) {
    it.effect(`steers no terminal, and means the same: ${how}`, () =>
      Effect.gen(function* () {
        const text = yield* printed(answer)
        assert.notMatch(text.replaceAll("\n", ""), /[\p{Cc}\p{Cf}]/u)
        assert.deepStrictEqual(JSON.parse(text), hostile)
        const { status, headers } = Printed.response(answer)
        assert.deepStrictEqual([status, headers["x-kept"]], [404, "1"])
      })
    )
  }

  it.effect("is left alone where it is no JSON", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* printed(HttpServerResponse.text("a\u00adb\n")), "a\u00adb\n")
    })
  )
})
