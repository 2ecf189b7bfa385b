/**
 * `token`: what programs show on the port of the local interface.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import * as Config from "../services/node/Config.ts"
import * as Home from "../services/node/Home.ts"
import { commandLine, quoted } from "../services/node/Invocation.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { writeJson, writeLine } from "./Output.ts"

const rotate = Command.make(
  "rotate",
  {},
  Effect.fnUntraced(function* () {
    const home = yield* Config.loadHome(yield* Globals.Home)
    yield* Access.exists(home)
    yield* Home.prepare(home)
    const Token = yield* Effect.promise(() => import("../services/admin/api/Token.ts"))
    yield* Token.rotate(home)
    const { token: file } = Home.paths(home)
    if (yield* Globals.Json) return yield* writeJson({ file })
    yield* writeLine(
      [
        `The new token is in ${file}. The old one is no longer accepted, and browsers have to sign in again.`,
        "",
        ...(yield* uses(home, file))
      ].join("\n")
    )
  }, Effect.provide(NodeFileSystem.layer))
).pipe(
  Command.withDescription(
    "Replace the token of the local API. A running node stops accepting the old one immediately."
  ),
  Command.withShortDescription("Replace the token of the local API"),
  Command.withExamples([{ command: "feral-sync token rotate" }])
)

/** How the token is used, at the port that the node has. */
const uses = Effect.fnUntraced(function* (home: string, file: string) {
  const node = Option.getOrUndefined(yield* Access.running(home))
  if (node === undefined) return [`No node is running: start it, and see its port with ${commandLine("status")}`]
  const { api_port: port } = yield* node.status
  if (port === null) return ["The node serves no port: start it with --api-port 9091, or another free port"]
  return [
    `Programs: curl -H "Authorization: Bearer $(cat ${quoted(file)})" http://127.0.0.1:${port}/notes`,
    `Browser:  ${commandLine("open")}`
  ]
}, Effect.scoped)

export const command = Command.make("token").pipe(
  Command.withDescription(
    "The token of the local API. It is in the file token of the data directory. A program with the token can read and write the memory."
  ),
  Command.withShortDescription("Manage the token of the local API"),
  Command.withSubcommands([rotate])
)
