/**
 * The baseline of S1, a process of its own: inserts the rows of one database into a fresh one of the same schema, in the same
 * batches, with plain `node:sqlite`. Prints how long that took (ms).
 *
 *   node bench/Plain.ts FROM TO ROWS_PER_COMMIT
 */
import { DatabaseSync, type SQLInputValue } from "node:sqlite"

const [from = "", to = "", perCommit = ""] = process.argv.slice(2)
const source = new DatabaseSync(from, { readOnly: true })
const schema = source
  .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
  .all()
  .map(({ sql }) => String(sql))
// In the order in which they come over the wire: of each origin after the other.
const read = source.prepare(
  `SELECT kind, row_id, twin, origin, wall, counter, op_id, op_type, data, timestamp FROM operations
    ORDER BY origin, wall, counter`
)
read.setReturnArrays(true)
const rows = read.all() as unknown as ReadonlyArray<Array<SQLInputValue>>
source.close()

const db = new DatabaseSync(to)
db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384")
db.exec("PRAGMA wal_autocheckpoint = 4096")
for (const statement of schema) db.exec(statement)
const began = performance.now()
const insert = db.prepare(
  `INSERT INTO operations (kind, row_id, twin, origin, wall, counter, op_id, op_type, data, timestamp)
    VALUES (?,?,?,?,?,?,?,?,?,?)`
)
for (let start = 0; start < rows.length; start += Number(perCommit)) {
  db.exec("BEGIN")
  for (const row of rows.slice(start, start + Number(perCommit))) insert.run(...row)
  db.exec("COMMIT")
}
console.log(performance.now() - began)
db.close()
