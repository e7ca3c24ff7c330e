// `npm pack` and `npm publish` in a clone would pack its own manifest, which brings a Node of its own and the tools.
console.error("Here `npm run package` makes the tarball, with the manifest that is published; publish that.");
process.exit(1);
