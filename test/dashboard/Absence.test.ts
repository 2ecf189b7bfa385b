/** What the dashboard says while its node does not answer, and while nobody is signed in: nothing that it cannot know. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Browser, Page } from "playwright-core"
import { launch } from "../support/Browser.ts"
import { findings, freePort, open, type Opened, shows } from "../support/Dashboard.ts"
import { needs } from "../support/Needs.ts"
import { type Node, Nodes, until } from "../support/Nodes.ts"

describe.skipIf(needs("chromium"))("the dashboard of a node that is not there", () => {
  const nodes = new Nodes()
  let browser: Browser
  let node: Node
  let opened: Opened
  let page: Page

  const main = () => page.locator("main").innerText()
  const go = (path: string) => page.goto(`${opened.origin}/#/${path}`)

  beforeAll(async () => {
    node = nodes.make({ FERAL_SYNC_API_PORT: await freePort() })
    const [, launched] = await Promise.all([node.start(), launch()])
    browser = launched
    opened = await open(node, await browser.newContext({ viewport: { width: 1180, height: 800 } }))
    page = opened.page
    await shows(page, "No other node yet")
  })

  afterAll(async () => {
    await browser?.close()
    await nodes.dispose()
  })

  it("says how the next node comes to be, by the commands as this one was started", async () => {
    const commands = await page.locator("section[aria-labelledby=alone] pre").allInnerTexts()
    assert.strictEqual(commands.length, 1)
    // The passphrase is given by the environment, and mDNS is off.
    assert.match(await main(), /The passphrase is the one in the configuration of this node\./)
    assert.match(
      commands[0] ?? "",
      new RegExp(`^node \\S*main\\.[jt]s start --passphrase-file - --peers THIS-MACHINE:${node.port}$`)
    )
    assert.include(await main(), "Put the address of this machine in the place of THIS-MACHINE")
    const withFile = nodes.make({ FERAL_SYNC_PASSPHRASE: undefined, FERAL_SYNC_API_PORT: await freePort() })
    await withFile.start()
    const other = await open(withFile, await browser.newContext())
    await shows(other.page, `cat ${withFile.home}/passphrase`)

    // The form opens from a page that was never on the memory, too.
    await other.page.keyboard.press("n")
    await other.page.locator("dialog[open] textarea").waitFor()
    await other.page.close()
    await withFile.stop()
  })

  it("says that rows could not be read, not that there are none, and reads them when it is asked again", async () => {
    await node.cli("note", "add", "Here all the time")
    await node.stop("SIGKILL")
    const sentence = page.locator(".sentence")
    await until(
      "the sentence says it",
      () => sentence.innerText(),
      (text) => text === "The node does not answer; check that it runs: feral-sync status."
    )
    await shows(page, "What follows is as it was")
    for (const path of ["memory?kind=notes", "memory?kind=episodes", "conflicts"]) {
      await go(path)
      await shows(page, "These rows could not be read. The node does not answer; check that it runs")
      assert.notMatch(await main(), /Nothing here yet|No conflicts|Nothing found/, path)
    }
    assert.deepStrictEqual(await findings(page), [])
    await go("problems")
    await shows(page, "Next: check that it runs")
    assert.notInclude(await main(), "No problems.")
    await go("live")
    await shows(page, "While the node does not answer")
    await go("memory?kind=notes")
    await node.start({ FERAL_SYNC_PORT: String(node.port) })
    await page.getByRole("button", { name: "Try again" }).click()
    await shows(page, "Here all the time")
    await until("it is known again", main, (text) => !text.includes("could not be read"))
  })

  it("removes all of the memory from an open page when the token was rotated, and counts nothing that it cannot see", async () => {
    await page.keyboard.press("n")
    await page.locator("dialog[open] textarea").fill("Half a thought")
    await node.cli("token", "rotate")
    await shows(page, "Not signed in")
    const whole = await page.locator("body").innerText()
    assert.notInclude(whole, "Here all the time")
    assert.strictEqual(await page.locator("dialog").count(), 0)
    await go("overview")
    await shows(page, "No other node yet")
    assert.notMatch(await main(), /See them|since this page was opened/)
    const locked = await page.locator(".locked").boundingBox()
    const figures = await page.locator(".figures").boundingBox()
    assert.isBelow(locked?.y ?? Infinity, figures?.y ?? 0)
    assert.isBelow((locked?.y ?? Infinity) + (locked?.height ?? 0), 800)
    // The way in, as this node was started.
    assert.match(await page.locator(".locked code").innerText(), /^node \S*main\.[jt]s open --home \S+$/)
    assert.deepStrictEqual(opened.complaints, [])
  })
})
