/** WebSocket servers on a free port of loopback: when they listen, and their end. */
import type { AddressInfo } from "node:net"
import type { WebSocketServer } from "ws"

/** Resolves with the port once the server listens. */
export const listening = async (server: WebSocketServer): Promise<number> => {
  if (server.address() === null) {
    await new Promise<void>((resolve, reject) => server.once("listening", resolve).once("error", reject))
  }
  return (server.address() as AddressInfo).port
}

/** Ends the server and its connections. */
export const closeServer = async (server: WebSocketServer): Promise<void> => {
  for (const client of server.clients) client.terminate()
  await new Promise((resolve) => server.close(resolve))
}
