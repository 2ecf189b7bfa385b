/** Whatever comes over a WebSocket, it gets the close that it deserves, and the port goes on. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, type Scope } from "effect"
import { deflateRawSync } from "node:zlib"
import { limits } from "../../../src/core/sync/Wire.ts"
import { attack, closing, form2, frame } from "../../support/RawWebSocket.ts"
import { drain, nextText, reception, webSocket } from "../../support/Transports.ts"

const maxRecvBytes = 8 * 1024 * 1024
const first = frame({ payload: "{}" })
const chunk = Buffer.alloc(65_536, "x")

const endless = function* (...frames: ReadonlyArray<Buffer>) {
  for (;;) yield* frames
}
const then = function* (...parts: ReadonlyArray<Iterable<Buffer>>) {
  for (const part of parts) yield* part
}

/** What comes, and the code of the close; none where the connection just ends. */
type Case = readonly [name: string, frames: Iterable<Buffer>, code: number | undefined]

const violations: ReadonlyArray<Case> = [
  ["a frame without a mask", [frame({ payload: "{}", isMasked: false })], 1002],
  ["an HTTP request", [Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")], 1002],
  ...[1, 2, 4, 7].map((reserved): Case => [
    `reserved bits ${reserved.toString(2)}`,
    [frame({ payload: "{}", reserved })],
    1002
  ]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): Case => [`opcode ${opcode}`, [frame({ opcode })], 1002]),
  ["a reserved bit on a ping", [frame({ opcode: 9, reserved: 4 })], 1002],
  ...[8, 9, 10].map((opcode): Case => [
    `control frame ${opcode} in fragments`,
    [frame({ opcode, isFinal: false })],
    1002
  ]),
  ...[8, 9, 10].map((opcode): Case => [
    `control frame ${opcode} of 126 bytes`,
    [frame({ opcode, payload: Buffer.alloc(126, 3) })],
    1002
  ]),
  ["a close of one byte", [frame({ opcode: 8, payload: "x" })], 1002],
  ...[0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535].map((code): Case => [
    `a close with code ${code}`,
    [frame({ opcode: 8, payload: closing(code) })],
    1002
  ]),
  ["a close with a reason that is no UTF-8", [frame({ opcode: 8, payload: closing(1000, Buffer.from([0xff])) })], 1007],
  ["a continuation of nothing", [frame({ opcode: 0, payload: "x" })], 1002],
  ["a message in the middle of another", [frame({ payload: "a", isFinal: false }), frame({ payload: "b" })], 1002],
  ...(
    [
      ["a byte that never occurs", [0xff]],
      ["an overlong form", [0xc0, 0xaf]],
      ["half of a surrogate pair", [0xed, 0xa0, 0x80]],
      ["a code point past the last", [0xf4, 0x90, 0x80, 0x80]],
      ["a character cut off", [0xe2, 0x82]]
    ] as const
  ).map(([name, bytes]): Case => [`text that is no UTF-8: ${name}`, [frame({ payload: Buffer.from(bytes) })], 1007]),
  [
    "text that is no UTF-8 across fragments",
    [frame({ payload: Buffer.from([0xe2, 0x82]), isFinal: false }), frame({ opcode: 0, payload: Buffer.from([0x28]) })],
    1007
  ],
  ["a binary message", [frame({ opcode: 2, payload: "{}" })], 1003],
  ["a binary message of nothing", [frame({ opcode: 2 })], 1003],
  ["a claim of one byte too many", [frame({ length: BigInt(maxRecvBytes + 1) })], 1009],
  ["a claim of 2^53 bytes", [frame({ length: 1n << 53n })], 1009],
  ["a claim of 2^64 - 1 bytes", [frame({ length: (1n << 64n) - 1n })], 1009],
  [
    "fragments that are together too long",
    then(
      [first, frame({ payload: chunk, isFinal: false })],
      endless(frame({ opcode: 0, payload: chunk, isFinal: false }))
    ),
    1009
  ],
  [
    "fragments without end and of no length",
    then([first, frame({ isFinal: false })], endless(frame({ opcode: 0, isFinal: false }))),
    1008
  ],
  ["a greeting without end", then([frame({ length: BigInt(maxRecvBytes) })], endless(chunk)), 1009],
  ["pings without end in place of a greeting", endless(frame({ opcode: 9, payload: Buffer.alloc(125) })), 1009],
  ["pongs without end in place of a greeting", endless(frame({ opcode: 10, payload: Buffer.alloc(125) })), 1009]
]

/** What looks odd and is allowed. */
const oddities: ReadonlyArray<Case> = [
  ["a close", [frame({ opcode: 8, payload: closing(1000) })], 1000],
  ["a close with a code of its own", [frame({ opcode: 8, payload: closing(4400, "why") })], 4400],
  ["a close without a code", [frame({ opcode: 8 })], 1005],
  ["a close, and then more", [frame({ opcode: 8, payload: closing(1000) }), frame({ payload: "{}" }), chunk], 1000],
  [
    "a ping in the middle of a message",
    [
      frame({ payload: "{", isFinal: false }),
      frame({ opcode: 9, payload: "?" }),
      frame({ opcode: 0, payload: "}" }),
      frame({ opcode: 8, payload: closing(1001) })
    ],
    1001
  ]
]

const live = (name: string, test: Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test).pipe(Effect.timeout("30 seconds"), Effect.asVoid), 40_000)

describe("a WebSocket", () => {
  live(
    "that breaks the rules gets the right close, and the port serves the next one",
    Effect.gen(function* () {
      const node = yield* webSocket({ maxRecvBytes })
      const { at, arrivals } = yield* reception(node)
      for (const [name, frames, expected] of [...violations, ...oddities]) {
        const { head, code } = yield* attack(at, frames, { fields: form2 })
        assert.match(head, /^HTTP\/1\.1 101 /, name)
        assert.strictEqual(code, expected, name)
        yield* Queue.take(arrivals)
      }
      const dialler = yield* node.dial(at)
      const server = yield* Queue.take(arrivals)
      yield* dialler.send("good day")
      assert.strictEqual(yield* nextText(server), "good day")
    })
  )

  live(
    "is not read beyond the length of a greeting, however long it goes on",
    Effect.gen(function* () {
      const longest = 64 * 1024 * 1024
      const { at, arrivals } = yield* reception(yield* webSocket({ maxRecvBytes: longest }))
      const frames = then([frame({ length: BigInt(longest) })], endless(chunk))
      const { sent, code } = yield* attack(at, frames, { isStubborn: true })
      assert.strictEqual(code, 1009)
      const { over } = yield* drain(yield* Queue.take(arrivals))
      assert.strictEqual(over.code, 1009)
      // Beside what was read there is what the network holds: some megabytes on loopback.
      assert.isBelow(sent, limits.greetingBytes + 16 * 1024 * 1024)
    })
  )

  live(
    "of an existing node may carry frames of 16 MiB, and not a byte more",
    Effect.gen(function* () {
      const longest = 16 * 1024 * 1024
      const within = [
        first,
        frame({ payload: Buffer.alloc(longest, "x") }),
        frame({ opcode: 8, payload: closing(1000) })
      ]
      const over = [first, frame({ length: BigInt(longest + 1) })]
      for (const [frames, expected, largest] of [
        [within, 1000, longest],
        [over, 1009, first.length - 6]
      ] as const) {
        // A node for each: from an address that has proved itself, more is taken.
        const { at, arrivals } = yield* reception(yield* webSocket({ maxRecvBytes, legacy: "on" }))
        const { code } = yield* attack(at, frames)
        assert.strictEqual(code, expected)
        const arrived = yield* drain(yield* Queue.take(arrivals))
        assert.strictEqual(Math.max(...arrived.frames.map(({ length }) => length)), largest)
      }
    })
  )

  live(
    "gets no compression, and a bomb is refused by its first byte",
    Effect.gen(function* () {
      const { at, arrivals } = yield* reception(yield* webSocket({ maxRecvBytes }))
      const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024))
      const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame"
      for (const fields of [[offer], [offer, ...form2]]) {
        const { head, code } = yield* attack(at, [frame({ payload: bomb, reserved: 4 })], { fields })
        assert.match(head, /^HTTP\/1\.1 101 /)
        assert.notMatch(head, /extensions/i)
        assert.strictEqual(code, 1002)
        yield* Queue.take(arrivals)
      }
    })
  )

  live(
    "that pings and never reads the answers is sent only what the network and a small buffer hold",
    Effect.gen(function* () {
      const { at, arrivals } = yield* reception(yield* webSocket({ maxRecvBytes }))
      const ping = Buffer.concat(Array.from({ length: 500 }, () => frame({ opcode: 9, payload: Buffer.alloc(125) })))
      const total = 64 * 1024 * 1024
      const flood = function* () {
        yield first
        for (let sent = 0; sent < total; sent += ping.length) yield ping
        yield frame({ opcode: 8, payload: closing(1000) })
      }
      const { received, code } = yield* attack(at, flood(), { fields: form2, isReading: false })
      yield* Queue.take(arrivals)
      assert.strictEqual(code, 1000)
      assert.isBelow(received, total / 2)
    })
  )
})
