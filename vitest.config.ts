import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const CORES = availableParallelism();
/** One file of system tests more than there are processors: each computes, with its browser and its edge, and waits a third of its time. */
const WORKERS = Math.min(CORES + 1, 8);

/** System tests beside which no other may run. */
const ALONE = [
  // Measure memory, or time: a second of another program is one of theirs.
  "test/documents/large.test.ts",
  "test/edge/hsm-stopped.test.ts",
  "test/fuzz/fuzz.test.ts",
  "test/memory/memory.test.ts",
  // Makes two users' keys at a time, for as long as it runs.
  "test/documents/answers.test.ts",
];

const system = {
  // As an example has it, whose package is this one.
  resolve: {
    alias: { "@coffer/kit/node": fileURLToPath(new URL("cli/node.ts", import.meta.url)) },
  },
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node" as const,
    globalSetup: "test/support/built-folder.ts",
    setupFiles: "test/support/built-once.ts",
    testTimeout: 120_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 15_000 } },
  },
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["{protocol,files,edge,kmip-node,web,emulator,cli}/**/*.test.ts"],
          environment: "node",
          maxWorkers: CORES,
          // Some make RSA keys, and machines are busy: no test asserts a time.
          testTimeout: 30_000,
        },
      },
      {
        ...system,
        test: {
          ...system.test,
          name: "system",
          exclude: ALONE,
          maxWorkers: WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        ...system,
        test: { ...system.test, name: "alone", include: ALONE, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
