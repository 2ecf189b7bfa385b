/**
 * The one shape behind which every project is measured: a replica of a set of notes.
 *
 * A replica lives in a process of its own (`Side.ts`). The source listens and holds the notes; the sink connects to it. Both
 * are driven through the public API of the project, with its own durable storage where it has one.
 */

/** About 300 bytes of content: what is replicated. The last write of a note wins as a whole. */
export interface Note {
  readonly id: string
  readonly content: string
  readonly tags: ReadonlyArray<string>
  readonly importance: string
}

export interface Replica {
  /** Writes notes, new ones or over old ones. Resolves when they are as durable as this project makes a write. */
  write(notes: ReadonlyArray<Note>): Promise<void>
  /** Takes in a note that another replica wrote, which nobody else has met, before everything that is here. */
  adopt(note: Note): Promise<void>
  /** Begins to listen, on loopback. Resolves with the port. */
  listen(): Promise<number>
  /**
   * Connects to the source behind `port`, and stays connected. Resolves when this replica holds `count` notes, durably where
   * it can, and the project itself says that it is in sync, where it says so.
   */
  sync(port: number, count: number): Promise<void>
  /** How many notes are here. */
  count(): Promise<number>
  /** Calls back with the id of each note that comes from the other side, when an application would see it. */
  onNote(seen: (id: string) => void): void
  /** Ends the connection. Only replicas that hold their notes in memory need it: the others are restarted. */
  disconnect?(): Promise<void>
  /** Ends in good order: what was written is in the files afterwards. */
  close(): Promise<void>
}

/** What a reader has to know of a row of the table. */
export interface About {
  readonly name: string
  /** The packages that do the work, whose versions are shown. */
  readonly packages: ReadonlyArray<string>
  /** Where the sink keeps its notes; none for memory alone. */
  readonly storage: string | undefined
  readonly tls: boolean
  /** What ends the clock of a sync. */
  readonly inSync: string
}

/** What an adapter file exports: `about`, and `open`, which finds again what an earlier replica left in `directory`. */
export interface Peer {
  readonly about: About
  open(directory: string): Promise<Replica>
}
