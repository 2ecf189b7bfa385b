/**
 * automerge-repo: one document with a map of notes, over the WebSocket adapters, each side with the file adapter. Texts are
 * immutable strings: as collaborative texts, each character would be an element of its own.
 */
import * as Automerge from "@automerge/automerge"
import { type DocHandle, type DocumentId, type PeerId, Repo } from "@automerge/automerge-repo"
import { WebSocketClientAdapter, WebSocketServerAdapter } from "@automerge/automerge-repo-network-websocket"
import { NodeFSStorageAdapter } from "@automerge/automerge-repo-storage-nodefs"
import { mkdirSync, readdirSync } from "node:fs"
import { WebSocketServer } from "ws"
import { closeServer, listening } from "./Listening.ts"
import type { About, Note, Replica } from "./Peer.ts"

export const about: About = {
  name: "automerge-repo",
  packages: ["@automerge/automerge-repo", "@automerge/automerge"],
  storage: "files (storage-nodefs)",
  tls: false,
  inSync: "the heads that the source says it has are the sink's, and the repo is flushed"
}

type Notes = { notes: Record<string, Record<string, Automerge.ImmutableString>> }

const documentId = "4NMNnkMhL8jXrdJ9jamS58PAVdXu" as DocumentId

/** The document before its first note, the same one for everybody. */
const empty = Automerge.change(Automerge.init<Notes>({ actor: "00" }), { time: 0 }, (doc) => {
  doc.notes = {}
})

const put = (doc: Notes, { id, content, tags, importance }: Note) => {
  const text = (value: string) => new Automerge.ImmutableString(value)
  doc.notes[id] = { content: text(content), tags: text(tags.join(",")), importance: text(importance) }
}

export const open = async (directory: string): Promise<Replica> => {
  mkdirSync(directory, { recursive: true })
  const isNew = readdirSync(directory).length === 0
  const repo = new Repo({
    storage: new NodeFSStorageAdapter(directory),
    peerId: `peer-${crypto.randomUUID()}` as PeerId
  })
  const listeners: Array<(id: string) => void> = []

  let opened: DocHandle<Notes> | undefined
  const use = (handle: DocHandle<Notes>) => {
    opened = handle
    handle.on("change", ({ patches }) => {
      for (const { path } of patches) if (path.length === 2) listeners.forEach((seen) => seen(String(path[1])))
    })
    return handle
  }
  const handle = () => opened ?? use(repo.import<Notes>(Automerge.save(empty), { docId: documentId }))
  if (!isNew) use(await repo.find<Notes>(documentId))

  /** Whether somebody who is connected has said that its heads are ours. */
  const isLevel = (handle: DocHandle<Notes>) =>
    repo.peers.some((peer) => {
      const storageId = repo.getStorageIdOfPeer(peer)
      const heads = storageId === undefined ? undefined : handle.getSyncInfo(storageId)?.lastHeads
      return heads?.join() === handle.heads().join()
    })
  const held = () => (opened === undefined ? 0 : Object.keys(opened.doc().notes).length)

  let server: WebSocketServer | undefined

  return {
    write: async (batch) => {
      handle().change((doc) => {
        for (const note of batch) put(doc, note)
      })
      await repo.flush()
    },
    adopt: async (note) => {
      const third = Automerge.change(Automerge.clone(empty), { time: 0 }, (doc) => put(doc, note))
      handle().update((doc) => Automerge.merge(doc, third))
      await repo.flush()
    },
    listen: async () => {
      server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
      const adapter = new WebSocketServerAdapter(server as never)
      repo.networkSubsystem.addNetworkAdapter(adapter)
      return listening(server)
    },
    sync: async (port, count) => {
      repo.networkSubsystem.addNetworkAdapter(new WebSocketClientAdapter(`ws://127.0.0.1:${port}`))
      await repo.networkSubsystem.whenReady()
      if (opened === undefined) use(await repo.find<Notes>(documentId))
      while (!isLevel(handle())) await new Promise((resolve) => setTimeout(resolve, 1))
      await repo.flush()
      if (held() !== count) throw new Error(`in sync with ${held()} of ${count} notes`)
    },
    count: async () => held(),
    onNote: (seen) => {
      listeners.push(seen)
    },
    close: async () => {
      await repo.shutdown()
      if (server !== undefined) await closeServer(server)
    }
  }
}
