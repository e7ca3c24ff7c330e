import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** `npm test -- peculiar`. Apart from the projects of the root, so that one file by hand and a break's guard run once. */
export default defineConfig({
  test: {
    name: "peculiar",
    include: [
      "protocol/{envelope,keys,evidence}/**/*.test.ts",
      "web/microservice/**/*.test.ts",
      "test/peculiar/engine.check.ts",
    ],
    environment: "node",
    maxWorkers: availableParallelism(),
    setupFiles: ["test/peculiar/crypto.ts"],
    testTimeout: 60_000,
  },
});
