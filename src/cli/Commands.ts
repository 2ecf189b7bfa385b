/**
 * All commands, each loaded when it is needed: most of the time of a short command is the time that its modules take.
 */

/** In the order in which help shows them. */
const loaders = {
  start: async () => (await import("./Start.ts")).command,
  status: async () => (await import("./Status.ts")).status,
  peers: async () => (await import("./Status.ts")).peers,
  open: async () => (await import("./Open.ts")).command,
  doctor: async () => (await import("./Doctor.ts")).command,
  service: async () => (await import("./Service.ts")).command,
  tls: async () => (await import("./Tls.ts")).command,
  token: async () => (await import("./Token.ts")).command,
  passphrase: async () => (await import("./Passphrase.ts")).command,
  note: async () => (await import("./Note.ts")).command,
  fact: async () => (await import("./Fact.ts")).command,
  episode: async () => (await import("./Episode.ts")).command,
  log: async () => (await import("./Log.ts")).command,
  search: async () => (await import("./Search.ts")).command,
  show: async () => (await import("./Show.ts")).command,
  list: async () => (await import("./List.ts")).command,
  changes: async () => (await import("./Changes.ts")).command,
  mcp: async () => (await import("./Mcp.ts")).command,
  export: async () => (await import("./Export.ts")).command,
  import: async () => (await import("./Import.ts")).command,
  backup: async () => (await import("./Backup.ts")).command,
  rejoin: async () => (await import("./Rejoin.ts")).command,
  restore: async () => (await import("./Restore.ts")).command,
  compact: async () => (await import("./Compact.ts")).command,
  purge: async () => (await import("./Purge.ts")).command,
  verify: async () => (await import("./Verify.ts")).command,
  identity: async () => (await import("./Identity.ts")).command,
  origins: async () => (await import("./Origins.ts")).command,
  completions: async () => (await import("./Completions.ts")).command
}

type Name = keyof typeof loaders

/** A command, whichever it is. */
export type Loaded = Awaited<ReturnType<(typeof loaders)[Name]>>

/** All of them. */
export const all = (): Promise<ReadonlyArray<Loaded>> => Promise.all(Object.values(loaders).map((load) => load()))

/** The one that is named like this, which is all that a line that begins with this word needs. */
export const named = async (name: string): Promise<Loaded | undefined> =>
  Object.hasOwn(loaders, name) ? loaders[name as Name]() : undefined
