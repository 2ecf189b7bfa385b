/** What does not go as it should, as the dashboard of a real node shows it in a real browser, and why. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Browser } from "playwright-core"
import { CanonicalJson } from "../../src/core/replica/Json.ts"
import { launch } from "../support/Browser.ts"
import { findings, freePort, open, type Opened, shows } from "../support/Dashboard.ts"
import { needs } from "../support/Needs.ts"
import { node, write } from "../support/Network.ts"
import { converged, type Node, Nodes, until } from "../support/Nodes.ts"
import { beside } from "../support/SqliteFiles.ts"

describe.skipIf(needs("chromium"))("the problems that the dashboard shows", () => {
  const nodes = new Nodes()
  let browser: Browser
  let a: Node
  let b: Node
  let opened: Opened

  const main = () => opened.page.locator("main").innerText()

  beforeAll(async () => {
    a = nodes.make({ FERAL_SYNC_API_PORT: await freePort(), FERAL_SYNC_MAX_OPAQUE_BYTES: "1000" })
    b = nodes.make()
    await a.seed(100)
    await a.quarantine("old-nas", "data: not an object", '{"row_id":"x","data":"<b>broken</b>"}')
    const [, launched] = await Promise.all([a.start(), launch()])
    browser = launched
    await b.start({ FERAL_SYNC_PEERS: a.address })
    await converged([a, b])
    opened = await open(a, await browser.newContext({ viewport: { width: 1180, height: 900 } }))
    await opened.page.goto(`${opened.origin}/#/problems`)
  })

  afterAll(async () => {
    await browser?.close()
    await nodes.dispose()
  })

  it("have what cannot be read, as it came, with the reason", async () => {
    await shows(opened.page, "From old-nas: data: not an object")
    assert.include(await opened.page.locator(".unread pre").innerText(), '"data":"<b>broken</b>"')
  })

  it("have rows that were damaged in the file and came back from a peer, and why that happens", async () => {
    assert.notInclude(await main(), "Repaired since the start")
    await a.stop()
    const damaged = beside(a.home, (db) =>
      Number(db.prepare("DELETE FROM operations WHERE seq % 10 = 1").run().changes)
    )
    assert.isAbove(damaged, 5)
    await a.start({ FERAL_SYNC_PORT: String(a.port), FERAL_SYNC_PEERS: b.address })
    await until(
      "they are connected",
      () => a.status(),
      ({ peers }) => peers.some(({ node_id, state }) => node_id === b.id && state === "live")
    )
    await opened.page.getByRole("button", { name: "Compare now" }).click()
    await shows(opened.page, `${b.id}: repaired, ${damaged} rows repaired here`)
    assert.match(
      await opened.page.locator("section[aria-labelledby=compare]").innerText(),
      /This node: .*digest.*; corrected\./
    )
    await shows(opened.page, "Repaired since the start")
    const section = await opened.page.locator("section[aria-labelledby=repaired]").innerText()
    assert.include(section, "This happens after damage to a disk")
    assert.match(section, new RegExp(`${b.id}: differed \\d+ times?, repaired [1-9]\\d* times?`))
    await converged([a, b])
    assert.strictEqual((await a.status()).counts.notes, 100)
  })

  it("have rows of unknown kinds that are held back for want of room, with what to do", async () => {
    await b.stop()
    const data = CanonicalJson.make(JSON.stringify({ text: "x".repeat(2_000) }))
    await b.takes([{ ...write(node("newer-node"), { wall: 5, counter: 0 }, "row", "recipes"), data }])
    await b.start({ FERAL_SYNC_PORT: String(b.port) })
    await shows(opened.page, "Held back: newer-node")
    const text = await main()
    assert.include(text, "Rows of unknown kinds from newer-node do not fit into the quota")
    assert.include(text, "Next: upgrade this node if a newer version wrote them, raise FERAL_SYNC_MAX_OPAQUE_BYTES")
    assert.include(text, "A newer version has kinds of rows that this one does not know.")
    assert.deepStrictEqual(await findings(opened.page), [])
    assert.deepStrictEqual(opened.complaints, [])
  })
})
