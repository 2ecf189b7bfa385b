/**
 * The nine tools of the reference memory server, with its names and parameters, over the facts of the memory.
 */
import { Effect, Schema } from "effect"
import type { Fact } from "../../core/replica/Row.ts"
import * as Kind from "../../core/replica/Kind.ts"
import type { Memory } from "../../services/memory/Memory.ts"
import * as Pages from "../../services/memory/Pages.ts"
import { limits, take } from "../Bounds.ts"
import { CallRefused } from "../CallFailure.ts"
import * as Graph from "../Graph.ts"
import * as HowComplete from "../HowComplete.ts"
import type { Opened } from "../Reach.ts"
import * as Rows from "../Rows.ts"
import * as Tool from "../Tool.ts"

const { columns, name: kind } = Kind.table.facts

const Texts = Schema.Array(columns.object.input)
const Entity = Schema.Struct({ name: columns.subject.input, entityType: columns.object.input, observations: Texts })
const Relation = Schema.Struct({
  from: columns.subject.input,
  to: columns.object.input,
  relationType: columns.predicate.input
})
const graphFields = {
  entities: Schema.Array(Schema.Unknown),
  relations: Schema.Array(Schema.Unknown),
  truncated: Schema.Boolean,
  narrow: Schema.optionalKey(Schema.String),
  notice: Schema.String,
  ...HowComplete.fields
}
const doneFields = { success: Schema.Boolean, message: Schema.String }

/** Rows of one read. */
const page = 1_000

/** The oldest comes first. */
const about = (memory: Memory["Service"], subject: string) =>
  Effect.map(
    Pages.all((start) => memory.facts.about({ subject, limit: page, ...start })),
    (facts) => facts.toReversed()
  )

const aboutAll = (memory: Memory["Service"], names: Iterable<string>) =>
  Effect.map(
    Effect.forEach(new Set(names), (name) => about(memory, name)),
    (facts) => facts.flat()
  )

const subjectsOf = (facts: ReadonlyArray<Graph.Triple>) => facts.map(({ subject }) => subject)

/** Adds facts that are not among those that are `there`, once each. Gives those that were added. */
const adder = (memory: Memory["Service"], there: ReadonlyArray<Graph.Triple>) => {
  const known = new Set(there.map(Graph.keyOf))
  return Effect.fnUntraced(function* (facts: ReadonlyArray<Graph.Triple>) {
    const added: Array<Graph.Triple> = []
    for (const fact of facts) {
      if (known.has(Graph.keyOf(fact))) continue
      yield* memory.facts.add(fact)
      known.add(Graph.keyOf(fact))
      added.push(fact)
    }
    return added
  })
}

/** Deletes all rows that state one of the facts. What another agent deleted in the meantime is gone as well. */
const removeAll = (memory: Memory["Service"], facts: ReadonlyArray<Fact>) =>
  Effect.forEach(facts, ({ id }) => Effect.catchTag(memory.facts.delete(id), "RowNotFound", () => Effect.void), {
    discard: true
  })

const done = (what: string) => ({ success: true, message: `${what} deleted successfully` })

const removeTriples = Effect.fnUntraced(function* (memory: Memory["Service"], triples: ReadonlyArray<Graph.Triple>) {
  const wanted = new Set(triples.map(Graph.keyOf))
  const there = yield* aboutAll(memory, subjectsOf(triples))
  yield* removeAll(
    memory,
    there.filter((fact) => wanted.has(Graph.keyOf(fact)))
  )
})

const namesOf = (facts: ReadonlyArray<Graph.Triple>): ReadonlySet<string> =>
  new Set(facts.filter((fact) => !Graph.isRelation(fact)).map(({ subject }) => subject))

/** The graph as an answer: whole entities and relations, as many as there is room for. */
const answer = Effect.fnUntraced(function* (opened: Opened, { entities, relations }: Graph.Graph) {
  const room = limits.most - limits.frame
  const some = take(entities, room)
  const others = take(relations, room - some.length)
  const truncated = some.isCut || others.isCut
  return {
    entities: some.rows,
    relations: others.rows,
    truncated,
    ...(truncated
      ? {
          narrow: `This is a part of ${entities.length} entities and ${relations.length} relations. Use search_nodes or open_nodes.`
        }
      : {}),
    notice: Rows.dataNotice,
    ...(yield* HowComplete.of(opened, { found: entities.length, kinds: [kind] }))
  }
})

const createEntities = Tool.make({
  name: "create_entities",
  title: "Create entities",
  description: "Creates entities in the shared memory. An entity whose name exists is left as it is.",
  input: { entities: Schema.Array(Entity) },
  args: { entities: "The entities: name, entityType, and observations, one fact in each" },
  output: { entities: Schema.Array(Entity) },
  does: "ensures",
  purpose: "write",
  run: Effect.fnUntraced(function* ({ entities }, { memory }) {
    const there = yield* aboutAll(
      memory,
      entities.map(({ name }) => name)
    )
    // One without a type was begun by a call that was cut off: it is completed.
    const known = new Set(there.flatMap((fact) => (Graph.isType(fact) ? [fact.subject] : [])))
    const add = adder(memory, there)
    const created: Array<Graph.Entity> = []
    for (const entity of entities) {
      if (known.has(entity.name)) continue
      known.add(entity.name)
      const { entityType, name, observations } = entity
      yield* add(observations.map((text) => Graph.observationOf(name, text)))
      // The same row on every node. It comes last: an entity that is there is whole.
      yield* memory.facts.set(Graph.typeOf(name, entityType))
      created.push(entity)
    }
    return { entities: created }
  })
})

const createRelations = Tool.make({
  name: "create_relations",
  title: "Create relations",
  description: "Creates relations between entities, like works_at. A relation that exists is left out.",
  input: { relations: Schema.Array(Relation) },
  args: { relations: "The relations: from, to, and relationType" },
  output: { relations: Schema.Array(Relation) },
  does: "ensures",
  purpose: "write",
  run: Effect.fnUntraced(function* ({ relations }, { memory }) {
    const facts = relations.map(Graph.tripleOf)
    const add = adder(memory, yield* aboutAll(memory, subjectsOf(facts)))
    return { relations: Graph.of(yield* add(facts)).relations }
  })
})

const addObservations = Tool.make({
  name: "add_observations",
  title: "Add observations",
  description: "Adds observations to entities that exist. What is there already is left out.",
  input: { observations: Schema.Array(Schema.Struct({ entityName: columns.subject.input, contents: Texts })) },
  args: { observations: "For each entity its entityName, and contents: the new observations" },
  output: {
    results: Schema.Array(Schema.Struct({ entityName: Schema.String, addedObservations: Schema.Array(Schema.String) }))
  },
  does: "ensures",
  purpose: "write",
  run: Effect.fnUntraced(function* ({ observations }, { memory }) {
    const names = observations.map(({ entityName }) => entityName)
    const there = yield* aboutAll(memory, names)
    const known = namesOf(there)
    const missing = names.filter((name) => !known.has(name))
    if (missing.length > 0) {
      return yield* new CallRefused({
        problem: `nothing was added: there is no entity ${missing.map((name) => JSON.stringify(name)).join(", ")}`,
        nextStep: "create it first with create_entities, or find its name with search_nodes"
      })
    }
    const add = adder(memory, there)
    const results = yield* Effect.forEach(observations, ({ contents, entityName }) =>
      Effect.map(add(contents.map((text) => Graph.observationOf(entityName, text))), (added) => ({
        entityName,
        addedObservations: added.map(({ object }) => object)
      }))
    )
    return { results }
  })
})

const deleteEntities = Tool.make({
  name: "delete_entities",
  title: "Delete entities",
  description:
    "Deletes entities with their observations and relations, on every machine. Names without an entity are skipped.",
  input: { entityNames: Schema.Array(Schema.String) },
  args: { entityNames: "The names of the entities" },
  output: doneFields,
  does: "removes",
  purpose: "change",
  run: Effect.fnUntraced(function* ({ entityNames }, { memory }) {
    const names = new Set(entityNames)
    const facts = yield* memory.facts.list()
    yield* removeAll(
      memory,
      facts.filter((fact) => names.has(fact.subject) || (Graph.isRelation(fact) && names.has(fact.object)))
    )
    return done("Entities")
  })
})

const deleteObservations = Tool.make({
  name: "delete_observations",
  title: "Delete observations",
  description: "Deletes observations of entities, on every machine. What is not there is skipped.",
  input: {
    deletions: Schema.Array(Schema.Struct({ entityName: Schema.String, observations: Schema.Array(Schema.String) }))
  },
  args: { deletions: "For each entity its entityName, and the exact text of the observations to delete" },
  output: doneFields,
  does: "removes",
  purpose: "change",
  run: ({ deletions }, { memory }) => {
    const triples = deletions.flatMap(({ entityName, observations }) =>
      observations.map((text) => Graph.observationOf(entityName, text))
    )
    return Effect.as(removeTriples(memory, triples), done("Observations"))
  }
})

const deleteRelations = Tool.make({
  name: "delete_relations",
  title: "Delete relations",
  description: "Deletes relations, on every machine. What is not there is skipped.",
  input: { relations: Schema.Array(Relation) },
  args: { relations: "The relations, as they were created" },
  output: doneFields,
  does: "removes",
  purpose: "change",
  run: ({ relations }, { memory }) => Effect.as(removeTriples(memory, relations.map(Graph.tripleOf)), done("Relations"))
})

const readGraph = Tool.make({
  name: "read_graph",
  title: "Read the graph",
  description: "Gives all entities and relations. A large graph is cut, and says so: then search_nodes is better.",
  input: {},
  args: {},
  output: graphFields,
  does: "reads",
  purpose: "read",
  run: (_input, opened) => Effect.flatMap(opened.memory.facts.list(), (facts) => answer(opened, Graph.of(facts)))
})

const searchNodes = Tool.make({
  name: "search_nodes",
  title: "Search entities",
  description:
    "Finds entities by words in their name, their type or an observation, and gives them with their relations. All words must be in one of these.",
  input: { query: Schema.String.check(Schema.isMaxLength(4_000)) },
  args: { query: "A few words; the last one may be the start of a word" },
  output: graphFields,
  does: "reads",
  purpose: "maintain",
  run: Effect.fnUntraced(function* ({ query }, opened) {
    const { rows } = yield* opened.memory.searchPage({ query, kinds: [kind], limit: 200 })
    const hits = rows.flatMap((row) => (row.kind === kind ? [row] : []))
    const facts = yield* aboutAll(opened.memory, namesOf(hits))
    return yield* answer(opened, Graph.of([...facts, ...hits.filter(Graph.isRelation)]))
  })
})

const openNodes = Tool.make({
  name: "open_nodes",
  title: "Open entities",
  description: "Gives entities by their names, and the relations between them. Names without an entity are skipped.",
  input: { names: Schema.Array(columns.subject.input) },
  args: { names: "The names of the entities" },
  output: graphFields,
  does: "reads",
  purpose: "read",
  run: Effect.fnUntraced(function* ({ names }, opened) {
    const wanted = new Set(names)
    const { entities, relations } = Graph.of(yield* aboutAll(opened.memory, names))
    return yield* answer(opened, { entities, relations: relations.filter(({ to }) => wanted.has(to)) })
  })
})

export const tools = [
  createEntities,
  createRelations,
  addObservations,
  deleteEntities,
  deleteObservations,
  deleteRelations,
  readGraph,
  searchNodes,
  openNodes
]
