/** Writing in the dashboard of a real node, in a real browser: nothing is written twice, lost, or overwritten without a question. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Browser, Page } from "playwright-core"
import { launch } from "../support/Browser.ts"
import { findings, freePort, open, type Opened, shows } from "../support/Dashboard.ts"
import { needs } from "../support/Needs.ts"
import { type Node, Nodes, until } from "../support/Nodes.ts"

interface Note {
  readonly id: string
  readonly content: string
  readonly tags: ReadonlyArray<string>
}

describe.skipIf(needs("chromium"))("writing in the dashboard", () => {
  const nodes = new Nodes()
  let browser: Browser
  let node: Node
  let opened: Opened
  let page: Page

  const notes = () => node.cli<ReadonlyArray<Note>>("note", "list")
  const count = async (content: string) => (await notes()).filter((note) => note.content === content).length
  const button = (name: string | RegExp) => page.getByRole("button", { name, exact: typeof name === "string" })
  const dialog = () => page.locator("dialog[open]")
  const closed = () => page.locator("dialog").waitFor({ state: "detached" })

  const openNew = async () => {
    await page.keyboard.press("n")
    await dialog().waitFor()
  }

  const fails = (path: RegExp, method: string) =>
    page.route(path, (route) => (route.request().method() === method ? route.abort() : route.fallback()))

  beforeAll(async () => {
    node = nodes.make({ FERAL_SYNC_API_PORT: await freePort() })
    const [, launched] = await Promise.all([node.start(), launch()])
    browser = launched
    opened = await open(node, await browser.newContext({ viewport: { width: 1180, height: 900 } }))
    page = opened.page
    await page.goto(`${opened.origin}/#/memory?kind=notes`)
    await shows(page, "Nothing here yet.")
  })

  afterAll(async () => {
    await browser?.close()
    await nodes.dispose()
  })

  it("a double click on Save writes one note", async () => {
    await openNew()
    await page.keyboard.type("Written once")
    await page.route(/\/notes$/, async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      await route.fallback()
    })
    await button("Save").dblclick()
    await until("Save waits", () => button("Save").isDisabled(), Boolean)
    await closed()
    await shows(page, "Written once")
    await page.unroute(/\/notes$/)
    assert.strictEqual(await count("Written once"), 1)
  })

  it("Esc keeps what was typed, and the form offers it again; so it does after a write that failed", async () => {
    await openNew()
    await page.keyboard.type("Half a thought")
    await page.keyboard.press("Escape")
    await closed()
    await shows(page, "What you typed is kept")
    await button("Go on").click()
    await dialog().waitFor()
    assert.strictEqual(await dialog().locator("textarea").inputValue(), "Half a thought")
    await fails(/\/notes$/, "POST")
    await button("Save").click()
    await dialog().getByRole("alert").waitFor()
    await page.keyboard.press("Escape")
    await closed()
    await page.unroute(/\/notes$/)
    await button("Close this message").click()
    await page.getByRole("button", { name: "New note" }).click()
    await dialog().waitFor()
    assert.strictEqual(await dialog().locator("textarea").inputValue(), "Half a thought")
    await button("Save").click()
    await closed()
    await openNew()
    assert.strictEqual(await dialog().locator("textarea").inputValue(), "")
    await page.keyboard.press("Escape")
    await closed()
  })

  it("a change that was made meanwhile is shown before it is overwritten", async () => {
    const change = async (mine: string, theirs: string) => {
      const [note] = (await notes()).filter(({ content }) => content.includes("thought") || content.includes("idea"))
      await page.getByRole("button", { name: /^Change: .*(thought|idea)/ }).click()
      await dialog().locator("textarea").fill(mine)
      await node.cli("note", "edit", note?.id ?? "", theirs)
      await button("Save").click()
      await shows(page, `This row was changed meanwhile by ${node.id}`)
      assert.include(await dialog().innerText(), theirs)
      assert.strictEqual(await dialog().locator("textarea").inputValue(), mine)
      assert.strictEqual(await count(theirs), 1)
    }
    await change("My idea", "An idea of an agent")
    await button("Save mine over it").click()
    await closed()
    assert.strictEqual(await count("My idea"), 1)
    await change("My other idea", "An idea that stays")
    await button("Take the other one").click()
    assert.strictEqual(await dialog().locator("textarea").inputValue(), "An idea that stays")
    await page.keyboard.press("Escape")
    await closed()
    assert.strictEqual(await count("An idea that stays"), 1)
  })

  it("a row that was deleted meanwhile is written again only when that is wanted", async () => {
    await node.cli("note", "add", "Soon gone")
    await page.getByRole("button", { name: "Change: Soon gone" }).click()
    await dialog().locator("textarea").fill("Not gone")
    const [note] = (await notes()).filter(({ content }) => content === "Soon gone")
    await node.cli("note", "delete", note?.id ?? "")
    await button("Save").click()
    await shows(page, "This row was deleted meanwhile.")
    await button("Save it as a new one").click()
    await closed()
    assert.strictEqual(await count("Not gone"), 1)
  })

  it("what is wrong with an input stands in the dialog, beside its field", async () => {
    await openNew()
    await page.keyboard.type("   ")
    await button("Save").click()
    const alert = dialog().getByRole("alert")
    await until(
      "the form says why",
      () => alert.innerText(),
      (text) => /^Nothing was written .*content has no text.*; correct this and write it again/.test(text)
    )
    assert.strictEqual(
      await dialog().locator("label", { hasText: "Content" }).locator(".problem").innerText(),
      "has no text"
    )
    assert.strictEqual(await dialog().locator("textarea").getAttribute("aria-invalid"), "true")
    assert.notInclude(await page.locator(".notice").innerText(), "Nothing was written")
    assert.deepStrictEqual(await findings(page), [])
    await fails(/\/notes$/, "POST")
    await dialog().locator("textarea").fill("Now with text")
    await button("Save").click()
    await until(
      "the form says that the node is gone",
      () => alert.innerText(),
      (text) => text.startsWith("The node does not answer; check that it runs")
    )
    await page.unroute(/\/notes$/)
    await button("Save").click()
    await closed()
    await shows(page, "Now with text")
    await page.goto(`${opened.origin}/#/memory?kind=knowledge`)
    await button("New fact").click()
    const confidence = page.getByLabel("Confidence")
    assert.deepStrictEqual([await confidence.getAttribute("min"), await confidence.getAttribute("max")], ["0", "1"])
    await page.keyboard.press("Escape")
    await closed()
    await page.goto(`${opened.origin}/#/memory?kind=notes`)
  })

  it("tags of a note are changed one by one, so that those of others stay", async () => {
    await node.cli("note", "add", "With tags", "--tag", "one", "--tag", "a, b")
    await page.getByRole("button", { name: "Change: With tags" }).click()
    const tags = dialog().getByLabel("Tag", { exact: false })
    assert.strictEqual(await tags.inputValue(), "one, a, b")
    await dialog().locator("textarea").fill("With the same tags")
    await button("Save").click()
    await closed()
    const tagsOf = async (content: string) => (await notes()).find((note) => note.content === content)?.tags
    assert.deepStrictEqual(await tagsOf("With the same tags"), ["one", "a, b"])
    await page.getByRole("button", { name: "Change: With the same tags" }).click()
    await tags.fill("two")
    await button("Save").click()
    await closed()
    assert.deepStrictEqual(await tagsOf("With the same tags"), ["two"])
    await shows(page, "two")
  })

  it("no long text is cut without a word and a way to the rest", async () => {
    const text = (name: string) => `${name} ${"and so on ".repeat(200)}end of ${name}`
    // By the page itself: the name of the origin is known to browsers alone.
    const send = async (path: string, data: object, method = "POST") => {
      const asked = { method, headers: { "content-type": "application/json" }, body: JSON.stringify(data) }
      const status = await page.evaluate(
        `fetch(${JSON.stringify(path)}, ${JSON.stringify(asked)}).then((r) => r.status)`
      )
      assert.isBelow(Number(status), 300, path)
    }
    await send("/facts", { subject: "printer", predicate: "does", object: text("object") })
    await send("/log", {
      session_id: "s",
      skill_id: "deploy",
      endpoint_id: "production",
      result_status: "succeeded",
      result_summary: text("result"),
      latency_ms: 12
    })
    await send("/kinds/todos!fields", { columns: ["title"] }, "PUT")
    await send("/kinds/todos/put?id=tea", { title: text("title") })
    const rest = page.getByRole("button", { name: "Show all of it (2.0 kB)" })
    for (const [kind, name] of [
      ["knowledge", "object"],
      ["execution_log", "result"],
      ["todos!fields", "title"]
    ] as const) {
      await page.goto(`${opened.origin}/#/memory?kind=${kind}`)
      await shows(page, `${name} and so on`)
      const shown = await page.locator(".rows").innerText()
      assert.include(shown, "…")
      assert.notInclude(shown, `end of ${name}`)
      // Words beside a long text stay whole.
      if (kind === "execution_log") {
        const box = await page.locator("tbody th").boundingBox()
        assert.isAbove(box?.width ?? 0, 120)
      }
      await rest.click()
      await shows(page, `end of ${name}`)
    }
    await page.goto(`${opened.origin}/#/live`)
    assert.include(await page.locator(".events").innerText(), "…")
    await page.goto(`${opened.origin}/#/memory?kind=notes`)
    await node.cli("note", "add", text("version"))
    const [note] = (await notes()).filter(({ content }) => content.startsWith("version"))
    await node.cli("note", "edit", note?.id ?? "", "short now")
    await page.getByRole("button", { name: "History: short now" }).click()
    await page.locator(".versions").getByRole("button", { name: "Show all of it (2.0 kB)" }).click()
    await shows(page, "end of version")
  })

  it("a deleted row is found after a while, and restored", async () => {
    await page.goto(`${opened.origin}/#/memory?kind=notes`)
    await node.cli("note", "add", "Deleted by mistake")
    await page.getByRole("button", { name: "Delete: Deleted by mistake" }).click()
    await button("Undo").waitFor()
    await page.reload()
    await page.getByRole("link", { name: "Deleted", exact: true }).click()
    await shows(page, "Deleted by mistake")
    assert.match(
      (await page.locator("article").allInnerTexts())[0] ?? "",
      new RegExp(`^Deleted by mistake\\s+note, deleted by ${node.id.slice(0, 8)}`)
    )
    assert.deepStrictEqual(await findings(page), [])
    await page.getByRole("button", { name: "Restore: Deleted by mistake" }).click()
    await until(
      "it has left the list",
      () => page.getByText("Deleted by mistake").count(),
      (left) => left === 0
    )
    assert.strictEqual(await count("Deleted by mistake"), 1)
    await page.getByRole("link", { name: /^Notes/ }).click()
    await shows(page, "Deleted by mistake")
  })

  it("the focus goes back to the button that opened a dialog, along with its row, and to a row after a deletion", async () => {
    const focus = () =>
      page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText")
    await node.cli("note", "add", "Below")
    await node.cli("note", "add", "Above")
    await shows(page, "Above")
    await button("New note").click()
    await dialog().waitFor()
    await page.keyboard.press("Escape")
    await closed()
    assert.strictEqual(await focus(), "New note")
    await page.getByRole("button", { name: "Change: Below" }).click()
    await dialog().locator("textarea").fill("Now on top")
    await button("Save").click()
    await closed()
    await until(
      "it is on top",
      () => page.locator(".rows article").first().innerText(),
      (text) => text.startsWith("Now on top")
    )
    assert.strictEqual(await focus(), "Change: Now on top")
    await page.getByRole("button", { name: "Delete: Now on top" }).click()
    await until("a row has the focus", focus, (label) => label === "History: Above")
    // The second click of two meets another row.
    const rows = () => page.locator(".rows article").count()
    const before = await rows()
    await page.getByRole("button", { name: "Delete: Above" }).dblclick()
    await until("one row has gone", rows, (after) => after === before - 1)
    await button("Undo").click()
    await until("it is back", rows, (after) => after === before)
    assert.notStrictEqual(await page.evaluate("document.activeElement === document.body"), true)
  })

  it("what can be done with a row is seen without a pointer above it", async () => {
    const opacity = await page.evaluate("getComputedStyle(document.querySelector('.actions')).opacity")
    assert.strictEqual(opacity, "1")
  })

  it("the log is narrowed down by what its rows have, for it is not searched by words", async () => {
    await page.goto(`${opened.origin}/#/memory?kind=execution_log`)
    await shows(page, "deploy")
    await page.getByLabel("Only status").fill("failed")
    await page.keyboard.press("Enter")
    await shows(page, "Nothing here yet.")
    assert.include(page.url(), "status=failed")
    await page.getByLabel("Only status").fill("succeeded")
    await page.keyboard.press("Enter")
    await shows(page, "deploy")
    assert.deepStrictEqual(await findings(page), [])
    assert.deepStrictEqual(opened.complaints, [])
  })
})
