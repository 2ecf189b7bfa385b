/**
 * What keeps a node from starting beside another one on the same machine. The message names the node or program that is
 * in the way, and the command that starts a second node.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Option, Result } from "effect"
import { basename, resolve } from "node:path"
import { connect } from "../services/admin/api/Client.ts"
import type { Settings } from "../services/node/Config.ts"
import { defaultHome } from "../services/node/Variables.ts"
import { ListenFailed, StoreUnavailable } from "../services/node/NodeFailure.ts"
import { codeOf } from "../services/node/FileError.ts"
import * as Home from "../services/node/Home.ts"
import { commandLine, quoted } from "../services/node/Invocation.ts"
import { userHome } from "../services/node/UserHome.ts"
import * as PortOwner from "../services/node/PortOwner.ts"

/** The same failure, with the process that is in the way. */
export const explained = Effect.fnUntraced(function* <E>(error: E, settings: Settings) {
  if (error instanceof StoreUnavailable && error.reason === "locked") return yield* locked(error, settings)
  if (error instanceof ListenFailed && codeOf(error) === "EADDRINUSE") return yield* taken(error, settings)
  return error
})

/** The data directory is in use: by a node, or by another command. */
const locked = Effect.fnUntraced(function* (error: StoreUnavailable, { home }: Settings) {
  const { reason } = error
  const port = yield* portOf(home)
  if (port === undefined) {
    const detail = `another command is using ${home}`
    return new StoreUnavailable({ reason, detail, advice: "wait until it has finished, and try again" })
  }
  const owner = PortOwner.of(port)
  const detail = `a node is already running in ${home}: ${owner === undefined ? "" : `process ${owner.pid}, `}port ${port}`
  const advice = `see it with ${commandLine("status")}, or use another data directory (--home DIR)`
  return new StoreUnavailable({ reason, detail, advice })
})

/** The port is in use: by another node of this machine, or by another program. */
const taken = Effect.fnUntraced(function* (error: ListenFailed, settings: Settings) {
  const owner = PortOwner.of(settings.port)
  const other = yield* nodeOn(settings.port, owner)
  if (other?.home === settings.home)
    return yield* locked(new StoreUnavailable({ reason: "locked", detail: "" }), settings)
  const name = owner?.words
    .slice(0, 3)
    .map((word) => basename(word))
    .join(" ")
  const detail = [
    other === undefined ? "another program uses the port" : "another node uses the port",
    ...(owner === undefined ? [] : [`process ${owner.pid}, ${name}`])
  ].join(": ")
  const advice =
    other === undefined
      ? `stop it, or use another port: ${commandLine("start --port 0")}`
      : `stop it, or start a second node beside it: ${secondNode(settings, other)}`
  return new ListenFailed({ address: error.address, detail, advice })
})

/**
 * The one line that starts a node beside another one. It needs a port, an API port and a home of its own, and one
 * passphrase.
 */
const secondNode = ({ home, passphrase }: Settings, other: Other): string => {
  const file = Option.isSome(passphrase) ? undefined : (other.passphraseFile ?? "FILE-WITH-ITS-PASSPHRASE")
  const given = file === undefined ? "" : ` --passphrase-file ${quoted(file)}`
  return commandLine(`start --home ${quoted(home)} --port 0 --api-port 0${given}`)
}

interface Other {
  readonly home: string
  readonly passphraseFile: string | undefined
}

/**
 * The data directories that a process may have, absolute: what stands in its command line, in its environment, and the
 * usual one of its user. Those of this process stand in for what cannot be known of another.
 */
const homesOf = (owner: PortOwner.Owner | undefined): ReadonlyArray<string> => {
  const words = owner?.words ?? []
  const at = words.findLastIndex((word) => word === "--home" || word.startsWith("--home="))
  const named = at === -1 ? undefined : words[at] === "--home" ? words[at + 1] : words[at]?.slice("--home=".length)
  const { directory = "", variable = () => undefined } = owner ?? {}
  const theirs = [named, variable("FERAL_HOME"), "~/.feral"].flatMap((path) =>
    path === undefined || path.trim() === ""
      ? []
      : [resolve(directory, path.trim().replace(/^~(?=$|\/)/, variable("HOME") ?? userHome() ?? "~"))]
  )
  const ours = Result.getOrUndefined(defaultHome())
  return [
    ...theirs,
    ...[process.env["FERAL_HOME"] || ours, ours].flatMap((path) => (path === undefined ? [] : resolve(path)))
  ]
}

/** The node that listens on a port, if its data directory can be known. */
const nodeOn = Effect.fnUntraced(function* (port: number, owner: PortOwner.Owner | undefined) {
  for (const home of new Set(homesOf(owner))) {
    if ((yield* portOf(home)) !== port) continue
    const { passphrase } = Home.paths(home)
    const fs = yield* FileSystem.FileSystem
    const isThere = yield* Effect.orElseSucceed(fs.exists(passphrase), () => false)
    return { home, passphraseFile: isThere ? passphrase : undefined } satisfies Other
  }
  return undefined
}, Effect.provide(NodeFileSystem.layer))

/** The port of the node that answers in a data directory. */
const portOf = (home: string): Effect.Effect<number | undefined> =>
  connect(home).pipe(
    Effect.flatMap(
      Option.match({
        onNone: () => Effect.succeed(undefined),
        onSome: ({ status }) => Effect.map(status, ({ port }) => port ?? undefined)
      })
    ),
    Effect.scoped,
    Effect.catchCause(() => Effect.succeed(undefined))
  )
