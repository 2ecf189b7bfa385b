/**
 * Profiles: which tools are offered. People who come from another memory server find the tools that they know.
 */
import type { Tool } from "./Tool.ts"
import * as Events from "./tools/Events.ts"
import * as Facts from "./tools/Facts.ts"
import * as Looking from "./tools/Looking.ts"
import * as Notes from "./tools/Notes.ts"

export const profiles = {
  /** All that the memory can do. */
  memory: [
    Notes.remember,
    Looking.search,
    Notes.read,
    Notes.edit,
    Notes.forget,
    Facts.set,
    Facts.add,
    Facts.about,
    Events.record,
    Looking.recent,
    Events.log,
    Looking.status
  ]
} satisfies Record<string, ReadonlyArray<Tool>>

export type Profile = keyof typeof profiles

/** The tools of a profile; only those that read, where nothing may be written. */
export const toolsOf = (profile: Profile, isReadOnly: boolean): ReadonlyArray<Tool> =>
  profiles[profile].filter(({ does }) => !isReadOnly || does === "reads")
