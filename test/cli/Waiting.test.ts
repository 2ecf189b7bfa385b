/** Two nodes as processes: writes that wait for the other node, and the changes that come of them. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Nodes, run, until } from "../support/Nodes.ts"

const nodes = new Nodes()
afterAll(() => nodes.dispose())

interface Waited {
  readonly id: string
  readonly hlc: string
  readonly reached: ReadonlyArray<{ readonly node: string; readonly at: number; readonly via?: ReadonlyArray<string> }>
}
interface Changes {
  readonly operations: ReadonlyArray<{ readonly row_id: string; readonly op_type: string; readonly table: string }>
  readonly reset: boolean
  readonly cursor: string
}

describe("--wait-for and changes", () => {
  it("counts a node that only a peer meets, and names that peer", { timeout: 60_000 }, async () => {
    const between = await nodes.make().start()
    const settings = { FERAL_SYNC_PEERS: between.address, FERAL_SYNC_MDNS_TIMEOUT: "0" }
    const [one, other] = [nodes.make(settings), nodes.make(settings)]
    await Promise.all([one.start(), other.start()])
    await until(
      "all are connected",
      () => between.status(),
      ({ peers }) => peers.filter(({ state }) => state === "live").length === 2
    )
    const add = ["note", "add", "hello", "--wait-for", "2", "--wait-timeout", "20"] as const
    const note = await one.cli<Waited>(...add)
    const byId = new Map(note.reached.map(({ node, via }) => [node, via]))
    assert.sameMembers([...byId.keys()], [between.id, other.id])
    assert.isUndefined(byId.get(between.id))
    assert.deepStrictEqual(byId.get(other.id), [between.id])
    const human = await run([...add, "--home", one.home], {})
    assert.include(human.stdout, `${other.id} (just now, by way of ${between.id})`)
    assert.isFalse((await one.status()).peers.some(({ node_id }) => node_id === other.id))
  })

  it(
    "waits for the other node, says when it is not there, and shows what changed since",
    { timeout: 60_000 },
    async () => {
      const server = nodes.make()
      const refused = await run(["note", "add", "x", "--wait-for", "1", "--json", "--home", server.home], {})
      assert.strictEqual(refused.code, 1)
      assert.include(refused.stderr, "NodeNotRunning")
      await server.start()
      const other = await nodes.make({ FERAL_SYNC_PEERS: server.address, FERAL_SYNC_MDNS_TIMEOUT: "0" }).start()
      await until(
        "they are connected",
        () => other.status(),
        ({ peers }) => peers.some(({ state }) => state === "live")
      )
      assert.deepStrictEqual((await server.cli<Changes>("changes")).operations, [])
      const note = await other.cli<Waited>("note", "add", "hello", "--wait-for", "1")
      assert.deepStrictEqual(
        note.reached.map(({ node }) => node),
        [server.id]
      )
      const first = await server.cli<Changes>("changes")
      assert.deepStrictEqual(
        first.operations.map(({ row_id }) => row_id),
        [note.id]
      )
      assert.isFalse(first.reset)

      await server.stop()
      const late = await run(
        ["note", "delete", note.id, "--wait-for", "1", "--wait-timeout", "0.2", "--json", "--home", other.home],
        {}
      )
      assert.strictEqual(late.code, 1)
      assert.include(JSON.parse(late.stdout), { id: note.id })
      const error = JSON.parse(late.stderr) as { readonly _tag: string; readonly nextStep: string }
      assert.strictEqual(error._tag, "NotYetOnNodes")
      assert.include(error.nextStep, server.id)

      // It comes all the same, and is what the database has had since.
      await server.start({}, ["--port", String(server.port)])
      const since = ["changes", "--since", first.cursor] as const
      const second = await until(
        "the deletion is there",
        () => server.cli<Changes>(...since),
        ({ operations }) => operations.length > 0
      )
      assert.deepInclude(second.operations[0], { row_id: note.id, op_type: "delete", table: "notes" })
      await server.stop()
      assert.deepStrictEqual(await server.cli<Changes>(...since), second)
      assert.deepStrictEqual((await server.cli<Changes>(...since, "--kind", "episodes")).operations, [])
      assert.isTrue((await server.cli<Changes>("changes", "--since", `x${first.cursor}`)).reset)
      const human = await run(["changes", "--home", server.home], {})
      assert.match(human.stdout, new RegExp(`^\\S+Z {2}deleted {2}notes +${note.id} {2}${other.id}\n$`))
      assert.match(human.stderr, /Next: .*changes --since \S+/)
      const follow = await run(["changes", "--follow", "--home", server.home], {})
      assert.deepInclude(follow, { code: 1, stdout: "" })
      assert.strictEqual((await run(["changes", "--kind", "note", "--home", server.home], {})).code, 2)
    }
  )
})
