/**
 * Two members that are connected, on a network of their own, and a stranger on it that says what it likes by multicast DNS. Every
 * private address that is not a member's is the stranger's. The network has no way out.
 */
import { fileURLToPath } from "node:url"
import { mutual } from "../../test/support/Discovered.ts"
import { type Host, Lab, type Lan, type Program } from "../../test/support/Namespaces.ts"
import type { Node } from "../../test/support/Nodes.ts"
import type { Orders } from "./Flooder.ts"
import { measuring } from "./Machine.ts"

export const wanted = ["root", "ip", "nft"] as const

const flooder = fileURLToPath(new URL("Flooder.ts", import.meta.url))

/** Addresses of the stranger, beside the one that it was given. */
const extra = 7

export interface Besieged {
  readonly lan: Lan
  readonly one: Host & { readonly address: string }
  readonly a: Node
  readonly b: Node
  readonly stranger: Host & { readonly address: string }
  /** All the addresses from which the stranger sends. */
  readonly senders: ReadonlyArray<string>
  /** Starts a flood, which ends by itself. */
  readonly flood: (orders: Omit<Orders, "prefix">) => Program
}

/** Runs something there; nothing is left afterwards. */
export const besieged = <A>(use: (world: Besieged) => Promise<A>): Promise<A> => measuring(() => within(use))

const within = async <A>(use: (world: Besieged) => Promise<A>): Promise<A> => {
  const lab = new Lab()
  try {
    const lan = await lab.lan()
    const [one, two, stranger] = [await lan.host(), await lan.host(), await lan.host()]
    const net = `10.77.${lan.number}`
    const senders = [stranger.address]
    for (let n = 0; n < extra; n++) {
      senders.push(`${net}.${100 + n}`)
      await stranger.ip("address", "add", `${net}.${100 + n}/24`, "dev", "eth0")
    }
    // What the members send to anywhere else ends here, and is answered with a reset.
    await stranger.ip("address", "add", `${net}.254/24`, "dev", "eth0")
    for (const range of ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]) {
      await stranger.ip("route", "add", "local", range, "dev", "lo")
    }
    const [a, b] = [one.node(), two.node()]
    await Promise.all([a.start(), b.start()])
    await mutual([a, b], "live")
    let floods = 0
    const flood = (orders: Omit<Orders, "prefix">) =>
      stranger.start(
        "nice",
        "-n",
        "15",
        process.execPath,
        flooder,
        JSON.stringify({ ...orders, prefix: `x${++floods}-` })
      )
    return await use({ lan, one, a, b, stranger, senders, flood })
  } finally {
    await lab.dispose()
  }
}

/** Counts the dials that leave a host, by rules of the packet filter, in their order. A dial counts for the first that fits. */
export const countDials = async (host: Host, rules: ReadonlyArray<string>): Promise<() => Promise<Array<number>>> => {
  const dial = "output meta l4proto tcp tcp flags & (syn | ack) == syn"
  await host.filter(...rules.map((rule) => `${dial} ${rule} counter accept`))
  return async () => {
    const listed = await host.run("nft", "list", "table", "inet", "lab")
    return [...listed.matchAll(/counter packets (\d+)/g)].map(([, count]) => Number(count))
  }
}
