import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["{protocol,files,edge,kmip-node,web,emulator,cli}/**/*.test.ts"],
          environment: "node",
          // Some make RSA keys, and machines are busy: no test asserts a time.
          testTimeout: 30_000,
        },
      },
      {
        // As an example has it, whose package is this one.
        resolve: {
          alias: { "@coffer/kit/node": fileURLToPath(new URL("cli/node.ts", import.meta.url)) },
        },
        test: {
          name: "system",
          include: ["test/**/*.test.ts"],
          environment: "node",
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
          expect: { poll: { timeout: 15_000 } },
        },
      },
    ],
  },
});
