/** Local writes in short. */
import { CanonicalJson } from "../../src/core/replica/Json.ts"
import { Kind, OpId, RowId } from "../../src/core/replica/Operation.ts"
import type { Draft } from "../../src/services/store/Store.ts"

/** A local write of the text `content` to a row. */
export const draft = (row: string, content = "", table = "notes", op_type: Draft["op_type"] = "insert"): Draft => ({
  op_id: OpId.make(`op-${row}`),
  table: Kind.make(table),
  op_type,
  row_id: RowId.make(row),
  data: CanonicalJson.make(op_type === "delete" ? "{}" : JSON.stringify({ content }))
})
