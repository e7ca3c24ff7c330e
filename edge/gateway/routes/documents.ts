import { contentResponse } from "../content.ts";
import { unwrap } from "../problem.ts";
import type { ContractHandlers } from "../serve.ts";

/** Ciphertext in and out, in parts and by ranges. Bodies stream through. */
export const documents = {
  listDocuments: ({ c, caller, input }) => c.env.DATASTORE.list(caller, input.account, input.cursor),
  openUpload: ({ c, caller, body }) => c.env.DATASTORE.create(caller, body.account, body.id),
  uploadPart: ({ c, caller, input: { id, part }, body: { length, stream } }) =>
    c.env.DATASTORE.uploadPart(caller, id, Number(part), length, stream),
  putMetadata: ({ c, caller, input, body }) => c.env.DATASTORE.putMetadata(caller, input.id, body),
  completeUpload: ({ c, caller, input, body }) => c.env.DATASTORE.complete(caller, input.id, body),
  async readContent({ c, caller, input }) {
    const range = c.req.header("range") ?? null;
    return contentResponse(unwrap(await c.env.DATASTORE.content(caller, input.id, range)));
  },
  readMetadata: async ({ c, caller, input }) =>
    contentResponse(unwrap(await c.env.DATASTORE.metadata(caller, input.id))),
  deleteDocument: ({ c, caller, input }) => c.env.DATASTORE.delete(caller, input.id),
} satisfies Partial<ContractHandlers>;
