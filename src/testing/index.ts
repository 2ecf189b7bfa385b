/**
 * `feral-sync/testing`: what feral-sync is tested with, for programs that use it. Arbitraries of the data, laws of
 * kinds, rules and clocks, and networks of replicas and nodes in one process.
 *
 * No test runner is loaded with it. The functions that state tests find the one that runs the file.
 *
 * ```ts
 * import { Kind } from "feral-sync/core"
 * import { mergeLaws } from "feral-sync/testing"
 *
 * mergeLaws(Kind.table.notes)
 * ```
 */
export * as Arbitraries from "./Arbitraries.ts"
export * as Law from "./Law.ts"
export { LawBroken } from "./Law.ts"
export * as Suite from "./Suite.ts"
export { NoTestRunner } from "./Suite.ts"
export type { OwnRule, Subject } from "./Subject.ts"

export * as MergeLaws from "./MergeLaws.ts"
export { mergeLaws } from "./MergeLaws.ts"
export * as HlcLaws from "./HlcLaws.ts"
export { hlcLaws } from "./HlcLaws.ts"
export * as SemilatticeLaws from "./SemilatticeLaws.ts"
export { semilatticeLaws } from "./SemilatticeLaws.ts"

export { history, type History, schedule, type Schedule, type Step } from "./Schedule.ts"
export { SimulatedNetwork } from "./SimulatedNetwork.ts"
export { SimulatedReplica } from "./SimulatedReplica.ts"

export * as TestNetwork from "./TestNetwork.ts"
export { NodeDown, NotSettled, type TestNode } from "./TestNetwork.ts"

export * as DiscoveryContract from "./contracts/DiscoveryContract.ts"
export { discoveryContract } from "./contracts/DiscoveryContract.ts"
export * as TransportContract from "./contracts/TransportContract.ts"
export { transportContract } from "./contracts/TransportContract.ts"
export * as StoreContract from "./contracts/StoreContract.ts"
export { storeContract } from "./contracts/StoreContract.ts"
