/** The nodes and their links as a drawing. The table beside it says the same in words. */
import { nothing, svg } from "./lit-html.js"
import { counted, number, short, visible } from "./text.js"

/** Nodes that are drawn; the table has all. */
const drawn = 12

const width = 640

/** As high as so many nodes need. */
const frameOf = (count) => {
  const reach = count <= 2 ? 0 : count <= 4 ? 70 : 112
  return { x: width / 2, y: reach + 42, reach, height: 2 * reach + 124 }
}

/** How a peer is, in words. */
export const stateOf = (peer) => {
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
export const lookOf = (peer) => look[stateOf(peer)] ?? "bad"

/** Peers, and nodes that are not there, in one list. */
export const nodesOf = ({ peers, absent = [] }) => [
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

export const nameOf = ({ node_id: id, address, port }) => visible(id ?? `${address}:${port}`)

export const lacking = ({ it_lacks: itLacks, lag_ops: lag }) => {
  const count = itLacks?.operations ?? lag
  if (count === undefined || count === null) return "not known"
  return count === 0 ? "nothing" : `${itLacks?.at_least ? "at least " : ""}${counted(count, "operation")}`
}

export const weLack = ({ we_lack: lacks, state }) => {
  if (lacks === undefined) return state === "live" || state === "syncing" ? "nothing" : "not known"
  return lacks.operations === undefined
    ? `operations of ${counted(lacks.origins, "node")}`
    : counted(lacks.operations, "operation")
}

export const view = (status) => {
  const nodes = nodesOf(status)
  const some = nodes.slice(0, drawn)
  const centre = frameOf(some.length)
  const placed = some.map((peer, index) => [peer, place(index, some.length, centre)])
  const label = `This node and ${counted(nodes.length, "other node")}. The table below says the same in words.`
  return svg`
    <svg class="mesh" viewBox="0 0 ${width} ${centre.height}" role="img" aria-label=${label}>
      ${placed.map(([peer, at]) => link(peer, at, centre))} ${placed.map(([peer, at]) => node(peer, at))}
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

const node = (peer, { x, y }) => {
  const state = stateOf(peer)
  const missing = peer.it_lacks?.operations ?? 0
  return svg`
    <g class=${lookOf(peer)}><circle cx=${x} cy=${y} r="16" />
      <text x=${x} y=${y + 34} class="name">${short(nameOf(peer))}</text>
      <text x=${x} y=${y + 50} class="small">${state}</text>
      ${missing === 0 ? nothing : svg`<text x=${x} y=${y + 66} class="small">missing there: ${number(missing)}</text>`}</g>`
}
