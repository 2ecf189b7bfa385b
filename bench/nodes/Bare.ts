/**
 * The baseline of S3: two processes, a bare ws connection over TLS between them, and at each end a commit of one row with plain
 * node:sqlite, synced as a node syncs. As the server, prints its port; as the client, makes round trips, and prints what each took.
 *
 *   node bench/nodes/Bare.ts server CERT KEY DIRECTORY
 *   node bench/nodes/Bare.ts client PORT DIRECTORY COUNT EVERY_MS
 */
import { readFileSync } from "node:fs"
import { createServer } from "node:https"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { WebSocket, WebSocketServer } from "ws"

const [role, ...args] = process.argv.slice(2)

const table = (directory: string, synchronous: string) => {
  const db = new DatabaseSync(join(directory, `${role}.db`))
  db.exec(
    `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}; CREATE TABLE rows (id INTEGER PRIMARY KEY, data TEXT)`
  )
  return db.prepare("INSERT INTO rows (data) VALUES (?)")
}

if (role === "server") {
  const [cert = "", key = "", directory = ""] = args
  const insert = table(directory, "NORMAL")
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) })
  new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (socket) => {
    socket.on("message", (data: Buffer) => {
      insert.run(data.toString())
      socket.send(data.toString())
    })
    socket.on("close", () => process.exit(0))
  })
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    console.log(typeof address === "object" ? address?.port : "")
  })
} else {
  const [port = "", directory = "", count = "", every = ""] = args
  const insert = table(directory, "FULL")
  const socket = new WebSocket(`wss://127.0.0.1:${port}`, { rejectUnauthorized: false, perMessageDeflate: false })
  await new Promise((resolve) => socket.once("open", resolve))
  const took: Array<number> = []
  for (let n = 0; n < Number(count); n++) {
    const began = performance.now()
    const text = `${n} ${"x".repeat(500)}`
    insert.run(text)
    socket.send(text)
    await new Promise((resolve) => socket.once("message", resolve))
    took.push(performance.now() - began)
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, Number(every) - (performance.now() - began))))
  }
  console.log(JSON.stringify(took))
  socket.close()
}
