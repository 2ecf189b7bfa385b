/**
 * The passphrase that all nodes of a network share, and the key that is derived from it.
 *
 * It comes from the configuration, else from the file `passphrase` in the data directory. Otherwise it is created: 32
 * random bytes, written atomically with mode 0600. It is never empty, and never shown: a user who needs it reads the
 * file.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Effect, FileSystem, Layer, Option, type PlatformError, Redacted, Result, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { deriveKey } from "../../core/sync/Handshake.ts"
import { type Advised, messageOf } from "../../core/text/Explained.ts"
import * as PlainText from "../../core/text/PlainText.ts"
import { Config } from "./Config.ts"
import type { StoreUnavailable } from "./NodeFailure.ts"
import { elsewhere, explain } from "./FileError.ts"
import * as Home from "./Home.ts"

/** There is a passphrase, and it cannot be used. */
export class PassphraseInvalid extends Schema.TaggedError<PassphraseInvalid>()("PassphraseInvalid", {
  /** Where it comes from: a variable or a file. */
  source: Schema.String,
  problem: Schema.String,
  nextStep: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override readonly message = `${this.source}: ${messageOf(this, ": ")}`
}

/** A passphrase and its key. */
export interface Secret {
  readonly passphrase: Redacted.Redacted<string>
  readonly key: Effect.Effect<Redacted.Redacted<Uint8Array>>
}

export class Passphrase extends Context.Service<
  Passphrase,
  {
    readonly passphrase: Redacted.Redacted<string>
    /** Whether it was made just now: the other nodes do not have it yet. */
    readonly isNew: boolean
    /** The file that it is kept in; none when the configuration gave it. */
    readonly file: Option.Option<string>
    /** The key, derived when it is first asked for, and once. */
    readonly key: Effect.Effect<Redacted.Redacted<Uint8Array>>
    /** The passphrase before, while it is being changed: still accepted, and shown where the present one is refused. */
    readonly previous?: Secret | undefined
  }
>()("feral-sync/services/node/Passphrase") {
  /** Makes the data directory if it is not there, and keeps a passphrase that it makes in it. */
  static readonly layer: Layer.Layer<Passphrase, PassphraseInvalid | StoreUnavailable, Config> = Layer.effect(
    Passphrase,
    Effect.gen(function* () {
      yield* Home.prepare((yield* Config).home)
      return yield* make((home) => kept(Home.paths(home).passphrase))
    })
  ).pipe(Layer.provide(NodeFileSystem.layer))

  /** Keeps nothing: without a configured passphrase, each node has one of its own, and meets no other. */
  static readonly layerMemory: Layer.Layer<Passphrase, PassphraseInvalid | StoreUnavailable, Config> = Layer.effect(
    Passphrase,
    Effect.suspend(() =>
      make(() =>
        Effect.sync(() => ({
          passphrase: Redacted.make(random()),
          previous: Option.none(),
          isNew: true,
          file: undefined
        }))
      )
    )
  ).pipe(Layer.provide(NodeFileSystem.layer))
}

/** What a file or standard input holds: the passphrase, and on a second line the old one. */
export interface Held {
  readonly passphrase: Redacted.Redacted<string>
  readonly previous: Option.Option<Redacted.Redacted<string>>
}

interface Found extends Held {
  readonly isNew: boolean
  readonly file: string | undefined
}

const make = Effect.fnUntraced(function* <E, R>(otherwise: (home: string) => Effect.Effect<Found, E, R>) {
  const settings = yield* Config
  const { passphrase, previous, isNew, file } = Option.isSome(settings.passphrase)
    ? {
        passphrase: settings.passphrase.value,
        previous: settings.passphrasePrevious,
        isNew: false,
        file: undefined
      }
    : yield* otherwise(settings.home)
  if ((yield* textOf(passphrase)) === "") {
    return yield* new PassphraseInvalid({
      source: "FERAL_SYNC_PASSPHRASE",
      problem: "an empty passphrase is never accepted",
      nextStep: "give one, or leave the variable out"
    })
  }
  const { key } = yield* secretOf(passphrase)
  return Passphrase.of({
    passphrase,
    isNew,
    file: Option.fromUndefinedOr(file),
    key,
    previous: Option.isSome(previous) ? yield* secretOf(previous.value) : undefined
  })
})

const textOf = (passphrase: Redacted.Redacted<string>) =>
  Effect.try({
    try: () => Redacted.value(passphrase),
    // A secret is known only to the copy of Effect that redacted it.
    catch: (cause) =>
      new PassphraseInvalid({
        source: "passphrase",
        problem: "it was redacted by a second copy of effect",
        nextStep: "install only one version of effect (npm ls effect)",
        cause
      })
  })

/** Its key is derived when it is first asked for, and once. */
const secretOf = Effect.fnUntraced(function* (passphrase: Redacted.Redacted<string>) {
  const text = yield* textOf(passphrase)
  const derived = Effect.sync(() => Redacted.make(deriveKey(text), { label: "passphrase key" }))
  return { passphrase, key: yield* Effect.cached(derived) } satisfies Secret
})

export const random = () => randomBytes(32).toString("base64url")

/** The passphrase in the file, which is written if it is not there. */
const kept = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const isThere = yield* fs.exists(file).pipe(Effect.mapError(Home.unusable(file)))
  if (!isThere) {
    const passphrase = random()
    yield* Home.writeSecret(file, `${passphrase}\n`)
    return { passphrase: Redacted.make(passphrase), previous: Option.none(), isNew: true, file } satisfies Found
  }
  return { ...(yield* fromFile(file)), isNew: false, file } satisfies Found
})

/** The passphrase in a file, and the one before. */
export const fromFile = Effect.fn("Passphrase.fromFile")(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const { type, mode, uid } = yield* fs.stat(file).pipe(Effect.mapError(unreadable(file)))
  // Its owner could read the passphrase, and replace it. Root owns what containers mount.
  const isForeign = Option.exists(uid, (owner) => owner !== process.getuid?.() && owner !== 0)
  if (type === "File" && process.getuid !== undefined && isForeign) {
    return yield* new PassphraseInvalid({
      source: file,
      problem: "it belongs to another user, who could replace it",
      nextStep: "copy it to a file of your own, or chown it"
    })
  }
  const bytes = yield* fs.readFile(file).pipe(Effect.mapError(unreadable(file)))
  const held = yield* fromBytes(file, bytes)
  if (type === "File" && (mode & 0o077) !== 0 && process.getuid !== undefined) {
    const shown = `0${(mode & 0o777).toString(8)}`
    yield* Effect.logWarning("other users can read the passphrase: give the file, or its mount, the mode 0400").pipe(
      Effect.annotateLogs({ file, mode: shown })
    )
  }
  return held
})

/** The passphrase in the bytes that came from `source`: its first line. The second line is the passphrase before. */
export const fromBytes = Effect.fnUntraced(function* (source: string, bytes: Uint8Array) {
  const decoded = PlainText.decode(bytes)
  if (Result.isFailure(decoded)) {
    const { problem, nextStep } = decoded.failure
    return yield* new PassphraseInvalid({ source, problem, nextStep })
  }
  const [passphrase = "", previous, ...more] = decoded.success.replace(/\r?\n$/, "").split(/\r?\n/)
  if (passphrase.trim() === "") {
    return yield* new PassphraseInvalid({
      source,
      problem: "contains no passphrase",
      nextStep: "write one there, or leave the file out"
    })
  }
  if (more.length > 0) {
    return yield* new PassphraseInvalid({
      source,
      problem: "contains more than two lines",
      nextStep: "the first is the passphrase, the second is the old one during a change"
    })
  }
  const secret = (text: string) => Redacted.make(text)
  return {
    passphrase: secret(passphrase),
    previous: Option.map(
      Option.filter(Option.fromUndefinedOr(previous), (text) => text.trim() !== ""),
      secret
    )
  } satisfies Held
})

const unreadable = (source: string) => (cause: PlatformError.PlatformError) => {
  const { problem, nextStep } = inWords(cause, source)
  return new PassphraseInvalid({ source, problem, nextStep, cause })
}

const inWords = (cause: PlatformError.PlatformError, source: string): Advised => {
  if (cause.reason._tag === "NotFound") return { problem: "the file does not exist", nextStep: "check the path" }
  if (cause.reason._tag === "PermissionDenied") {
    return { problem: "this user may not read it", nextStep: "give it to the user that runs feral-sync (chown)" }
  }
  const { problem, nextStep } = explain(cause, source, elsewhere.file) ?? {
    problem: cause.reason.message,
    nextStep: "check the path"
  }
  return { problem: `it cannot be read (${problem})`, nextStep }
}

/** What looks like a slip in a passphrase that can be used all the same, in words that do not show it. */
export const slipIn = (passphrase: Redacted.Redacted<string>): string | undefined => {
  const text = Redacted.value(passphrase)
  if (/^\s/.test(text)) return "begins with white space"
  if (/\s$/.test(text)) return "ends with white space"
  return /^(?:"[^]*"|'[^]*'|`[^]*`|\u201c[^]*\u201d|\u2018[^]*\u2019)$/.test(text) ? "is in quotes" : undefined
}
