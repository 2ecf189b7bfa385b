/**
 * Looks at the ports that a node takes: the running node's own, or free to be taken.
 */
import { Effect, Option } from "effect"
import type { Settings } from "../../node/Config.ts"
import type { ListenFailed } from "../../node/NodeFailure.ts"
import type { NodeStatus } from "../../node/Status.ts"
import * as Preflight from "../../node/Preflight.ts"
import { type Finding, fromFailure, ok, warning } from "./Finding.ts"

const check = "sync port"

export const examine = Effect.fnUntraced(function* (
  settings: Settings,
  running: Option.Option<NodeStatus>
): Effect.fn.Return<ReadonlyArray<Finding>> {
  if (Option.isSome(running)) {
    const { port, api_port } = running.value
    const own = ok(check, `${port}, of the running node`, { port })
    if (settings.apiPort === 0 || api_port !== null) return [own]
    const nextStep = "stop what uses it, or set FERAL_SYNC_API_PORT (0 is off)"
    return [own, warning("API port", `the running node could not take ${settings.apiPort}`, nextStep)]
  }
  const { host, port, apiPort } = settings
  const facts = { host: host ?? null, port }
  const taken = yield* take(host, port)
  const findings = [
    taken === undefined
      ? ok(check, port === 0 ? "any free port" : `${port} is free`, facts)
      : fromFailure(check, taken, facts)
  ]
  if (apiPort === 0) return findings
  const apiTaken = yield* take("127.0.0.1", apiPort)
  if (apiTaken === undefined) return findings
  const nextStep = "stop what uses it, or set FERAL_SYNC_API_PORT (0 is off); a node runs without it"
  return [...findings, warning("API port", `127.0.0.1:${apiPort} is taken`, nextStep, { port: apiPort })]
})

/** The reason why a port cannot be had. */
const take = (host: string | undefined, port: number): Effect.Effect<ListenFailed | undefined> =>
  Preflight.take({ host, port }).pipe(
    Effect.as(undefined),
    Effect.catch((error) => Effect.succeed(error))
  )
