import type { Document } from "#web/custodian/documents.ts";

/** A name for a file: the document's own without any path, made unique; its id where the name cannot be opened. */
export function exportFileName(
  { id, metadata }: Pick<Document, "id" | "metadata">,
  taken: Set<string>,
): string {
  const own = (metadata?.name ?? id).replaceAll(/[/\\:\p{Cc}]/gu, "_").replace(/^\.+/, "_");
  const dot = own.lastIndexOf(".");
  const [stem, ending] = dot > 0 ? [own.slice(0, dot), own.slice(dot)] : [own, ""];
  let name = own;
  // File systems that fold case would take A.txt for a.txt.
  for (let n = 2; taken.has(name.toLowerCase()) || name === ""; n++) name = `${stem} (${n})${ending}`;
  taken.add(name.toLowerCase());
  return name;
}
