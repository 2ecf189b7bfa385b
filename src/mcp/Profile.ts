/**
 * Profiles: which tools are offered. People who come from another memory server find the tools that they know.
 */
import type { Tool } from "./Tool.ts"
import * as Events from "./tools/Events.ts"
import * as Facts from "./tools/Facts.ts"
import * as Files from "./tools/Files.ts"
import * as Looking from "./tools/Looking.ts"
import * as Notes from "./tools/Notes.ts"
import * as Reference from "./tools/Reference.ts"

export const names = ["memory", "reference", "files"] as const
export type Profile = (typeof names)[number]

/**
 * The tools of each profile. What has a form that only reads is there twice: without writing, the first that reads is
 * offered.
 */
export const profiles: Readonly<Record<Profile, ReadonlyArray<Tool>>> = {
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
  ],
  /** Those of the reference memory server: entities, relations and observations. */
  reference: Reference.tools,
  /** The memory tool over files. */
  files: [Files.tool, Files.viewer]
}

/** The tools of a profile; only those that read, where nothing may be written. */
export const toolsOf = (profile: Profile, isReadOnly: boolean): ReadonlyArray<Tool> => {
  const tools = profiles[profile].filter(({ does }) => !isReadOnly || does === "reads")
  return tools.filter(({ name }, index) => tools.findIndex((other) => other.name === name) === index)
}
