/**
 * Facts as a graph of entities and relations, as in the reference memory server. An entity is a subject. Its type and
 * its observations are facts with predicates of their own. Every other fact is a relation. The same triple that several
 * nodes stated is one.
 */
import { predicates } from "../core/foreign/McpMemory.ts"

export interface Triple {
  readonly subject: string
  readonly predicate: string
  readonly object: string
}

export interface Entity {
  readonly name: string
  readonly entityType: string
  readonly observations: ReadonlyArray<string>
}

export interface Relation {
  readonly from: string
  readonly to: string
  readonly relationType: string
}

export interface Graph {
  readonly entities: ReadonlyArray<Entity>
  readonly relations: ReadonlyArray<Relation>
}

export const isRelation = ({ predicate }: Triple): boolean =>
  predicate !== predicates.isA && predicate !== predicates.observation

export const isType = ({ predicate }: Triple): boolean => predicate === predicates.isA

/** The type of an entity of which only observations are known. */
const untyped = "unknown"

/** The graph of some facts, in their order. */
export const of = (facts: Iterable<Triple>): Graph => {
  const entities = new Map<string, { entityType: string | undefined; readonly observations: Set<string> }>()
  const relations = new Map<string, Relation>()
  for (const fact of facts) {
    const { object, predicate, subject } = fact
    if (isRelation(fact)) {
      relations.set(keyOf(fact), { from: subject, to: object, relationType: predicate })
      continue
    }
    const entity = entities.get(subject) ?? { entityType: undefined, observations: new Set<string>() }
    if (isType(fact)) entity.entityType ??= object
    else entity.observations.add(object)
    entities.set(subject, entity)
  }
  return {
    entities: Array.from(entities, ([name, { entityType = untyped, observations }]) => ({
      name,
      entityType,
      observations: [...observations]
    })),
    relations: [...relations.values()]
  }
}

export const keyOf = ({ object, predicate, subject }: Triple): string => JSON.stringify([subject, predicate, object])

export const typeOf = (name: string, entityType: string): Triple => ({
  subject: name,
  predicate: predicates.isA,
  object: entityType
})

export const observationOf = (name: string, text: string): Triple => ({
  subject: name,
  predicate: predicates.observation,
  object: text
})

export const tripleOf = ({ from, relationType, to }: Relation): Triple => ({
  subject: from,
  predicate: relationType,
  object: to
})
