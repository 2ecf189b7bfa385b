/** Rows of a kind of an application, as the dashboard of a real node shows them in a real browser. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import type { Browser } from "playwright-core"
import { launch } from "../support/Browser.ts"
import { findings, freePort, open, type Opened, shows } from "../support/Dashboard.ts"
import { needs } from "../support/Needs.ts"
import { type Node, Nodes, until } from "../support/Nodes.ts"

describe.skipIf(needs("chromium"))("the dashboard of kinds of applications", () => {
  const nodes = new Nodes()
  let browser: Browser
  let node: Node
  let opened: Opened

  /** Writes as the program of the kind does. */
  const send = async (method: string, path: string, body: object) => {
    const authorization = `Bearer ${readFileSync(`${node.home}/token`, "utf8").trim()}`
    const headers = { authorization, "content-type": "application/json" }
    const answer = await fetch(`${opened.origin}${path}`, { method, headers, body: JSON.stringify(body) })
    assert.isBelow(answer.status, 300, await answer.text())
  }

  const rows = () => opened.page.locator(".rows article").allInnerTexts()

  beforeAll(async () => {
    node = nodes.make({ FERAL_SYNC_API_PORT: await freePort() })
    const [, launched] = await Promise.all([node.start(), launch()])
    browser = launched
    opened = await open(node, await browser.newContext({ viewport: { width: 1180, height: 900 } }))
    await opened.page.goto(`${opened.origin}/#/memory`)
    await shows(opened.page, "Nothing here yet.")
  })

  afterAll(async () => {
    await browser?.close()
    await nodes.dispose()
  })

  it("has a kind as soon as there is a row of it, and its rows with all columns, newest first, as the text that they are", async () => {
    await send("PUT", "/kinds/todos!fields", { columns: ["title", "done"] })
    await send("POST", "/kinds/todos/put?id=tea", { title: "buy tea <b>soon</b>", done: false })
    await opened.page.getByRole("link", { name: "todos" }).click()
    await shows(opened.page, "buy tea <b>soon</b>")
    await send("POST", "/kinds/todos/put?id=milk", { title: "buy milk \u202e", done: true })
    const [first, second] = await until("the new row", rows, (all) => all.length === 2)
    assert.match(first ?? "", /id\s+milk\s+done\s+true\s+title\s+buy milk \[U\+202E\]/)
    assert.match(second ?? "", /id\s+tea\s+done\s+false\s+title\s+buy tea <b>soon<\/b>/)
    assert.include(first ?? "", node.id.slice(0, 8))
    await send("POST", "/kinds/todos/delete?id=tea", {})
    await until("the row is gone", rows, (all) => all.length === 1)
  })

  it("reads on as one scrolls, and offers nothing that only the program of the kind can do", async () => {
    for (let n = 0; n < 120; n++) await send("POST", `/kinds/todos/put?id=row-${n}`, { title: `row ${n}`, done: false })
    await opened.page.reload()
    await shows(opened.page, "row 119")
    const before = (await rows()).length
    assert.isBelow(before, 121)
    await opened.page.mouse.move(600, 600)
    await opened.page.mouse.wheel(0, 100_000)
    await until("more rows", rows, (all) => all.length > before)
    assert.strictEqual(await opened.page.getByRole("button", { name: /^(New|Change|Delete|History)/ }).count(), 0)
    await opened.page.keyboard.press("n")
    assert.strictEqual(await opened.page.locator("dialog").count(), 0)
    assert.deepStrictEqual(await findings(opened.page), [])
    assert.deepStrictEqual(opened.complaints, [])
  })
})
