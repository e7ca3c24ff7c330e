#!/usr/bin/env node
// The command `coffer`. Plain JavaScript, so that an older Node can say what it lacks.
const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  console.error(
    `coffer needs Node 24 and this is ${process.versions.node}. \`npm start\` brings its own; or install Node 24.`,
  );
  process.exit(1);
}
// node:sqlite is a release candidate in Node 24, and its first versions warn of the types that they strip: neither warning
// says anything that a user can act on.
const { emitWarning } = process;
process.emitWarning = (warning, ...rest) => {
  if (!/SQLite|Type Stripping/.test(String(warning))) Reflect.apply(emitWarning, process, [warning, ...rest]);
};
// Below node_modules Node takes no TypeScript: a package that was published has the command built.
const published = import.meta.url.includes("/node_modules/");
if (published && process.argv[2] === "start") {
  console.error("coffer start builds the edge worker and the page: run it in a clone of the repository.");
  process.exit(1);
}
const { main } = await import(published ? "../dist/package/cli.js" : "./main.ts");
process.exitCode = await main(process.argv.slice(2));

export {};
