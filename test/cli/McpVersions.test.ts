/** Every version of the protocol in use, over standard input and output, and at `/mcp` of a node: negotiated, and used. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { request } from "node:http"
import { join } from "node:path"
import { Readable } from "node:stream"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { RawServer } from "../support/McpClients.ts"
import { clean, freshHome, Node } from "../support/Nodes.ts"
import { main } from "../support/Program.ts"

const { home, remove } = freshHome()
const node = new Node(home, {})
beforeAll(() => node.start())
afterAll(async () => {
  await node.stop("SIGKILL")
  remove()
})

/** Requests to the socket of the node, which is for this user alone. */
const overSocket = async (url: string | URL, options: RequestInit = {}): Promise<Response> =>
  new Promise((resolve, reject) => {
    const headers = Object.fromEntries(new Headers(options.headers))
    const { pathname } = new URL(url)
    const asked = request(
      { socketPath: join(home, "feral-sync.sock"), path: pathname, method: options.method ?? "GET", headers },
      (response) => {
        const isEmpty = response.statusCode === 202 || response.statusCode === 204
        const body = Readable.toWeb(response) as ReadableStream<Uint8Array>
        const found = Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)])
        resolve(new Response(isEmpty ? null : body, { status: response.statusCode ?? 0, headers: found }))
      }
    )
    options.signal?.addEventListener("abort", () => asked.destroy())
    asked.on("error", reject).end(options.body)
  })

const address = new URL("http://localhost/mcp")

const transports = {
  stdio: (): Transport =>
    new StdioClientTransport({
      command: process.execPath,
      args: [main, "mcp", "--home", home],
      env: Object.fromEntries(
        Object.entries(clean).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
      ),
      stderr: "ignore"
    }),
  http: (): Transport => new StreamableHTTPClientTransport(address, { fetch: overSocket }) as Transport
}

/** The client of the official SDK as it was when this version was the latest. Gives what was negotiated. */
const connected = async (transport: Transport, version: string) => {
  let negotiated = ""
  const { send, setProtocolVersion } = transport
  transport.send = (message, options) =>
    send.call(
      transport,
      "method" in message && message.method === "initialize"
        ? { ...message, params: { ...message.params, protocolVersion: version } }
        : message,
      options
    )
  transport.setProtocolVersion = (version) => {
    negotiated = version
    setProtocolVersion?.call(transport, version)
  }
  const client = new Client({ name: "test", version: "1" })
  await client.connect(transport)
  return { client, negotiated }
}

interface Found {
  readonly found: number
}

describe.each(["stdio", "http"] as const)("over %s", (way) => {
  it.each(["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])("%s", async (version) => {
    const { client, negotiated } = await connected(transports[way](), version)
    assert.strictEqual(negotiated, version)
    assert.lengthOf((await client.listTools()).tools, 12)
    const word = `${way}${version.replaceAll("-", "")}`
    const written = await client.callTool({ name: "remember", arguments: { text: `a note by ${word}` } })
    assert.isNotTrue(written.isError, JSON.stringify(written))
    const { content } = await client.callTool({ name: "search_memory", arguments: { query: word } })
    const [text] = content as ReadonlyArray<{ readonly text: string }>
    assert.strictEqual((JSON.parse(text?.text ?? "") as Found).found, 1)
    await client.close()
  })

  it("a client with an unknown version gets a version that the server knows", async () => {
    const { client, negotiated } = await connected(transports[way](), "2099-01-01").catch((error: unknown) =>
      assert.fail(String(error))
    )
    assert.strictEqual(negotiated, "2025-11-25")
    await client.close()
  })
})

describe("2026-07-28, which has no session", () => {
  const version = "2026-07-28"
  const asked = (id: number, method: string, params: object = {}) => ({
    jsonrpc: "2.0",
    id,
    method,
    params: {
      ...params,
      _meta: {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
        "io.modelcontextprotocol/clientCapabilities": {}
      }
    }
  })
  const calls = (word: string) => [
    asked(1, "server/discover"),
    asked(2, "tools/list"),
    asked(3, "tools/call", { name: "remember", arguments: { text: `a note by ${word}` } }),
    asked(4, "tools/call", { name: "search_memory", arguments: { query: word } })
  ]
  const check = (results: ReadonlyArray<Record<string, unknown> | undefined>) => {
    assert.include(results[0]?.["supportedVersions"], version)
    assert.lengthOf(results[1]?.["tools"] as ReadonlyArray<unknown>, 12)
    assert.isNotTrue(results[2]?.["isError"], JSON.stringify(results[2]))
    assert.strictEqual((results[3]?.["structuredContent"] as Found | undefined)?.found, 1)
  }

  it("over stdio", async () => {
    const server = new RawServer(["--home", home])
    const results: Array<Record<string, unknown> | undefined> = []
    for (const message of calls("stateless")) {
      server.send(message)
      const { error, result } = await server.answer(message.id)
      assert.isUndefined(error, JSON.stringify(error))
      results.push(result)
    }
    check(results)
    assert.strictEqual(await server.end(), 0)
  })

  it("over http", async () => {
    const results: Array<Record<string, unknown> | undefined> = []
    for (const message of calls("sessionless")) {
      const name = "name" in message.params ? { "mcp-name": String(message.params.name) } : {}
      const response = await overSocket(address, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          "mcp-protocol-version": version,
          "mcp-method": message.method,
          ...name
        },
        body: JSON.stringify(message)
      })
      const body = await response.text()
      assert.strictEqual(response.status, 200, body)
      const text = body.startsWith("{") ? body : (/^data: (.*)$/m.exec(body)?.[1] ?? "")
      results.push((JSON.parse(text) as { readonly result?: Record<string, unknown> }).result)
    }
    check(results)
  })
})
