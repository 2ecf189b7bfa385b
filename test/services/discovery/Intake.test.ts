import { assert, describe, it } from "@effect/vitest"
import * as Intake from "../../../src/services/discovery/Intake.ts"

const { limits } = Intake
const seconds = 60

/** Bytes that are read of senders that send one packet each every millisecond. */
const taken = (senders: number, bytes: number): number => {
  const intake = Intake.make()
  let frames = 0
  for (let now = 0; now < seconds * 1000; now++) {
    for (let n = 0; n < senders; n++)
      if (intake.takes(`10.0.0.${n}`, bytes, now)) frames += Math.ceil(bytes / limits.frame)
  }
  return frames
}

const within = (of: "sender" | "all") =>
  [limits.quiet, limits.busy].reduce((sum, { [of]: { burst, every } }) => sum + burst + (seconds * 1000) / every, 0)

describe("Intake", () => {
  for (const bytes of [100, 1_500, 1_501, 9_000, 65_000]) {
    const largest = Math.ceil(bytes / limits.frame)
    it(`of packets of ${bytes} bytes reads no more than the frames of one sender, and no more in all`, () => {
      assert.isAtMost(taken(1, bytes), within("sender") + 2 * largest)
      assert.isAtMost(taken(40, bytes), within("all") + 2 * largest)
    })
  }

  it("senders that flood leave others what those need, who send little", () => {
    const intake = Intake.make()
    for (let now = 0; now < 60_000; now++) {
      for (let n = 0; n < 12; n++) intake.takes(`10.0.0.${100 + n}`, 1_500, now)
      if (now % 1_000 === 0) assert.isTrue(intake.takes("10.0.0.1", 300, now))
    }
  })

  it("a sender that floods leaves the others their share", () => {
    const intake = Intake.make()
    for (let now = 0; now < 10_000; now++) {
      intake.takes("10.0.0.66", 1_500, now)
      if (now % 100 === 0) assert.isTrue(intake.takes("10.0.0.1", 300, now))
    }
  })
})
