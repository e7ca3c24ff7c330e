#!/usr/bin/env node
// The command `coffer`. Plain JavaScript, so that an older Node can say what it lacks.
import { existsSync } from "node:fs";

const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  console.error(
    `coffer needs Node 24 and this is ${process.versions.node}. Install Node 24, or have npm bring one: in a clone \`npm start\` does; ` +
      "in a project `npm install --save-dev node@24`, and `npx coffer` then runs on it.",
  );
  process.exit(1);
}
// node:sqlite is a release candidate in Node 24, ML-KEM in its Web Crypto is experimental, and its first versions warn of the types that
// they strip: none of these warnings says anything that a user can act on.
const { emitWarning } = process;
process.emitWarning = (warning, ...rest) => {
  if (!/SQLite|Type Stripping|Web Crypto API/.test(String(warning)))
    Reflect.apply(emitWarning, process, [warning, ...rest]);
};
// Below node_modules Node takes no TypeScript: the package has the command built, and no sources.
const built = !existsSync(new URL("./main.ts", import.meta.url));
const { main } = await import(built ? "../dist/package/cli.js" : "./main.ts");
process.exitCode = await main(process.argv.slice(2));
