/**
 * `open`: leads a browser to the dashboard of the running node.
 *
 * The address has a name of the node that browsers alone take for this machine, and that no other program knows. It
 * contains a code that lets one browser in, once. Other users can see the arguments of a program, so the browser is
 * given a page in the data directory that leads there, and never the address itself.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { spawn } from "node:child_process"
import { pathToFileURL } from "node:url"
import * as Config from "../services/node/Config.ts"
import * as Home from "../services/node/Home.ts"
import * as Access from "./Access.ts"
import { WrongUsage } from "./Failure.ts"
import * as Globals from "./Globals.ts"
import { writeJson, writeLine } from "./Output.ts"

export const command = Command.make(
  "open",
  {
    print: Globals.Switch("print").pipe(
      Flag.withDescription("Only print the address; do not start a browser"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(
    function* ({ print }) {
      const home = yield* Config.loadHome(yield* Globals.Home)
      const { signInCode } = yield* Access.client(home)
      const { code, host, port, expires_at: until } = yield* signInCode
      if (port === null) {
        return yield* new WrongUsage({
          problem: "the node serves no dashboard",
          nextStep: "start it with --api-port 9091, or another free port"
        })
      }
      if (host === null) {
        return yield* new WrongUsage({
          problem: `another program has port ${port} of ::1, so a browser would not come to the node`,
          nextStep: "start the node with --api-port and another free port"
        })
      }
      const url = `http://${host}:${port}/#code=${code}`
      const isShown = !print && !(yield* Globals.Json) && hasScreen() && (yield* show(home, url))
      if (yield* Globals.Json) return yield* writeJson({ url, expires_at: until })
      yield* writeLine(
        isShown
          ? `Opened http://${host}:${port} in the browser. If no page appears, use this address within 5 minutes:\n${url}`
          : `Open this address in a browser on this machine. It works once, within 5 minutes:\n${url}`
      )
    },
    Effect.scoped,
    Effect.provide(NodeFileSystem.layer)
  )
).pipe(
  Command.withDescription(
    "Open the dashboard of the running node in a browser. The address signs the browser in and works only once."
  ),
  Command.withShortDescription("Open the dashboard in a browser"),
  Command.withExamples([{ command: "feral-sync open" }, { command: "feral-sync open --print" }])
)

/** Whether a browser can be shown to the person who runs the command. */
const hasScreen = (): boolean =>
  process.stdout.isTTY &&
  (process.platform !== "linux" || process.env["DISPLAY"] !== undefined || process.env["WAYLAND_DISPLAY"] !== undefined)

/** Whether a browser was started on a page that leads to `url`. */
const show = Effect.fnUntraced(function* (home: string, url: string) {
  const { open: file } = Home.paths(home)
  const lead = `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=${url}">\n`
  yield* Home.writeSecret(file, lead)
  const page = pathToFileURL(file).href
  const [program, ...args] =
    process.platform === "darwin"
      ? ["open", page]
      : process.platform === "win32"
        ? ["explorer.exe", page]
        : ["xdg-open", page]
  return yield* Effect.callback<boolean>((resume) => {
    const child = spawn(program ?? "xdg-open", args, { stdio: "ignore", detached: true })
    child.once("error", () => resume(Effect.succeed(false)))
    child.once("spawn", () => {
      child.unref()
      resume(Effect.succeed(true))
    })
  })
})
