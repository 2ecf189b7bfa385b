/**
 * What a node tells the service manager that started it: that it is ready, that it is alive, and that it stops.
 *
 * Node has no datagram sockets of the file system, so `systemd-notify` speaks for it. A manager that cannot be told is
 * not a reason to stop: the node goes on, and says so in the log. Without a manager nothing is done.
 */
import { Effect, Schedule } from "effect"
import { spawn } from "node:child_process"

/** The environment that a manager gives to its services. */
export interface Environment {
  readonly [name: string]: string | undefined
}

/**
 * How often to say that the node is alive (ms); none where the manager does not ask for it, or asks another process.
 */
export const watchdogMs = (environment: Environment, pid: number): number | undefined => {
  const { WATCHDOG_USEC: period, WATCHDOG_PID: asked } = environment
  if (environment["NOTIFY_SOCKET"] === undefined || period === undefined) return undefined
  if (asked !== undefined && asked !== String(pid)) return undefined
  const ms = Number(period) / 2_000
  return Number.isFinite(ms) && ms > 0 ? ms : undefined
}

const notify = (environment: Environment, ...words: ReadonlyArray<string>): Effect.Effect<void> =>
  environment["NOTIFY_SOCKET"] === undefined
    ? Effect.void
    : Effect.callback<void, Error>((resume) => {
        const child = spawn("systemd-notify", words, { stdio: "ignore" })
        child.once("error", (error) => resume(Effect.fail(error)))
        child.once("close", (code) =>
          resume(code === 0 ? Effect.void : Effect.fail(new Error(`systemd-notify ended with ${code}`)))
        )
        return Effect.sync(() => void child.kill())
      }).pipe(
        Effect.timeout("10 seconds"),
        Effect.catch((error) =>
          Effect.logWarning("the service manager could not be notified").pipe(
            Effect.annotateLogs({ cause: error.message })
          )
        )
      )

/**
 * Says that the node is ready, and from then on that it is alive as often as it is asked for, as long as `isAlive` ends
 * well. When the scope closes, it says that the node stops.
 */
export const attend = Effect.fnUntraced(function* <E, R>(
  isAlive: Effect.Effect<unknown, E, R>,
  environment: Environment = process.env
) {
  if (environment["NOTIFY_SOCKET"] === undefined) return
  yield* Effect.addFinalizer(() => notify(environment, "STOPPING=1"))
  yield* notify(environment, "--ready")
  const period = watchdogMs(environment, process.pid)
  if (period === undefined) return
  yield* Effect.matchEffect(isAlive, {
    onFailure: () => Effect.logWarning("the node does not answer: the watchdog of the service manager is not notified"),
    onSuccess: () => notify(environment, "WATCHDOG=1")
  }).pipe(Effect.repeat(Schedule.spaced(period)), Effect.forkScoped)
})
