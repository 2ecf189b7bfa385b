/** The dashboard of a node with a large memory, in a real browser. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Browser } from "playwright-core"
import { launch } from "../support/Browser.ts"
import { freePort, open, shows } from "../support/Dashboard.ts"
import { needs } from "../support/Needs.ts"
import { Nodes, until } from "../support/Nodes.ts"

describe.skipIf(needs("chromium"))("the dashboard of a large memory", () => {
  const nodes = new Nodes()
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(async () => {
    await browser?.close()
    await nodes.dispose()
  })

  it("shows the newest of 100,000 notes within a second, and reads on only as one scrolls", async () => {
    const big = nodes.make()
    await big.seed(100_000)
    await big.start({ FERAL_SYNC_API_PORT: await freePort() })
    const opened = await open(big, await browser.newContext({ viewport: { width: 1180, height: 900 } }))
    await shows(opened.page, "100,000")
    const read: Array<string> = []
    opened.page.on("request", (request) => {
      if (request.url().endsWith("/recent")) read.push(request.url())
    })
    const paints: Array<number> = []
    // Other tests run beside this one: the best of three counts.
    for (let n = 0; n < 3; n++) {
      await opened.page.goto(`${opened.origin}/?${n}#/memory`)
      await opened.page.locator(".rows article").first().waitFor()
      const painted = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Infinity
      paints.push(await opened.page.evaluate(painted))
    }
    assert.isBelow(Math.min(...paints), 1_000)
    const before = await opened.page.locator(".rows article").count()
    for (let n = 0; n < 4; n++) {
      const count = await opened.page.locator(".rows article").count()
      await opened.page.mouse.move(600, 600)
      await opened.page.mouse.wheel(0, 100_000)
      await until(
        "more rows",
        () => opened.page.locator(".rows article").count(),
        (more) => more > count
      )
    }
    const after = await opened.page.locator(".rows article").count()
    assert.isAbove(after, before)
    assert.isBelow(after, 1_000)
    assert.isBelow(read.length, 30)
    assert.deepStrictEqual(opened.complaints, [])
  })
})
