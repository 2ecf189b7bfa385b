/** The dashboard of real nodes in a real browser: one browser and two nodes for all of it. The tests go on from each other. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { launch, watched } from "../support/Browser.ts"
import { findings, freePort, open, type Opened, shows as showsOn } from "../support/Dashboard.ts"
import { needs } from "../support/Needs.ts"
import { type Node, Nodes, until } from "../support/Nodes.ts"

interface Box {
  readonly scrollWidth: number
  readonly clientWidth: number
}

describe.skipIf(needs("chromium"))("the dashboard", () => {
  const nodes = new Nodes()
  let browser: Browser
  let context: BrowserContext
  let home: Opened
  let page: Page
  let a: Node
  let b: Node
  let origin = ""

  const go = (path: string) => page.goto(`${origin}/#/${path}`)

  const texts = (selector: string) => page.locator(selector).allInnerTexts()

  const shows = (text: string, on = page) => showsOn(on, text)

  const first = async () => (await texts(".rows article .text"))[0]

  /** Waits until there are so many rows. */
  const has = (rows: number) =>
    until(
      `${rows} rows`,
      () => page.locator(".rows article").count(),
      (count) => count === rows
    )

  const sentence = () => page.locator(".sentence").innerText()

  /** Writes with the cookie of the browser, as the page does. */
  const post = async (path: string, data: object) =>
    page.evaluate(
      async ([path, body]) => {
        const headers = { "content-type": "application/json" }
        return (await fetch(path, { method: "POST", headers, body })).status
      },
      [path, JSON.stringify(data)] as const
    )

  beforeAll(async () => {
    a = await nodes.make({ FERAL_SYNC_API_PORT: "" }).start({ FERAL_SYNC_API_PORT: await freePort() })
    const [started, launched] = await Promise.all([nodes.make({ FERAL_SYNC_PEERS: a.address }).start(), launch()])
    b = started
    browser = launched
    context = await browser.newContext({ viewport: { width: 1180, height: 900 } })
  })

  afterAll(async () => {
    await browser?.close()
    await nodes.dispose()
  })

  it("a code signs in one browser, once, and no other one", async () => {
    home = await open(a, context)
    page = home.page
    origin = home.origin
    await shows("In sync with")
    assert.strictEqual(page.url(), `${origin}/`)
    const other = await browser.newContext()
    const { page: stranger } = await watched(other, origin)
    for (const address of [`${origin}/#/memory`, home.url, `${origin}/#code=wrong`]) {
      await stranger.goto("about:blank")
      await stranger.goto(address)
      await shows("Not signed in", stranger)
      assert.include(await stranger.locator(".locked").innerText(), "main.js open --home")
    }
    await other.close()
  })

  it("begins with the sentence of the status, and says of each node what either side lacks", async () => {
    const { summary } = await until(
      "in sync",
      () => a.status(),
      ({ summary }) => summary === `In sync with ${b.id}.`
    )
    await until("the page says so", sentence, (text) => text === summary)
    const cells = await texts("table tbody tr:first-child :is(th, td)")
    assert.match(cells[0] ?? "", new RegExp(`^${b.id}`))
    assert.deepStrictEqual(cells.slice(1, 4), ["in sync", "nothing", "nothing"])
    assert.match((await page.locator("svg.mesh").getAttribute("aria-label")) ?? "", /^This node and 1 other node\./)
  })

  it("adds a note by the keyboard alone", async () => {
    await page.keyboard.press("2")
    await shows("Nothing here yet.")
    await page.keyboard.press("n")
    await page.locator("dialog[open] textarea").waitFor()
    await page.keyboard.type("Water the plants on Friday")
    await page.keyboard.press("Tab")
    await page.keyboard.type("home, garden")
    await page.keyboard.press("Enter")
    await shows("Water the plants on Friday")
    assert.deepStrictEqual(await texts("article .tags a"), ["home", "garden"])
    await page.keyboard.press("n")
    await page.locator("dialog[open]").waitFor()
    await page.keyboard.press("Escape")
    await page.locator("dialog").waitFor({ state: "detached" })
  })

  it("shows what another node writes, without being asked", async () => {
    await b.cli("note", "add", "Written on the other machine", "--tag", "far")
    await shows("Written on the other machine")
    assert.strictEqual(await first(), "Written on the other machine")
    // Who wrote it, when, and on which node.
    const [from] = await texts(".rows article .provenance")
    assert.match(from ?? "", new RegExp(`^user · ${b.id.slice(0, 8)}… · (just now|\\d+ s ago)$`))
    await go("live")
    await b.cli("fact", "set", "printer", "stands on", "the second floor")
    await shows("printer stands on the second floor")
    assert.match((await texts(".events li"))[0] ?? "", /\bcame in\b[^]*fact added/)
  })

  it("finds while one types, and narrows down to a tag", async () => {
    await go("memory?kind=notes")
    await page.keyboard.press("/")
    await page.locator("#search:focus").waitFor()
    await page.keyboard.type("plan")
    await has(1)
    assert.deepStrictEqual(await texts(".rows article .text"), ["Water the plants on Friday"])
    assert.deepStrictEqual(await texts("mark"), ["plan"])
    await page.locator("#search").fill("")
    await shows("Written on the other machine")
    await page.getByRole("link", { name: "far" }).click()
    await has(1)
    assert.strictEqual(await first(), "Written on the other machine")
    await page.getByRole("link", { name: "Show all" }).click()
    await shows("Water the plants on Friday")
  })

  it("changes a note, deletes it, and takes that back", async () => {
    await page.getByRole("button", { name: "Change: Water" }).click()
    await page.locator("dialog textarea").fill("Water the plants on Saturday")
    await page.getByRole("button", { name: "Save" }).click()
    await shows("Water the plants on Saturday")
    await page.getByRole("button", { name: "Delete: Water" }).click()
    await page.getByRole("button", { name: "Undo" }).click()
    await shows("Water the plants on Saturday")
    await page.getByRole("button", { name: "Delete: Water" }).click()
    await has(1)
    // A deletion that can still be undone is done when the page goes.
    await page.reload()
    await until(
      "it is deleted",
      () => b.status(),
      ({ counts }) => counts.notes === 1 && counts.tombstones === 1
    )
  })

  it("shows the earlier versions of a note, and brings one back", async () => {
    await page.getByRole("button", { name: "History: Written" }).click()
    await shows("This node keeps no earlier version of it.")
    await page.getByRole("button", { name: "Change: Written" }).click()
    await page.locator("dialog textarea").fill("Overwritten by an agent")
    await page.getByRole("button", { name: "Save" }).click()
    await shows("Overwritten by an agent")
    const history = page.getByRole("button", { name: "History: Overwritten" })
    if ((await history.getAttribute("aria-expanded")) === "true") await history.click()
    await history.click()
    await page.locator(".versions").getByText("Written on the other machine").waitFor()
    await page.getByRole("button", { name: "Restore: Written" }).click()
    await until("it is back", first, (text) => text === "Written on the other machine")
    await until(
      "also on the other node",
      () => b.cli<ReadonlyArray<{ readonly content: string }>>("note", "list"),
      ([note]) => note?.content === "Written on the other machine"
    )
  })

  it("shows what last-writer-wins decided, and the connections of the peer with their ends", async () => {
    await go("overview")
    await page.getByRole("button", { name: `Pause: ${b.id}` }).click()
    await shows("Paused: nothing is exchanged with it until you resume.")
    await page.getByRole("button", { name: `Resume: ${b.id}` }).waitFor()
    await shows("paused")
    await shows(`Next: resume with feral-sync peers resume ${b.id}`)
    await go("conflicts")
    await shows("No conflicts.")
    await a.cli("fact", "set", "printer", "stands on", "the first floor")
    await b.cli("fact", "set", "printer", "stands on", "the third floor")
    await go("overview")
    await page.getByRole("button", { name: `Resume: ${b.id}` }).click()
    await shows("Resumed: this node connects to it again.")
    // Without waiting for the next time that it would be dialled.
    await page.getByRole("button", { name: `Sync now: ${b.id}` }).click()
    await until(
      "both have the later one",
      () => a.cli<ReadonlyArray<{ readonly object: string }>>("fact", "list"),
      (facts) => facts.some(({ object }) => object === "the third floor")
    )
    await page.getByRole("button", { name: `Connections: ${b.id}` }).click()
    await page.locator(".connections li").nth(1).waitFor()
    const [last, before] = await texts(".connections li")
    assert.match(last ?? "", /dialled by the peer \(127\.0\.0\.1\): open for \d+ s$/)
    assert.match(before ?? "", /: lasted \d+ (s|min); this node was told to pause$/)
    await go("conflicts")
    await shows("1 conflict")
    assert.deepStrictEqual(await texts(".conflict .text"), [
      "printer stands on the first floor",
      "printer stands on the third floor"
    ])
    await page.getByRole("button", { name: "Restore: printer" }).click()
    await until(
      "the earlier one is back, on both",
      () => b.cli<ReadonlyArray<{ readonly object: string }>>("fact", "list"),
      (facts) => facts.some(({ object }) => object === "the first floor")
    )
  })

  it("shows markup, links and marks of direction as the text that they are, and the beginning of 8 MiB", async () => {
    const hostile = '<img src=x onerror="window.broken = 1"><script>window.broken = 1</script> javascript:alert(1)'
    assert.strictEqual(await post("/notes", { content: `${hostile} \u202egnp.exe`, tags: ["<b>bold</b>"] }), 200)
    assert.strictEqual(await post("/notes", { content: "large ".repeat(1_300_000) }), 200)
    await go("memory?kind=notes")
    await shows("window.broken")
    assert.include((await texts(".rows article .text")).join("\n"), `${hostile} [U+202E]gnp.exe`)
    assert.include(await texts(".tags a"), "<b>bold</b>")
    assert.strictEqual(await page.locator("main img, main script, main b, main a[href^='javascript']").count(), 0)
    assert.isUndefined(await page.evaluate(() => (globalThis as { broken?: number }).broken))
    await page.getByRole("button", { name: "Show all of it (7.8 MB)" }).waitFor()
    assert.isBelow((await page.locator("main").innerText()).length, 10_000)
    await page.getByRole("button", { name: "Delete: large" }).click()
  })

  it("has the facts of a subject, episodes by session, and the log with status and latency", async () => {
    await post("/facts", { subject: "office", predicate: "closes at", object: "20:00" })
    await post("/episodes", { session_id: "s1", event_type: "decision", summary: "Took the train", detail: "At noon" })
    await post("/episodes", { session_id: "s2", event_type: "result", summary: "Arrived" })
    await post("/log", {
      session_id: "s1",
      skill_id: "search",
      endpoint_id: "e",
      result_status: "failed",
      latency_ms: 1234
    })
    await go("memory?kind=knowledge")
    await page.getByRole("link", { name: "printer" }).click()
    await has(1)
    assert.strictEqual(await first(), "printer stands on the first floor")
    await go("memory?kind=episodes")
    await shows("Took the train")
    assert.deepStrictEqual(
      (await texts(".session a")).map((session) => session.trim()),
      ["s2", "s1"]
    )
    await page.getByRole("link", { name: "s1" }).click()
    await has(1)
    await go("memory?kind=execution_log")
    await shows("1,234 ms")
    assert.match((await texts("tbody tr"))[0] ?? "", /search[^]*failed[^]*1,234 ms/)
  })

  for (const scheme of ["light", "dark"] as const) {
    it(`has no barrier that axe finds, ${scheme}, narrow or wide`, async () => {
      await page.emulateMedia({ colorScheme: scheme })
      await page.setViewportSize({ width: scheme === "dark" ? 390 : 1180, height: 900 })
      for (const path of [
        "overview",
        "memory?kind=notes",
        "memory?kind=knowledge",
        "memory?deleted",
        "memory?kind=episodes",
        "memory?kind=execution_log",
        "conflicts",
        "live",
        "problems"
      ]) {
        await go(path)
        const found = await findings(page)
        assert.deepStrictEqual(found, [], path)
      }
      await go("memory?kind=knowledge")
      await page
        .getByRole("button", { name: /^Change: / })
        .first()
        .click()
      await page.locator("dialog[open]").waitFor()
      assert.deepStrictEqual(await findings(page), [], "the dialog")
      await page.keyboard.press("Escape")
      await page.locator("dialog").waitFor({ state: "detached" })
      assert.isAtMost(await page.locator("html").evaluate((html: Box) => html.scrollWidth - html.clientWidth), 0)
    })
  }

  it("the dashboard says why a node is absent, and what to do", async () => {
    await page.setViewportSize({ width: 1180, height: 900 })
    await b.stop("SIGKILL")
    await go("problems")
    await until("it is missed", sentence, (text) => /it lacks (nothing|\d+ operations?) of ours/.test(text))
    await shows("1 problem")
    assert.include(await page.locator(".trouble h2").first().innerText(), b.id)
    assert.match(await page.locator(".trouble .step").first().innerText(), /^Next: .{10}/)
    // The same after a restart, when nothing is known of it but what it acknowledged.
    await a.stop()
    await a.start({ FERAL_SYNC_PORT: String(a.port), FERAL_SYNC_API_PORT: new URL(page.url()).port })
    await until("the node is back", sentence, (text) => text.includes("Start it; if it is gone for good"))
    await shows("1 problem")
    assert.strictEqual(await page.locator(".trouble h2").innerText(), b.id)
    await go("overview")
    await shows("Next: start it; if it is gone for good, run feral-sync peers remove with its id")
    assert.notInclude(await page.locator("main table").innerText(), "never")
    await page.getByRole("button", { name: `Sync now: ${b.id}` }).click()
    await shows("This node cannot dial it, because it knows no address of it")
  })

  it("shows nothing of the memory any more when the token was rotated", async () => {
    await go("memory?kind=notes")
    await shows("Written on the other machine")
    await a.cli("token", "rotate")
    await page.reload()
    await shows("Not signed in")
    assert.strictEqual(await page.getByText("Written on the other machine").count(), 0)
  })

  it("the dashboard makes requests only to its node, and keeps its own security policy", () => {
    assert.deepStrictEqual(home.complaints, [])
  })
})
