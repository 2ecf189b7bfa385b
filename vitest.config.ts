import { accessSync, constants, statfsSync } from "node:fs"
import { tmpdir } from "node:os"
import { defineConfig } from "vitest/config"

/** Once for all of them: it is in the environment of every worker. */
const globalSetup = "./test/support/Bundle.ts"

const seeds = ["test/simulation/Seeds*.test.ts", "test/simulation/Sample.test.ts"]
/** Nodes of earlier FERAL versions, copies of a node: minutes, for they wait for what those do by their own clocks. */
const slowNodes = ["test/e2e/MixedNetwork.test.ts", "test/e2e/Copies.test.ts"]
/** The same, with mDNS on the loopback interface. */
const legacy = "test/e2e/Legacy.test.ts"
const attacks = ["test/e2e/Siege.test.ts", "test/e2e/Attacks.test.ts"]
/** Nodes, and a browser that looks at them. */
const dashboard = "test/dashboard/{Absence,Dashboard,Editing,Kinds,Large,Problems}.test.ts"
const refusal = "test/e2e/Refusal.test.ts"

/** Programs beside the test (nodes, openssl, a browser, the compiler), and multicast: what waits for them waits for the machine. */
const programs = [
  "test/main.test.ts",
  "test/core/index.test.ts",
  "test/docs/Embedding.test.ts",
  "test/scripts/Scripts.test.ts",
  "test/services/admin/doctor/*.test.ts",
  "test/services/discovery/{Discovery,MdnsDiscovery}.test.ts",
  "test/services/memory/FifthKind.test.ts",
  "test/services/store/SqliteBackend.test.ts",
  "test/services/transport/tls/*.test.ts"
]

/**
 * Where tests make their files: in memory, where that has room for them. Databases wait for the disk at every commit, and no test can
 * tell whether it has written: the machine does not lose power. A directory that is named is taken.
 */
const scratch = (): string => {
  const memory = "/dev/shm"
  try {
    accessSync(memory, constants.W_OK)
    const { bavail, bsize } = statfsSync(memory)
    return process.env["TMPDIR"] === undefined && bavail * bsize > 4 * 1024 ** 3 ? memory : tmpdir()
  } catch {
    return tmpdir()
  }
}

const inMemory = { env: { TMPDIR: scratch() } }

const source = (file: string) => new URL(`src/${file}`, import.meta.url).pathname

const realTime = { globalSetup, testTimeout: 60_000, hookTimeout: 60_000 }

/** `npm test` runs the first three, `npm run test:long` the others, and `.ci/run` all of them. */
export default defineConfig({
  // Examples import the package by its name.
  resolve: {
    alias: [
      { find: /^feral-sync$/, replacement: source("index.ts") },
      { find: /^feral-sync\/core$/, replacement: source("core/index.ts") },
      { find: /^feral-sync\/client$/, replacement: source("client.ts") },
      { find: /^feral-sync\/testing$/, replacement: source("testing/index.ts") }
    ]
  },
  test: {
    pool: "forks",
    maxWorkers: 2,
    reporters: ["default", "./test/support/LeftOut.ts"],
    projects: [
      {
        extends: true,
        test: {
          ...inMemory,
          name: "unit",
          // Files share what they import: for most of them that takes longer than their tests.
          isolate: false,
          include: ["test/**/*.test.ts", "examples/*.test.ts"],
          exclude: ["test/cli/**", "test/e2e/**", "test/package/**", dashboard, ...programs, ...seeds],
          testTimeout: 20_000,
          sequence: { groupOrder: 0 }
        }
      },
      {
        // Real processes, sockets and files, that find each other by configuration alone.
        extends: true,
        test: {
          ...realTime,
          ...inMemory,
          name: "processes",
          isolate: false,
          include: ["test/cli/*.test.ts", dashboard, refusal, ...programs],
          sequence: { groupOrder: 1 }
        }
      },
      {
        // The same with mDNS. One file at a time, and none beside the others: whoever announces itself on the
        // loopback interface is met by every node that listens there.
        extends: true,
        test: {
          ...realTime,
          ...inMemory,
          name: "e2e",
          include: ["test/e2e/*.test.ts"],
          exclude: [refusal, ...attacks, ...slowNodes, legacy],
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 2 }
        }
      },
      {
        // The package as people install it, which takes the registry. It waits much: networks are simulated beside it.
        extends: true,
        test: {
          name: "package",
          include: ["test/package/*.test.ts"],
          // Two installations at a time.
          maxConcurrency: 2,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 3 }
        }
      },
      {
        // Simulated networks, hundreds of them.
        extends: true,
        test: { name: "seeds", include: seeds, sequence: { groupOrder: 3 } }
      },
      {
        // Processes that are killed and besieged, disks that are full, clocks that are wrong, nodes of earlier versions.
        extends: true,
        test: {
          ...realTime,
          name: "faults",
          include: ["test/e2e/faults/*.test.ts", ...attacks, ...slowNodes],
          testTimeout: 120_000,
          sequence: { groupOrder: 4 }
        }
      },
      {
        // Networks of their own, which take root and packages of the system. By themselves: times are measured.
        extends: true,
        test: {
          ...realTime,
          name: "network",
          include: ["test/e2e/network/*.test.ts", legacy],
          testTimeout: 120_000,
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 5 }
        }
      }
    ]
  }
})
