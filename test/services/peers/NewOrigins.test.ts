/** How many new origins the machines of an address may bring. */
import { assert, describe, it } from "@effect/vitest"
import type { Machine } from "../../../src/core/sync/SessionMachine.ts"
import * as NewOrigins from "../../../src/services/peers/NewOrigins.ts"

/** What sessions from these hosts are allowed, each of which takes all that it may. */
const taken = (hosts: ReadonlyArray<string>, now: number) => {
  const origins = NewOrigins.make()
  return hosts.map((host) => {
    let allowed = 0
    const machine: Machine<undefined> = {
      begin: () => [undefined, []],
      step: (state, event) => {
        if (event._tag !== "Received") return [state, []]
        allowed = event.newOrigins ?? 0
        return [state, [{ _tag: "Brought", origins: allowed }]]
      },
      deadline: () => Infinity,
      view: () => assert.fail("not asked")
    }
    origins.guard(machine, { host, port: 1 }).step(undefined, { _tag: "Received", now, text: "" })
    return allowed
  })
}

describe("new origins", () => {
  it("are allowed to an IPv4 address, and to a network of IPv6, however many addresses it uses", () => {
    assert.deepStrictEqual(taken(["10.0.0.1", "10.0.0.2", "10.0.0.1"], 1_000), [2_000, 2_000, 0])
    assert.deepStrictEqual(taken(["fd00::1", "fd00::2", "fd00::1:2:3:4", "fd00:0:0:1::1"], 1_000), [2_000, 0, 0, 2_000])
  })
})
