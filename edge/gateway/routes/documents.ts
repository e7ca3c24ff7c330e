import { contentResponse } from "../content.ts";
import { unwrap } from "../problem.ts";
import type { ContractHandlers } from "../serve.ts";

/** Ciphertext in and out, in parts and by ranges. Bodies stream through. */
export const documents = {
  listDocuments: ({ c, caller, input }) => {
    const { account, cursor, ids, limit } = input;
    const most = limit === undefined ? undefined : Number(limit);
    return c.env.DATASTORE.list(caller, account, { cursor, ids: ids?.split(","), limit: most });
  },
  listDeletedDocuments: ({ c, caller, input }) =>
    c.env.DATASTORE.listDeleted(caller, input.account, input.cursor),
  scheduleDocumentDeletion: ({ c, caller, input: { account, id }, body }) =>
    c.env.DATASTORE.scheduleDeletion(caller, account, id, body.days),
  cancelDocumentDeletion: ({ c, caller, input: { account, id } }) =>
    c.env.DATASTORE.keepDocument(caller, account, id),
  openUpload: ({ c, caller, input, body }) => c.env.DATASTORE.create(caller, input.account, body.id),
  storeDocument: ({ c, caller, input: { account, id }, body }) =>
    c.env.DATASTORE.store(caller, account, id, body),
  readUpload: ({ c, caller, input: { account, id } }) => c.env.DATASTORE.upload(caller, account, id),
  uploadPart: ({ c, caller, input: { account, id, part }, body: { length, stream } }) =>
    c.env.DATASTORE.uploadPart(caller, account, id, Number(part), length, stream),
  putMetadata: ({ c, caller, input: { account, id }, body }) =>
    c.env.DATASTORE.putMetadata(caller, account, id, body),
  completeUpload: ({ c, caller, input: { account, id }, body }) =>
    c.env.DATASTORE.complete(caller, account, id, body),
  putListed: ({ c, caller, input: { account }, body }) => c.env.DATASTORE.putListed(caller, account, body),
  async readContent({ c, caller, input: { account, id } }) {
    const range = c.req.header("range") ?? null;
    return contentResponse(unwrap(await c.env.DATASTORE.content(caller, account, id, range)));
  },
  readMetadata: async ({ c, caller, input: { account, id } }) =>
    contentResponse(unwrap(await c.env.DATASTORE.metadata(caller, account, id))),
  putShare: ({ c, caller, input: { account, id, share }, body }) =>
    c.env.DATASTORE.share(caller, account, id, share, body),
  deleteShare: ({ c, caller, input: { account, id, share } }) =>
    c.env.DATASTORE.unshare(caller, account, id, share),
  listReceived: ({ c, caller, input: { account, after } }) =>
    c.env.DATASTORE.listReceived(caller, account, after === undefined ? undefined : Number(after)),
  deleteReceived: ({ c, caller, input: { account, share } }) =>
    c.env.DATASTORE.removeReceived(caller, account, share),
  putReceivedCopy: ({ c, caller, input: { account, share }, body: { copy } }) =>
    c.env.DATASTORE.putReceivedCopy(caller, account, share, copy),
  async readReceivedContent({ c, caller, input: { account, share } }) {
    const range = c.req.header("range") ?? null;
    return contentResponse(unwrap(await c.env.DATASTORE.receivedContent(caller, account, share, range)));
  },
  readReceivedMetadata: async ({ c, caller, input: { account, share } }) =>
    contentResponse(unwrap(await c.env.DATASTORE.receivedMetadata(caller, account, share))),
  deleteDocument: ({ c, caller, input: { account, id } }) => c.env.DATASTORE.delete(caller, account, id),
} satisfies Partial<ContractHandlers>;
