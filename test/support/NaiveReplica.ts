/** A replica of a few dozen lines: the one of the test kit. */
export { SimulatedReplica as NaiveReplica } from "../../src/testing/SimulatedReplica.ts"
