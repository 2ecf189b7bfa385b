/** When a node says that it is alive. */
import { assert, describe, it } from "@effect/vitest"
import { watchdogMs } from "../../../src/services/node/ServiceManager.ts"

describe("ServiceManager", () => {
  const socket = { NOTIFY_SOCKET: "/run/x" }
  it.each([
    [{}, undefined],
    [socket, undefined],
    [{ WATCHDOG_USEC: "1000000" }, undefined],
    [{ ...socket, WATCHDOG_USEC: "1000000" }, 500],
    [{ ...socket, WATCHDOG_USEC: "1000000", WATCHDOG_PID: "7" }, 500],
    [{ ...socket, WATCHDOG_USEC: "1000000", WATCHDOG_PID: "8" }, undefined],
    [{ ...socket, WATCHDOG_USEC: "no" }, undefined]
  ])("%j: %s ms", (environment, expected) => {
    assert.strictEqual(watchdogMs(environment, 7), expected)
  })
})
