/**
 * The version of this package: `package.json` is the one place where it is written.
 */
import { Schema } from "effect"
import { readFileSync } from "node:fs"

const Manifest = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

/** The same relative path leads there from the source and from the build. */
export const version = Schema.decodeUnknownSync(Manifest)(
  readFileSync(new URL("../../../package.json", import.meta.url), "utf8")
).version
