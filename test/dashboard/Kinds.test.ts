/** Rows of kinds that the dashboard does not name, as that of a real node shows them in a real browser. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Logger, ManagedRuntime, Layer, Option, Redacted, Schema } from "effect"
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { Browser } from "playwright-core"
import * as FeralSync from "../../src/FeralSync.ts"
import * as StaticDiscovery from "../../src/services/discovery/StaticDiscovery.ts"
import * as Kind from "../../src/services/memory/Declaration.ts"
import { launch } from "../support/Browser.ts"
import { findings, freePort, localAddress, open, type Opened, shows } from "../support/Dashboard.ts"
import { fifthKind } from "../support/FifthKind.ts"
import { needs } from "../support/Needs.ts"
import { type Node, Nodes, until } from "../support/Nodes.ts"

interface Box {
  readonly scrollWidth: number
  readonly clientWidth: number
}

describe.skipIf(needs("chromium"))("the dashboard of kinds of applications", () => {
  const nodes = new Nodes()
  let browser: Browser
  let node: Node
  let opened: Opened

  /** Writes as the program of the kind does. */
  const send = async (method: string, path: string, body: object) => {
    const authorization = `Bearer ${readFileSync(`${node.home}/token`, "utf8").trim()}`
    const headers = { authorization, "content-type": "application/json" }
    const answer = await fetch(`${localAddress(opened)}${path}`, { method, headers, body: JSON.stringify(body) })
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

describe.skipIf(needs("chromium"))("the dashboard of a version with a fifth kind", () => {
  const nodes = new Nodes()
  let tree: string
  let browser: Browser
  let opened: Opened

  const texts = (selector: string) => opened.page.locator(selector).allInnerTexts()

  beforeAll(async () => {
    tree = fifthKind()
    const node = nodes.make({ FERAL_SYNC_API_PORT: await freePort() }, [], join(tree, "src/main.ts"))
    const [, launched] = await Promise.all([node.start(), launch()])
    browser = launched
    opened = await open(node, await browser.newContext({ viewport: { width: 390, height: 900 }, colorScheme: "dark" }))
  })

  afterAll(async () => {
    await browser?.close()
    await nodes.dispose()
    rmSync(tree, { recursive: true })
  })

  it("counts its rows, and has a form with its columns and their defaults, by the keyboard alone", async () => {
    const { page, origin } = opened
    await shows(page, "plans")
    await page.goto(`${origin}/#/memory?kind=plans`)
    await shows(page, "New plan")
    await page.keyboard.press("n")
    await page.locator("dialog[open]").waitFor()
    assert.deepStrictEqual(
      (await texts("dialog label")).map((label) => label.trim()),
      ["Goal", "Steps, with commas between them", "Effort", "Open, as JSON"]
    )
    assert.deepStrictEqual(await findings(page), [])
    assert.strictEqual(await page.getByLabel("Effort").inputValue(), "1")
    await page.keyboard.type("Water the plants")
    await page.keyboard.press("Tab")
    await page.keyboard.type("can, tap")
    await page.getByLabel("Open, as JSON").fill("{")
    await page.getByRole("button", { name: "Save" }).click()
    await shows(page, "Open is not JSON.")
    await page.getByLabel("Open, as JSON").fill('{"by":"noon"}')
    await page.getByLabel("Effort").fill("3")
    await page.keyboard.press("Enter")
    await shows(page, "The plan was saved.")
    await until(
      "it is counted",
      () => texts("nav.kinds a"),
      (all) => all.includes("Plans 1")
    )
    await until(
      "it is shown",
      () => texts(".rows article"),
      ([row = ""]) => /^Water the plants\s+Effort 3\s+Steps\s+\["can","tap"\]\s+Open\s+{"by":"noon"}/.test(row)
    )
    await page.goto(`${origin}/#/overview`)
    await until(
      "also on the first page",
      () => texts(".figures div"),
      (all) => all.some((text) => /^plans\s+1$/.test(text))
    )
  })

  it("finds its rows, names them as they come, and deletes them with a way back", async () => {
    const { page, origin } = opened
    await page.goto(`${origin}/#/memory?kind=plans`)
    await page.keyboard.press("n")
    await page.locator("dialog[open]").waitFor()
    await page.keyboard.type("Paint the fence")
    await page.getByRole("button", { name: "Save" }).click()
    await shows(page, "Paint the fence")
    await page.keyboard.press("/")
    await page.locator("#search:focus").waitFor()
    await page.keyboard.type("wat")
    await until(
      "found",
      () => texts(".rows article .text"),
      (all) => all.join() === "Water the plants"
    )
    assert.deepStrictEqual(await texts("mark"), ["Wat"])
    await page.locator("#search").fill("")
    await shows(page, "Paint the fence")
    assert.strictEqual(await page.getByRole("button", { name: /^Change/ }).count(), 0)
    await page.getByRole("button", { name: "Delete: Paint" }).click()
    await page.getByRole("button", { name: "Undo" }).click()
    await shows(page, "Paint the fence")
    assert.deepStrictEqual(await findings(page), [])
    await page.goto(`${origin}/#/live`)
    await shows(page, "plan added")
    assert.match((await texts(".events li"))[0] ?? "", /plan added[^]*Paint the fence/)
    assert.isAtMost(await page.locator("html").evaluate((html: Box) => html.scrollWidth - html.clientWidth), 0)
    assert.deepStrictEqual(opened.complaints, [])
  })
})

const Task = Kind.make("tasks", {
  rule: "fields",
  row: Schema.Struct({
    title: Schema.String,
    done: Schema.Boolean,
    size: Schema.Literals(["small", "large"]),
    due: Schema.optionalKey(Schema.String)
  }),
  search: ["title"]
})

describe.skipIf(needs("chromium"))("the dashboard of an application with a kind of its own", () => {
  const nodes = new Nodes()
  let browser: Browser
  let opened: Opened
  let stop: () => Promise<void>

  const rows = () => opened.page.locator(".rows article").allInnerTexts()

  beforeAll(async () => {
    const node = nodes.make()
    const settings = {
      home: node.home,
      host: "127.0.0.1",
      port: 0,
      apiPort: Number(await freePort()),
      passphrase: Option.some(Redacted.make("a passphrase for tests"))
    }
    const layer = FeralSync.layer({ ...settings, kinds: [Task] }, { discovery: StaticDiscovery.layerNone })
    const runtime = ManagedRuntime.make(Layer.provideMerge(layer, Logger.layer([])))
    stop = () => runtime.dispose()
    await runtime.runPromise(
      Effect.gen(function* () {
        const tasks = yield* Task
        yield* tasks.put({ title: "buy tea", done: false, size: "small" })
      })
    )
    browser = await launch()
    opened = await open(node, await browser.newContext({ viewport: { width: 1180, height: 900 } }))
  })

  afterAll(async () => {
    await browser?.close()
    await stop?.()
    await nodes.dispose()
  })

  it("has its rows, finds them, and writes what fits its schema", async () => {
    const { page, origin } = opened
    await page.goto(`${origin}/#/memory`)
    await page.getByRole("link", { name: "tasks" }).click()
    await shows(page, "buy tea")
    await page.keyboard.press("n")
    await page.locator("dialog[open]").waitFor()
    await page.keyboard.type("buy milk")
    await page.getByLabel("Done").check()
    await page.getByLabel("Size").selectOption("large")
    await page.getByLabel("Due").fill("tomorrow")
    assert.deepStrictEqual(await findings(page), [])
    await page.getByRole("button", { name: "Save" }).click()
    const [first] = await until("the new row", rows, (all) => all.length === 2)
    assert.match(first ?? "", /^buy milk\s+id\s+\S+\s+done\s+true\s+due\s+tomorrow\s+size\s+large/)
    await page.getByRole("button", { name: "Change: buy milk" }).click()
    await page.getByLabel("Done").uncheck()
    await page.getByLabel("Due").fill("")
    await page.getByRole("button", { name: "Save" }).click()
    const [changed] = await until("the change", rows, ([row]) => /done\s+false/.test(row ?? ""))
    assert.notInclude(changed ?? "", "due")
    await page.locator("#search").fill("mil")
    await until("found", rows, (all) => all.length === 1)
    await page.getByRole("button", { name: "Delete: buy milk" }).click()
    await page.locator("#search").fill("")
    await until("deleted", rows, ([row, ...others]) => others.length === 0 && row?.startsWith("buy tea") === true)
    assert.deepStrictEqual(opened.complaints, [])
  })
})
