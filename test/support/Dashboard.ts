/** The dashboard of a real node, opened in a browser as `feral-sync open` opens it. */
import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import type { BrowserContext, Page } from "playwright-core"
import { watched, type Watched } from "./Browser.ts"
import type { Node } from "./Nodes.ts"
import { root } from "./RepositoryText.ts"

const axe = readFileSync(join(root, "node_modules/axe-core/axe.min.js"), "utf8")

export interface Opened extends Watched {
  readonly url: string
  readonly origin: string
}

/** The address of the node for programs, which need not know the names that browsers know. */
export const localAddress = ({ origin }: Opened): string => `http://127.0.0.1:${new URL(origin).port}`

export const open = async (node: Node, within: BrowserContext): Promise<Opened> => {
  const { url } = await node.cli<{ readonly url: string }>("open")
  const { origin } = new URL(url)
  const opened = await watched(within, origin)
  await opened.page.goto(url)
  return { ...opened, url, origin }
}

/** Waits until the page shows a text. */
export const shows = (page: Page, text: string) => page.getByText(text).first().waitFor()

/** A port that was free a moment ago. */
export const freePort = (): Promise<string> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(String(typeof address === "object" ? address?.port : 0)))
    })
  })

/** What axe finds, as far as this says of it. */
interface Finding {
  readonly id: string
  readonly nodes: ReadonlyArray<{ readonly html: string }>
}

/** Runs axe in the page, past its policy: what it finds is shown in short. */
export const findings = async (page: Page): Promise<ReadonlyArray<string>> => {
  const session = await page.context().newCDPSession(page)
  await session.send("Runtime.evaluate", { expression: axe })
  const { result } = await session.send("Runtime.evaluate", {
    expression: "axe.run().then(({ violations }) => JSON.stringify(violations))",
    awaitPromise: true
  })
  await session.detach()
  return (JSON.parse(String(result.value)) as ReadonlyArray<Finding>).map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
}
