/** One request to a running node, over its socket. */
import { request } from "node:http"
import { join } from "node:path"

export interface Answer {
  readonly status: number
  readonly body: string
}

/** `undefined` when there was no answer, or not all of it. */
export const ask = (home: string, method: string, path: string, payload?: unknown): Promise<Answer | undefined> =>
  new Promise((resolve) => {
    const asked = request(
      {
        socketPath: join(home, "feral-sync.sock"),
        path,
        method,
        timeout: 10_000,
        ...(payload === undefined ? {} : { headers: { "content-type": "application/json" } })
      },
      (response) => {
        let body = ""
        response.setEncoding("utf8").on("data", (text: string) => (body += text))
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }))
        response.on("error", () => resolve(undefined))
      }
    )
    asked.on("timeout", () => asked.destroy())
    asked.on("error", () => resolve(undefined))
    asked.end(payload === undefined ? undefined : JSON.stringify(payload))
  })

/** What a running node says at `/metrics`. */
export const metricsOf = async (home: string): Promise<string> => {
  const answer = await ask(home, "GET", "/metrics")
  if (answer?.status !== 200) throw new Error(`the node does not tell its metrics: ${answer?.body}`)
  return answer.body
}
