import { defineConfig } from "vitest/config"

const processes = [
  "test/cli/*.test.ts",
  "test/e2e/faults/*.test.ts",
  "test/e2e/Refusal.test.ts",
  "test/e2e/Siege.test.ts"
]

/** Once for all of them: it is in the environment of every worker. */
const globalSetup = "./test/support/Bundle.ts"

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    reporters: ["default", "./test/support/LeftOut.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/cli/**", "test/e2e/**", "test/package/**"],
          testTimeout: 20_000,
          sequence: { groupOrder: 0 }
        }
      },
      {
        // Real processes, sockets and files, that find each other by configuration alone.
        extends: true,
        test: {
          name: "processes",
          globalSetup,
          include: processes,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 }
        }
      },
      {
        // The same with mDNS. One file at a time, and none beside the others: whoever announces itself on the
        // loopback interface is met by every node that listens there.
        extends: true,
        test: {
          name: "e2e",
          globalSetup,
          include: ["test/e2e/*.test.ts"],
          exclude: processes,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 2 }
        }
      },
      {
        // Networks of their own, which take root and packages of the system. By themselves: times are measured.
        extends: true,
        test: {
          name: "network",
          globalSetup,
          include: ["test/e2e/network/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 3 }
        }
      },
      {
        // The package as people install it, which takes the registry.
        extends: true,
        test: {
          name: "package",
          include: ["test/package/*.test.ts"],
          // Two installations at a time.
          maxConcurrency: 2,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 4 }
        }
      }
    ]
  }
})
