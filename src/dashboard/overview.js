/** The node and its peers: who lacks what of whom, and why. */
import * as api from "./api.js"
import * as kinds from "./kinds.js"
import { html, nothing } from "./lit-html.js"
import * as live from "./live.js"
import * as mesh from "./mesh.js"
import { ago, counted, date, duration, iso, number, offset, visible } from "./text.js"

export const view = ({ status, mayRead, trouble, answeredAt }, app) =>
  status === undefined
    ? nothing
    : html`
        ${trouble === undefined ? nothing : html`<p class="problem">What follows is as it was ${ago(answeredAt)}.</p>`}
        <dl class="figures">
          ${kinds.ofVersion().map(
            ({ kind, many }) =>
              html`<div>
                <dt>${many}</dt>
                <dd>${number(status.counts[kind] ?? 0)}</dd>
              </div>`
          )}
          ${Object.entries(status.counts.kinds ?? {}).map(
            ([kind, count]) =>
              html`<div>
                <dt dir="auto">${visible(kind)}</dt>
                <dd>${number(count)}</dd>
              </div>`
          )}
          <div>
            <dt>deleted</dt>
            <dd>${number(status.counts.tombstones)}</dd>
          </div>
        </dl>
        ${mesh.nodesOf(status).length === 0 ? alone(status) : peers(status, mayRead, app)}
        ${mayRead ? activity() : nothing} ${facts(status)}
      `

/** How the next node comes to be, with the commands as this one was started. */
const alone = ({ discovery, port, commands }) => html`
  <section aria-labelledby="alone">
    <h2 id="alone">No other node yet</h2>
    <p>
      Start a node on another machine with the same passphrase. mDNS is ${discovery.mdns}; listed peers:
      ${discovery.static}. This node listens on port ${port}.
    </p>
    ${
      commands === undefined
        ? nothing
        : html`
            ${
              commands.passphrase === undefined
                ? html`<p>The passphrase is the one in the configuration of this node.</p>`
                : html`<p>On this machine, show the passphrase:</p>
                    <pre><code>${visible(commands.passphrase)}</code></pre>`
            }
            <p>On the other machine, start a node, paste the passphrase, and press Enter and Ctrl-D:</p>
            <pre><code>${visible(commands.join)}</code></pre>
            ${
              commands.join.includes("--peers")
                ? html`<p>
                    Put the address of this machine in the place of THIS-MACHINE: the other node does not find it by
                    itself.
                  </p>`
                : nothing
            }
          `
    }
  </section>
`

/** Whether peers can be paused from here; not known before the first answer. */
let maySteer

const ask = async (status, app) => {
  const [id] = mesh.nodesOf(status).flatMap(({ node_id: id }) => id ?? [])
  if (maySteer !== undefined || id === undefined) return
  maySteer = false
  maySteer = await api.maySteer(id)
  app.draw()
}

const peers = (status, isOwner, app) => {
  if (isOwner) void ask(status, app)
  return table(status, isOwner && maySteer === true, app)
}

const table = (status, canSteer, app) => html`
  <section aria-labelledby="mesh">
    <h2 id="mesh">Nodes</h2>
    ${mesh.view(status)}
    <div class="wide">
      <table>
        <caption class="hidden">
          Each other node, and how many operations are missing there and here
        </caption>
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">State</th>
            <th scope="col">Missing there</th>
            <th scope="col">Missing here</th>
            <th scope="col">Its clock</th>
            <th scope="col">Last sync</th>
            ${canSteer ? html`<th scope="col">Actions</th>` : nothing}
          </tr>
        </thead>
        <tbody>
          ${mesh.nodesOf(status).map((peer) => row(peer, canSteer, app, status))}
        </tbody>
      </table>
    </div>
  </section>
`

const row = (peer, canSteer, app, { troubles = [] }) => {
  const { node_id: id, address, port, last_error: error, last_seen_at: seenAt, protocol } = peer
  const isHere = id !== null
  const trouble = error ?? troubles.find(({ node }) => node === id)
  renew(peer, app)
  return html`
    <tr>
      <th scope="row" dir="auto">
        ${mesh.nameOf(peer)}
        <small
          >${address === "" ? "" : visible(`${address}:${port}`)}${protocol === 1 ? ", existing FERAL node" : ""}</small
        >
        ${canSteer && isHere ? story(id, app) : nothing}
      </th>
      <td data-label="State">
        <span class="state ${mesh.lookOf(peer)}">${mesh.stateOf(peer)}</span>
        ${seenAt === undefined ? nothing : html`<small>not seen for ${duration(Date.now() / 1000 - seenAt)}</small>`}
      </td>
      <td data-label="Missing there">${mesh.lacking(peer)}</td>
      <td data-label="Missing here">${mesh.weLack(peer)}</td>
      <td data-label="Its clock">${offset(peer.clock_offset_ms)}</td>
      <td data-label="Last sync">${ago(peer.last_sync_at)}</td>
      ${canSteer ? html`<td>${isHere ? actions(peer, app) : nothing}</td>` : nothing}
    </tr>
    ${
      trouble === undefined
        ? nothing
        : html`<tr class="error">
            <td colspan=${canSteer ? 7 : 6}>
              <p class="problem" dir="auto">${visible(trouble.problem ?? trouble.text ?? trouble.message)}</p>
              ${trouble.next_step === undefined ? nothing : html`<p class="step" dir="auto">Next: ${visible(trouble.next_step)}</p>`}
            </td>
          </tr>`
    }
    ${
      canSteer && told?.node_id === id && id !== null
        ? html`<tr class="story">
            <td colspan="7">${connectionsOf(told)}</td>
          </tr>`
        : nothing
    }
  `
}

/** The peer whose connections are shown, with them. */
let told

export const forget = () => {
  told = undefined
}

/** It is in another state: there is another connection, or one less. */
const renew = ({ node_id: id, state }, app) => {
  if (told === undefined || told.node_id !== id || told.state === state) return
  told = { ...told, state }
  void app.attempt(async () => {
    const peer = await api.peer(id)
    if (told?.node_id === id) told = peer
    app.draw()
  })
}

const story = (id, app) =>
  html`<button
    type="button"
    class="quiet"
    aria-label="Connections: ${visible(id)}"
    aria-expanded=${told?.node_id === id ? "true" : "false"}
    @click=${() =>
      app.attempt(async () => {
        told = told?.node_id === id ? undefined : await api.peer(id)
        app.draw()
      })}
  >
    Connections
  </button>`

/* The last connections with a peer: when they were, who dialled, and why they ended. */

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

const connectionsOf = ({ connections }) =>
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

const words = { pause: "Pause", resume: "Resume", sync: "Sync now" }

/** What "Sync now" has led to. */
const results = {
  dialling: "Connecting to it now.",
  connecting: "A connection to it is being made already.",
  waiting: "This node cannot dial it, because it knows no address of it: that node connects by itself when it runs.",
  paused: "It is paused.",
  equal: "It has the same rows.",
  repaired: "It has the same rows now: differences were repaired.",
  differs: "Its rows differ.",
  behind: "Operations are still under way.",
  deferred: "One of the two does not take rows that are ahead of its clock.",
  "not comparable": "It takes no part in comparing rows; it syncs at its next exchange."
}

const actions = ({ node_id: id, state }, app) =>
  (state === "paused" ? ["resume"] : ["pause", "sync"]).map(
    (action) =>
      html`<button
        type="button"
        class="quiet"
        aria-label="${words[action]}: ${visible(id)}"
        @click=${() =>
          app.attempt(async () => {
            const done = await api.steer(id, action)
            if (action === "sync") app.say(results[done.result] ?? done.result)
            await app.refresh()
          })}
      >
        ${words[action]}
      </button>`
  )

const activity = () => {
  const { total, line } = live.activity()
  return html`
    <section aria-labelledby="activity">
      <h2 id="activity">The last five minutes</h2>
      <p>${counted(total, "operation")} since this page was opened. <a href="#/live">See them</a></p>
      ${line}
    </section>
  `
}

const facts = (status) => html`
  <section aria-labelledby="node">
    <h2 id="node">This node</h2>
    <dl class="pairs">
      <dt>Node</dt>
      <dd dir="auto">${visible(status.node_id)}</dd>
      <dt>Running for</dt>
      <dd>${duration(status.uptime_seconds)}</dd>
      <dt>Port</dt>
      <dd>${status.port ?? "none"}</dd>
      <dt>Security</dt>
      <dd>TLS ${status.tls}; existing FERAL nodes: ${status.legacy}</dd>
      <dt>Discovery</dt>
      <dd>mDNS ${status.discovery.mdns}; listed peers: ${status.discovery.static}</dd>
      <dt>Digest</dt>
      <dd><code>${status.digest}</code> Nodes with the same digest have the same rows.</dd>
    </dl>
  </section>
`
