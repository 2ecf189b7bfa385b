/** Replicas and the sessions between them, stepped by a caller: those of the test kit. */
export { type End, key, Link, node, write } from "../../src/testing/SimulatedLink.ts"
