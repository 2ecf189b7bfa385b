/** A collector of OpenTelemetry for tests: it takes metrics over HTTP, as JSON and as Protocol Buffers. */
import { createServer, type Server } from "node:http"

export interface Point {
  readonly labels: Readonly<Record<string, string>>
  readonly value?: number
  readonly count?: number
  readonly sum?: number
  readonly buckets?: ReadonlyArray<number>
  readonly bounds?: ReadonlyArray<number>
}

export interface Measured {
  readonly name: string
  readonly help: string
  readonly unit: string
  readonly type: "gauge" | "sum" | "histogram"
  readonly points: ReadonlyArray<Point>
}

export interface Taken {
  readonly path: string
  readonly type: string
  readonly body: Buffer
}

export interface OtlpCollector {
  readonly endpoint: string
  /** What has come so far. */
  readonly taken: ReadonlyArray<Taken>
  /** The metrics of the last request to this path, by name. */
  readonly last: (path: string) => ReadonlyMap<string, Measured>
  readonly close: () => void
}

export const collect = async (): Promise<OtlpCollector> => {
  const taken: Array<Taken> = []
  const server: Server = createServer((request, response) => {
    const parts: Array<Buffer> = []
    request.on("data", (part: Buffer) => parts.push(part))
    request.on("end", () => {
      const type = request.headers["content-type"] ?? ""
      taken.push({ path: request.url ?? "", type, body: Buffer.concat(parts) })
      response.end(type === "application/json" ? "{}" : "")
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return {
    endpoint: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    taken,
    last: (path) => {
      const found = taken.findLast((one) => one.path === path)
      return new Map(found === undefined ? [] : metricsOf(found).map((metric) => [metric.name, metric]))
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}

const metricsOf = ({ type, body }: Taken): ReadonlyArray<Measured> =>
  type === "application/json" ? ofJson(JSON.parse(body.toString("utf8")) as Json) : ofBytes(body)

interface JsonPoint {
  readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: { readonly stringValue: string } }>
  readonly asDouble?: number
  readonly count?: number
  readonly sum?: number
  readonly bucketCounts?: ReadonlyArray<number>
  readonly explicitBounds?: ReadonlyArray<number>
}

interface JsonPoints {
  readonly dataPoints: ReadonlyArray<JsonPoint>
}

interface Json {
  readonly resourceMetrics: ReadonlyArray<{
    readonly scopeMetrics: ReadonlyArray<{
      readonly metrics: ReadonlyArray<{
        readonly name: string
        readonly description: string
        readonly unit: string
        readonly gauge?: JsonPoints
        readonly sum?: JsonPoints
        readonly histogram?: JsonPoints
      }>
    }>
  }>
}

const kinds = ["gauge", "sum", "histogram"] as const

const ofJson = ({ resourceMetrics }: Json): ReadonlyArray<Measured> =>
  resourceMetrics
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    .map((metric): Measured => {
      const type = kinds.find((kind) => metric[kind] !== undefined) ?? "gauge"
      const points = (metric[type]?.dataPoints ?? []).map(
        ({ attributes, asDouble, count, sum, bucketCounts, explicitBounds }): Point => ({
          labels: Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue])),
          ...(asDouble !== undefined && { value: asDouble }),
          ...(count !== undefined && { count }),
          ...(sum !== undefined && { sum }),
          ...(bucketCounts !== undefined && { buckets: bucketCounts }),
          ...(explicitBounds !== undefined && { bounds: explicitBounds })
        })
      )
      return { name: metric.name, help: metric.description, unit: metric.unit, type, points }
    })

type Fields = ReadonlyMap<number, ReadonlyArray<Buffer>>

/** The fields of a message by number. Numbers come as their bytes, and a packed field in one piece. */
const fieldsOf = (bytes: Buffer): Fields => {
  const fields = new Map<number, Array<Buffer>>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const from = at
    let start = from
    if ((tag & 7) === 0) varint()
    else if ((tag & 7) === 1) at += 8
    else {
      const length = varint()
      start = at
      at += length
    }
    const number = tag >> 3
    fields.set(number, [...(fields.get(number) ?? []), bytes.subarray(start, at)])
  }
  return fields
}

const ofBytes = (body: Buffer): ReadonlyArray<Measured> =>
  down(fieldsOf(body), 1, 2, 2).map((fields): Measured => {
    const [type, number] = fields.has(5)
      ? (["gauge", 5] as const)
      : fields.has(7)
        ? (["sum", 7] as const)
        : (["histogram", 9] as const)
    const points = down(fields, number, 1).map((point): Point => {
      const labels = down(point, type === "histogram" ? 9 : 7).map((pair): [string, string] => {
        const [value = new Map<number, Array<Buffer>>()] = down(pair, 2)
        return [text(pair, 1), text(value, 1)]
      })
      const number = type === "histogram" ? histogram(point) : { value: point.get(4)?.[0]?.readDoubleLE() ?? 0 }
      return { labels: Object.fromEntries(labels), ...number }
    })
    return { name: text(fields, 1), help: text(fields, 2), unit: text(fields, 3), type, points }
  })

const histogram = (point: Fields) => ({
  count: Number(point.get(4)?.[0]?.readBigUInt64LE() ?? 0),
  sum: point.get(5)?.[0]?.readDoubleLE() ?? 0,
  buckets: eights(point.get(6)).map((part) => Number(part.readBigUInt64LE())),
  bounds: eights(point.get(7)).map((part) => part.readDoubleLE())
})

const eights = (parts: ReadonlyArray<Buffer> = []): ReadonlyArray<Buffer> =>
  parts.flatMap((part) => Array.from({ length: part.length / 8 }, (_, n) => part.subarray(8 * n, 8 * n + 8)))

/** The messages that one reaches through these fields. */
const down = (fields: Fields, ...path: ReadonlyArray<number>): ReadonlyArray<Fields> =>
  path.reduce<ReadonlyArray<Fields>>(
    (all, number) => all.flatMap((one) => (one.get(number) ?? []).map(fieldsOf)),
    [fields]
  )

const text = (fields: Fields, number: number): string => fields.get(number)?.[0]?.toString("utf8") ?? ""
