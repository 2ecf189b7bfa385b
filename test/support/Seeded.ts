/** The source of randomness of the test kit. */
export { seeded } from "../../src/testing/Seeded.ts"
