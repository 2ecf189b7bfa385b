/** Data directories of existing FERAL nodes, of an early generation and of the newest, with one row of each oddity. */
import { createHash } from "node:crypto"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

type Value = string | number | null | Uint8Array

const open = (file: string): DatabaseSync => {
  const db = new DatabaseSync(file)
  db.exec("PRAGMA journal_mode = WAL")
  return db
}

const insert = (db: DatabaseSync, table: string, row: Readonly<Record<string, Value>>): void => {
  const names = Object.keys(row)
  db.prepare(`INSERT INTO "${table}" (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`).run(
    ...Object.values(row)
  )
}

/** What both generations have. */
const base = `
  CREATE TABLE notes (id TEXT, content TEXT, tags TEXT, importance TEXT, source TEXT, created_at REAL, updated_at REAL);
  CREATE TABLE episodes (id TEXT, session_id TEXT, event_type TEXT, summary TEXT, detail TEXT, emotions TEXT, location TEXT,
    participants TEXT, importance REAL, created_at REAL, decay_factor REAL);
  CREATE TABLE knowledge (id TEXT, subject TEXT, predicate TEXT, object TEXT, confidence REAL, source TEXT, created_at REAL, updated_at REAL);
  CREATE TABLE execution_log (id TEXT, session_id TEXT, skill_id TEXT, endpoint_id TEXT, args TEXT, result_status TEXT,
    result_summary TEXT, latency_ms REAL, user_feedback TEXT, created_at REAL);
  CREATE TABLE wiki_pages (id TEXT, title TEXT);
`
const log = `CREATE TABLE sync_wal (op_id TEXT PRIMARY KEY, table_name TEXT NOT NULL, op_type TEXT NOT NULL, row_id TEXT NOT NULL,
  data TEXT NOT NULL, hlc TEXT NOT NULL, origin_node TEXT NOT NULL, timestamp REAL NOT NULL, synced_to TEXT DEFAULT '[]')`

const second = 1_700_000_000

interface Logged {
  readonly table: string
  readonly row: string
  readonly data: string
  readonly wall: number
  readonly node: string
  readonly type?: string
  readonly scope?: string
}

const operation = (db: DatabaseSync, { table, row, data, wall, node, type = "insert", scope }: Logged): void =>
  insert(db, "sync_wal", {
    op_id: `op-${table}-${row}-${wall}`,
    table_name: table,
    op_type: type,
    row_id: row,
    data,
    hlc: `${wall}:0:${node}`,
    origin_node: node,
    timestamp: wall / 1000,
    ...(scope === undefined ? {} : { scope })
  })

export interface Open {
  readonly memory: DatabaseSync
  readonly log: DatabaseSync
  close(): void
}

const opened = (directory: string): Open => {
  mkdirSync(directory, { recursive: true })
  const [memory, wal] = [open(join(directory, "memory.db")), open(join(directory, "sync_wal.db"))]
  return {
    memory,
    log: wal,
    close: () => {
      memory.close()
      wal.close()
    }
  }
}

/** An early node: no HLC in its rows, ids of its process, updates logged as inserts. */
export const early = (directory: string): Open => {
  const node = opened(directory)
  const { memory } = node
  memory.exec(base)
  node.log.exec(log)
  const note = { importance: "normal", source: "user", created_at: second, updated_at: second + 5 }
  // What arrived last is in the row; what is greatest is in the log.
  insert(memory, "notes", { id: "aaaaaaaa", content: "older", tags: "[]", ...note })
  const ms = second * 1000
  const data = (content: string) => JSON.stringify({ id: "aaaaaaaa", content, tags: '["x"]', created_at: second })
  operation(node.log, { table: "notes", row: "aaaaaaaa", data: data("newer"), wall: ms + 2, node: "host-41" })
  operation(node.log, { table: "notes", row: "aaaaaaaa", data: data("older"), wall: ms + 1, node: "host-12" })
  // Without an operation, with tags in odd forms.
  insert(memory, "notes", { ...note, id: "bbbbbbbb", content: "no tags", tags: null })
  insert(memory, "notes", { ...note, id: "cccccccc", content: "one tag", tags: "garden" })
  insert(memory, "notes", { ...note, id: "dddddddd", content: "date", tags: "[]", updated_at: "2023-11-14T22:13:20" })
  insert(memory, "notes", { ...note, id: null, content: "no id", tags: "[]" })
  insert(memory, "notes", { ...note, id: "eeeeeeee", content: "deleted", tags: "[]" })
  operation(node.log, { table: "notes", row: "eeeeeeee", data: "{}", wall: ms + 9, node: "host-41", type: "delete" })
  // NaN, as Python writes it.
  const fact = { subject: "rate", predicate: "is", object: "unknown", confidence: 1, source: "user" }
  insert(memory, "knowledge", { id: "factfactfact", ...fact, created_at: second, updated_at: second })
  operation(node.log, {
    table: "knowledge",
    row: "factfactfact",
    data: JSON.stringify({ id: "factfactfact", ...fact, confidence: 0 }).replace('"confidence":0', '"confidence":NaN'),
    wall: ms + 3,
    node: "host-41"
  })
  operation(node.log, { table: "knowledge", row: "brokenbroken", data: '{"id": "bro', wall: ms + 4, node: "host-41" })
  insert(memory, "knowledge", {
    id: "copycopycopy",
    subject: "note_bbbbbbbb",
    predicate: "says",
    object: "no tags",
    confidence: 1,
    source: "notes:bbbbbbbb",
    created_at: second,
    updated_at: second
  })
  // The operation of an episode has no emotions.
  const episode = {
    session_id: "s",
    event_type: "talk",
    summary: "hello",
    detail: "",
    importance: 0.5,
    created_at: second + 1
  }
  insert(memory, "episodes", {
    id: "episodeabcde",
    ...episode,
    emotions: '["joy"]',
    location: "",
    participants: "[]",
    decay_factor: 1
  })
  operation(node.log, {
    table: "episodes",
    row: "episodeabcde",
    data: JSON.stringify({ id: "episodeabcde", ...episode }),
    wall: ms + 1001,
    node: "host-41"
  })
  // Cut in the middle.
  insert(memory, "execution_log", {
    id: "execexecexec",
    session_id: "s",
    skill_id: "k",
    endpoint_id: "e",
    args: '{"text": "aaaa',
    result_status: "success",
    result_summary: "done",
    latency_ms: 1.5,
    user_feedback: "good",
    created_at: second
  })
  insert(memory, "wiki_pages", { id: "w", title: "page" })
  operation(node.log, { table: "wiki_pages", row: "w", data: "{}", wall: ms + 6, node: "host-41" })
  return node
}

/** The id that the newest nodes give a fact. */
export const factId = (subject: string, predicate: string): string =>
  createHash("sha256").update(`${subject}\0${predicate}`).digest("hex").slice(0, 12)

/** A node of the newest generation: HLCs in its rows, scopes in its log, tombstones, facts as relations. */
export const newest = (directory: string): Open => {
  const node = opened(directory)
  const { memory } = node
  memory.exec(`${base}
    ALTER TABLE notes ADD COLUMN hlc_string TEXT; ALTER TABLE episodes ADD COLUMN hlc_string TEXT;
    ALTER TABLE execution_log ADD COLUMN hlc_string TEXT; ALTER TABLE knowledge ADD COLUMN hlc_string TEXT;
    ALTER TABLE knowledge ADD COLUMN kg_migrated_at REAL;
    ALTER TABLE knowledge RENAME TO knowledge__deprecated;
    CREATE TABLE entities (id TEXT, name TEXT, entity_type TEXT, metadata TEXT);
    CREATE TABLE relations (id TEXT, source_id TEXT, relation_type TEXT, target_id TEXT, confidence REAL, evidence_text TEXT,
      source_origin TEXT, created_at REAL, updated_at REAL);
    CREATE TABLE sync_tombstones (table_name TEXT, row_id TEXT, hlc_string TEXT, deleted_at REAL);
    CREATE VIRTUAL TABLE notes_fts USING fts5(content);`)
  node.log.exec(`${log}; ALTER TABLE sync_wal ADD COLUMN scope TEXT DEFAULT 'shared'`)
  const ms = second * 1000
  const note = { tags: "[]", importance: "normal", source: "user", created_at: second, updated_at: second }
  // Its operation is older than the log.
  insert(memory, "notes", { id: "11111111", content: "long ago", ...note, hlc_string: `${ms}:0:node-a` })
  // From before an upgrade.
  insert(memory, "notes", { id: "22222222", content: "before", ...note, hlc_string: null })
  const secret = { id: "33333333", content: "private", ...note }
  insert(memory, "notes", { ...secret, hlc_string: `${ms + 3}:0:node-a` })
  operation(node.log, {
    table: "notes",
    row: "33333333",
    data: JSON.stringify(secret),
    wall: ms + 3,
    node: "node-a",
    scope: "private"
  })
  insert(memory, "sync_tombstones", {
    table_name: "notes",
    row_id: "44444444",
    hlc_string: `${ms + 4}:0:node-b`,
    deleted_at: second
  })
  const fact = {
    subject: "sky",
    predicate: "is",
    object: "blue",
    confidence: 0.9,
    source: "user",
    created_at: second,
    updated_at: second
  }
  insert(memory, "knowledge__deprecated", { id: "oldoldoldold", ...fact, hlc_string: null, kg_migrated_at: second })
  for (const name of ["sky", "blue", "sea", "deep"])
    insert(memory, "entities", { id: `e-${name}`, name, entity_type: "thing", metadata: "{}" })
  const relation = {
    relation_type: "is",
    confidence: 0.9,
    evidence_text: "user",
    created_at: second,
    updated_at: second
  }
  insert(memory, "relations", {
    id: "rel1",
    source_id: "e-sky",
    target_id: "e-blue",
    source_origin: "migration",
    ...relation
  })
  insert(memory, "relations", {
    id: "rel2",
    source_id: "e-sea",
    target_id: "e-deep",
    source_origin: "bridge",
    ...relation
  })
  insert(memory, "relations", {
    id: "rel3",
    source_id: "e-sea",
    target_id: "e-blue",
    source_origin: "chat",
    ...relation
  })
  insert(memory, "relations", {
    id: "rel4",
    source_id: "e-none",
    target_id: "e-blue",
    source_origin: "chat",
    ...relation
  })
  writeFileSync(join(directory, "sync_node_id"), "node-a\n")
  return node
}
