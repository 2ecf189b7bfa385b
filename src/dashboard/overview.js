/** The node and its peers: who lacks what of whom, and why. */
import * as api from "./api.js"
import * as kinds from "./kinds.js"
import { html, nothing, svg } from "./lit-html.js"
import * as live from "./live.js"
import { ago, counted, date, duration, iso, number, offset, short, visible } from "./text.js"

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
        ${nodesOf(status).length === 0 ? alone(status) : peers(status, mayRead, app)} ${mayRead ? activity() : nothing}
        ${facts(status)}
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
  const [id] = nodesOf(status).flatMap(({ node_id: id }) => id ?? [])
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
    ${drawing(status)}
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
          ${nodesOf(status).map((peer) => row(peer, canSteer, app, status))}
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
        ${nameOf(peer)}
        <small
          >${address === "" ? "" : visible(`${address}:${port}`)}${protocol === 1 ? ", existing FERAL node" : ""}</small
        >
        ${canSteer && isHere ? story(id, app) : nothing}
      </th>
      <td data-label="State">
        <span class="state ${lookOf(peer)}">${stateOf(peer)}</span>
        ${seenAt === undefined ? nothing : html`<small>not seen for ${duration(Date.now() / 1000 - seenAt)}</small>`}
      </td>
      <td data-label="Missing there">${lacking(peer)}</td>
      <td data-label="Missing here">${weLack(peer)}</td>
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

const said = {
  pause: "Paused: nothing is exchanged with it until you resume.",
  resume: "Resumed: this node connects to it again."
}

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
            app.say(said[action] ?? results[done.result] ?? done.result)
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

/* The nodes and their links as a drawing. The table beside it says the same in words. */

/** Nodes that are drawn; the table has all. */
const drawn = 12

const width = 640

/** As high as so many nodes need. */
const frameOf = (count) => {
  const reach = count <= 2 ? 0 : count <= 4 ? 70 : 112
  return { x: width / 2, y: reach + 42, reach, height: 2 * reach + 124 }
}

/** How a peer is, in words. */
const stateOf = (peer) => {
  const { state, last_error: error, it_lacks: itLacks, we_lack: weLack, lag_ops: lag } = peer
  if (state === "absent") return "away"
  if (state === "paused") return "paused"
  if (error?._tag === "PeerPaused") return "paused there"
  if (state === "refused") return "refused"
  if (state === "backoff") return "not connected"
  if (state === "connecting") return "connecting"
  if (error !== null) return "has a problem"
  return (itLacks?.operations ?? lag ?? 0) === 0 && weLack === undefined ? "in sync" : "syncing"
}

/** The look of a link: whole while connected, dashed while not, dotted before it. */
const look = { "in sync": "well", syncing: "busy", connecting: "dim", paused: "dim", "paused there": "dim" }

/** The class of a state: no state is shown by its colour alone. */
const lookOf = (peer) => look[stateOf(peer)] ?? "bad"

/** Peers, and nodes that are not there, in one list. */
const nodesOf = ({ peers, absent = [] }) => [
  ...peers.filter(({ node_id: id, source }) => id !== null || source !== "inbound"),
  ...absent.map((node) => ({
    ...node,
    state: "absent",
    last_error: null,
    last_sync_at: node.last_seen_at,
    address: "",
    clock_offset_ms: null
  }))
]

const nameOf = ({ node_id: id, address, port }) => visible(id ?? `${address}:${port}`)

const lacking = ({ it_lacks: itLacks, lag_ops: lag }) => {
  const count = itLacks?.operations ?? lag
  if (count === undefined || count === null) return "not known"
  return count === 0 ? "nothing" : `${itLacks?.at_least ? "at least " : ""}${counted(count, "operation")}`
}

const weLack = ({ we_lack: lacks, state }) => {
  if (lacks === undefined) return state === "live" || state === "syncing" ? "nothing" : "not known"
  return lacks.operations === undefined
    ? `operations of ${counted(lacks.origins, "node")}`
    : counted(lacks.operations, "operation")
}

const drawing = (status) => {
  const nodes = nodesOf(status)
  const some = nodes.slice(0, drawn)
  const centre = frameOf(some.length)
  const placed = some.map((peer, index) => [peer, place(index, some.length, centre)])
  const label = `This node and ${counted(nodes.length, "other node")}. The table below says the same in words.`
  return svg`
    <svg class="mesh" viewBox="0 0 ${width} ${centre.height}" role="img" aria-label=${label}>
      ${placed.map(([peer, at]) => link(peer, at, centre))} ${placed.map(([peer, at]) => circle(peer, at))}
      <g class="self"><circle cx=${centre.x} cy=${centre.y} r="26" />
        <text x=${centre.x} y=${centre.y + 46} class="name">this node</text>
        <text x=${centre.x} y=${centre.y + 62} class="small">${short(visible(status.node_id))}</text></g>
    </svg>`
}

/** On an ellipse, the first on the left. */
const place = (index, count, { x, y, reach }) => {
  const angle = Math.PI + (index * 2 * Math.PI) / count
  return { x: x + 240 * Math.cos(angle), y: y + reach * Math.sin(angle) }
}

const link = (peer, { x, y }, centre) => svg`
  <line class=${lookOf(peer)} x1=${centre.x} y1=${centre.y} x2=${x} y2=${y} />`

const circle = (peer, { x, y }) => {
  const state = stateOf(peer)
  const missing = peer.it_lacks?.operations ?? 0
  return svg`
    <g class=${lookOf(peer)}><circle cx=${x} cy=${y} r="16" />
      <text x=${x} y=${y + 34} class="name">${short(nameOf(peer))}</text>
      <text x=${x} y=${y + 50} class="small">${state}</text>
      ${missing === 0 ? nothing : svg`<text x=${x} y=${y + 66} class="small">missing there: ${number(missing)}</text>`}</g>`
}
