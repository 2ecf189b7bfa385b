/** A real Chromium that looks at pages of nodes on this machine. Whatever it asks of another place, or complains of, is noted. */
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core"

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage"
]

/** Starts the browser, with a profile of its own. */
export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: "/usr/bin/chromium", args: flags, headless: true })

export interface Watched {
  readonly page: Page
  /** Requests to other places, errors of scripts, and what the security policy stopped. */
  readonly complaints: Array<string>
}

/** A page in which everything that should not happen is noted. */
export const watched = async (context: BrowserContext, origin: string): Promise<Watched> => {
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const complaints: Array<string> = []
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`)) complaints.push(`request to ${request.url()}`)
  })
  page.on("pageerror", (error) => complaints.push(error.message))
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      complaints.push(message.text())
  })
  page.on("dialog", (dialog) => {
    complaints.push(`dialog ${dialog.message()}`)
    void dialog.dismiss()
  })
  return { page, complaints }
}
