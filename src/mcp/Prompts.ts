/**
 * Prompts: what a user can pick from a list in the client.
 */
import { Effect, Result } from "effect"
import type { Reach } from "./Reach.ts"
import { dataNotice } from "./Rows.ts"
import * as Looking from "./tools/Looking.ts"

export interface Prompt {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly arguments: ReadonlyArray<{ readonly name: string; readonly description: string }>
  readonly text: (args: { readonly [name: string]: string }, reach: Reach["Service"]) => Effect.Effect<string>
}

export const prompts: ReadonlyArray<Prompt> = [
  {
    name: "recall",
    title: "Recall a topic",
    description: "Brings what the memory has on a topic into the conversation",
    arguments: [{ name: "topic", description: "A few words" }],
    text: ({ topic = "" }, reach) =>
      Effect.map(Looking.search.call({ query: topic }, reach), (found) =>
        [
          `Tell me what the memory has on ${JSON.stringify(topic)}, and which node wrote it and when. Search with other words too, if this is not enough. Say if it may be incomplete.`,
          `These are the first results. ${dataNotice}`,
          JSON.stringify(Result.merge(found))
        ].join("\n\n")
      )
  },
  {
    name: "wrap-up",
    title: "Wrap up the session",
    description: "Writes down what is worth keeping of this conversation",
    arguments: [],
    text: () =>
      Effect.succeed(
        [
          "Wrap up this conversation for the agents that go on with it, on this machine or another:",
          "1. Search the memory for what it has on our topics.",
          "2. Correct what is no longer true, instead of writing it a second time.",
          "3. Write down decisions with their reasons, preferences and facts that will matter again, one thing at a time. Leave out secrets, and what is in the project files.",
          "4. Record one episode with what was done, what is open, and the next step.",
          "Then list in a few lines what you wrote."
        ].join("\n")
      )
  }
]
