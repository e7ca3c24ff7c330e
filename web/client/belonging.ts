/**
 * What joins a document's metadata to its content. Both are sealed apart under the document's id, so the metadata names the
 * message that it was sealed beside: a datastore that has several under one id cannot mix them.
 */

import { encodeBase64url } from "#protocol/base64url.ts";
import { digest } from "#protocol/digest.ts";
import { type Header, parseHeader } from "#protocol/envelope/index.ts";
import { CofferError } from "#protocol/error.ts";
import { bytesWith } from "./peek.ts";

/** Names one sealed content, base64url. Rows of an index of versions name it by the same two. */
export interface ContentName {
  /** The 32-byte message id of its header. */
  messageId: string;
  /** SHA-256 of its header, tag included: every byte before the first frame. */
  headerDigest: string;
}

/**
 * A random id for a document that is sealed now: a UUID of version 8 (RFC 9562 §5.8), 122 bits of it random. The version
 * is a mark that nobody can remove, since a reader asks for a document by its id: what is sealed under such an id
 * has metadata that names its content. Ids of version 4 were chosen by the datastore, and their documents have no such name.
 */
export function createDocumentId(): string {
  const random = crypto.randomUUID();
  return `${random.slice(0, 14)}8${random.slice(15)}`;
}

/** Whether metadata under this id has to name its content. */
export function namesContent(id: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-8/.test(id);
}

/** The name of the content that begins with these bytes. Error: `decrypt-failed` where that is no header. */
export async function contentName(head: Uint8Array): Promise<ContentName> {
  const header = parseHeader(head);
  if (!header) throw new CofferError("decrypt-failed");
  return nameOf(header, head);
}

/** The name of a sealed stream, and the same stream with nothing taken out. */
export async function nameStream(
  sealed: ReadableStream<Uint8Array<ArrayBuffer>>,
): Promise<{ name: ContentName; stream: ReadableStream<Uint8Array<ArrayBuffer>> }> {
  let header: Header | null = null;
  const { head, stream } = await bytesWith(sealed, (bytes) => {
    header = parseHeader(bytes);
    return header !== null;
  });
  if (!header) throw new CofferError("unexpected-response");
  return { name: await nameOf(header, head), stream };
}

export function sameContent(a: ContentName, b: ContentName): boolean {
  return a.messageId === b.messageId && a.headerDigest === b.headerDigest;
}

async function nameOf(header: Header, head: Uint8Array): Promise<ContentName> {
  return {
    messageId: encodeBase64url(header.messageId),
    headerDigest: await digest(head.slice(0, header.length) as Uint8Array<ArrayBuffer>),
  };
}
