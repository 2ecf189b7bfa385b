/** The last connections with a peer: when they were, who dialled, and why they ended. */
import { html, nothing } from "./lit-html.js"
import { ago, counted, date, duration, iso, visible } from "./text.js"

/** Ends that are no failure, or whose name is all that is known. */
const ends = {
  duplicate: "another connection took its place",
  exchanged: "the exchange was over",
  unfinished: "the exchange goes on in the next one",
  refused: "refused",
  paused: "this node was told to pause",
  removed: "the peer was removed here"
}

const now = () => Date.now() / 1000

const how = ({ began_at: began, ended_at: ended, end, problem }) =>
  ended === null
    ? `open for ${duration(now() - began)}`
    : `lasted ${duration(ended - began)}; ${problem ?? ends[end] ?? end ?? "it ended"}`

export const list = ({ connections }) =>
  connections.length === 0
    ? html`<p>No connection since this node started.</p>`
    : html`<p>${counted(connections.length, "connection")} since this node started, newest first</p>
        <ol class="connections">
          ${connections.map((one) => {
            const { began_at: began, dialled_by: by, host } = one
            return html`<li dir="auto">
              <time datetime=${iso(began)} title=${date(began)}>${ago(began)}</time>,
              ${by === "us" ? "dialled by this node" : "dialled by the peer"}${host === "" ? nothing : ` (${visible(host)})`}:
              ${visible(how(one))}
            </li>`
          })}
        </ol>`
