/** How a command line names a document, as the helps say it. */
export const DOCUMENT_LINE = `DOCUMENT is an id as \`coffer list\` prints it, or the name where only one document has it.`;
