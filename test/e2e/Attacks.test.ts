/** The short form of every attack of `npm run attack` keeps its bounds. */
import { assert, describe, it } from "@effect/vitest"
import { holds } from "../../scripts/attack/Attack.ts"
import { attacks } from "../../scripts/attack/Attacks.ts"
import { table } from "../../scripts/attack/Table.ts"
import { needs } from "../support/Needs.ts"

describe("the attack", () => {
  for (const { name, about, needs: needed = [], run } of attacks) {
    it.skipIf(needs(...needed))(`${name}: ${about}`, async () => {
      const figures = await run({ short: true })
      assert.isNotEmpty(figures.filter(({ must }) => must !== undefined))
      assert.isTrue(figures.every(holds), `\n${table(figures)}`)
    })
  }
})
