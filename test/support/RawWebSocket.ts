/** A WebSocket client that follows no rules: it writes its frames itself, whatever they are. Loopback only. */
import { Effect } from "effect"
import { connect } from "node:tls"

/** A frame, valid unless it is told otherwise. */
export const frame = ({
  opcode = 1,
  payload = Buffer.alloc(0),
  isFinal = true,
  reserved = 0,
  isMasked = true,
  length
}: {
  readonly opcode?: number
  readonly payload?: Buffer | string
  readonly isFinal?: boolean
  /** The three reserved bits as a number. */
  readonly reserved?: number
  readonly isMasked?: boolean
  /** The length that the frame claims to have. */
  readonly length?: bigint
}): Buffer => {
  const body = Buffer.from(payload)
  const claimed = length ?? BigInt(body.length)
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode
  const masked = isMasked ? 0x80 : 0
  const mask = Buffer.from(isMasked ? [1, 2, 3, 4] : [])
  let head: Buffer
  if (claimed < 126n) head = Buffer.from([first, masked | Number(claimed)])
  else if (claimed < 65_536n) {
    head = Buffer.from([first, masked | 126, 0, 0])
    head.writeUInt16BE(Number(claimed), 2)
  } else {
    head = Buffer.from([first, masked | 127, 0, 0, 0, 0, 0, 0, 0, 0])
    head.writeBigUInt64BE(claimed, 2)
  }
  return Buffer.concat([head, mask, isMasked ? body.map((byte, index) => byte ^ ((index % 4) + 1)) : body])
}

/** The payload of a close frame. */
export const closing = (code: number, reason: Buffer | string = ""): Buffer => {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(code)
  return Buffer.concat([head, Buffer.from(reason)])
}

export interface Outcome {
  /** The head of the answer to the upgrade. */
  readonly head: string
  /** The code of the server's close, 1005 for a close without one; none when it ended without a close. */
  readonly code: number | undefined
  /** Bytes that were handed to the network. */
  readonly sent: number
  /** Bytes of frames that came back, pongs above all. */
  readonly received: number
}

/**
 * Asks for the upgrade, and sends chunk after chunk until there are no more or the server closes. Waits for the end, and ends
 * it itself once the server has closed. Who is not reading begins to read when everything was sent.
 */
export const attack = (
  at: { readonly host: string; readonly port: number },
  chunks: Iterable<Buffer>,
  {
    fields = [],
    isReading = true,
    isStubborn = false
  }: {
    readonly fields?: ReadonlyArray<string>
    readonly isReading?: boolean
    /** Goes on sending when the server has closed. */
    readonly isStubborn?: boolean
  } = {}
) =>
  Effect.callback<Outcome>((resume) => {
    const remaining = chunks[Symbol.iterator]()
    const socket = connect({ ...at, rejectUnauthorized: false, checkServerIdentity: () => undefined })
    let received = Buffer.alloc(0)
    let head: string | undefined
    let frames = 0
    let code: number | undefined
    let sent = 0
    const pump = () => {
      while (!socket.destroyed && (isStubborn || code === undefined)) {
        const { value, done } = remaining.next()
        if (done === true) return void socket.resume()
        sent += value.length
        if (!socket.write(value)) return void socket.once("drain", pump)
      }
    }
    const read = () => {
      if (head === undefined) {
        const end = received.indexOf("\r\n\r\n")
        if (end === -1) return
        head = received.toString("latin1", 0, end)
        received = received.subarray(end + 4)
        if (!isReading) socket.pause()
        if (head.startsWith("HTTP/1.1 101 ")) pump()
      }
      for (;;) {
        const short = (received[1] ?? 0) & 0x7f
        const start = short === 126 ? 4 : short === 127 ? 10 : 2
        if (received.length < start) return
        const length = short === 126 ? received.readUInt16BE(2) : short === 127 ? received.readUInt32BE(6) : short
        if (received.length < start + length) return
        if (((received[0] ?? 0) & 0x0f) === 8) {
          code = length < 2 ? 1005 : received.readUInt16BE(start)
          if (!isStubborn) socket.end()
        }
        frames += start + length
        received = received.subarray(start + length)
      }
    }
    socket.on("error", () => {})
    socket.on("secureConnect", () => {
      const request = ["GET /sync HTTP/1.1", "Host: node", "Connection: Upgrade", "Upgrade: websocket"]
      const key = ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
      socket.write([...request, ...key, ...fields, "", ""].join("\r\n"))
    })
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk])
      read()
    })
    socket.on("close", () => resume(Effect.succeed({ head: head ?? "", code, sent, received: frames })))
    return Effect.sync(() => socket.destroy())
  })

/** What a node of form 2 shows in its request. */
export const form2 = ["Feral-Sync: 2", `Feral-Sync-Nonce: ${"a".repeat(43)}`]
