/** What the adapters use of packages that come without types. */
declare module "pouchdb" {
  namespace PouchDB {
    interface Document {
      readonly _id: string
      readonly _rev?: string
    }
    interface Replication {
      on(event: "change", listener: (change: { readonly docs: ReadonlyArray<Document> }) => void): this
      on(event: "paused", listener: (error: unknown) => void): this
      on(event: "error", listener: (error: unknown) => void): this
      cancel(): void
    }
    type Options = { live?: boolean; retry?: boolean; batch_size?: number; batches_limit?: number }
  }
  class PouchDB {
    static defaults(options: { prefix: string }): typeof PouchDB
    constructor(name: string)
    readonly replicate: {
      from(source: string, options?: PouchDB.Options): PouchDB.Replication
      to(target: PouchDB, options?: PouchDB.Options): Promise<unknown>
    }
    info(): Promise<{ readonly doc_count: number }>
    allDocs(options: { keys: ReadonlyArray<string> }): Promise<{
      readonly rows: ReadonlyArray<{ readonly value?: { readonly rev: string } | null }>
    }>
    bulkDocs(documents: ReadonlyArray<PouchDB.Document>): Promise<ReadonlyArray<{ readonly error?: unknown }>>
    close(): Promise<void>
    destroy(): Promise<void>
  }
  export default PouchDB
}

declare module "express" {
  import type { RequestListener } from "node:http"
  const express: () => RequestListener & { use(path: string, handler: RequestListener): void }
  export default express
}

declare module "express-pouchdb" {
  import type { RequestListener } from "node:http"
  import type PouchDB from "pouchdb"
  const expressPouchDB: (
    constructor: typeof PouchDB,
    options: { mode: "minimumForPouchDB"; inMemoryConfig: boolean; logPath: string }
  ) => RequestListener
  export default expressPouchDB
}

declare module "y-leveldb" {
  import type { Doc } from "yjs"
  export class LeveldbPersistence {
    constructor(directory: string)
    getYDoc(name: string): Promise<Doc>
    storeUpdate(name: string, update: Uint8Array): Promise<unknown>
    destroy(): Promise<void>
  }
}
