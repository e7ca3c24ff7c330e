/** An app's own upload form: what is a file in it is sealed here, and only ids go to the app's server. */

import type { Coffer, Document, SealOptions } from "#web/browser/index.ts";

export interface SealedForm {
  /** The same fields in the same order, with a document's id in the place of each file. */
  data: FormData;
  /** What was sealed, in that order. */
  documents: Document[];
}

/**
 * Seals each file of a form. A field for files of which none was chosen is left out. All or nothing: where one cannot be sealed, those that were are deleted
 * again. Errors: as of `coffer.seal`.
 *
 * @example
 * form.addEventListener("submit", async (event) => {
 *   event.preventDefault();
 *   const { data } = await sealFormData(coffer, new FormData(form));
 *   await fetch(form.action, { method: "POST", body: data });
 * });
 */
export async function sealFormData(
  coffer: Pick<Coffer, "seal" | "remove">,
  form: FormData,
  options: Pick<SealOptions, "account" | "signal" | "onProgress"> = {},
): Promise<SealedForm> {
  const data = new FormData();
  const documents: Document[] = [];
  try {
    for (const [name, value] of form) {
      if (typeof value === "string") data.append(name, value);
      // What a browser has for a field in which no file was chosen (HTML, "constructing the entry list").
      else if (value.name !== "" || value.size > 0) {
        const document = await coffer.seal(value, options);
        documents.push(document);
        data.append(name, document.id);
      }
    }
  } catch (error) {
    for (const { id, account } of documents) await coffer.remove(id, { account }).catch(() => {});
    throw error;
  }
  return { data, documents };
}
