/**
 * What the edge answers, as types and as checks: an answer counts only when it has this shape. Members that are not named
 * pass, since a newer edge may say more; those that are named are bounded.
 */

type Check = (value: unknown) => boolean;

/** Whether a parsed answer has the shape of a `T`. */
export type Shape<T> = (value: unknown) => value is T;

/** Part of a document that the datastore has taken. */
export type Part = { part: number; etag: string };
export type UploadOpened = { id: string; partSize: number };
export type Completed = { size: number; etag: string };
/** `size` in bytes of ciphertext, `created` in seconds since 1970. */
export type DocumentRow = { id: string; account: string; size: number; created: number };
export type DocumentPage = { documents: DocumentRow[]; cursor?: string };
export type DataKeys = { edks: string[] };
export type Rewrapped = { wrappedKey: string; receipt: string };
export type Grant = { grant: string };
export type ExportOrder = { order: string };

/** R2's bounds of a part; a server that asks for larger ones would have the client hold them in memory. */
const MIN_PART = 5 << 20;
const MAX_PART = 64 << 20;

const id = text(/^[\w.:@-]{1,64}$/);
const etag = text(/^[\x21-\x7e]{1,256}$/);
const jws = text(/^[\w-]{1,8192}\.[\w-]{1,8192}\.[\w-]{1,1024}$/);

export const isPart = members<Part>({ part: whole(1, 10_000), etag });
export const isUploadOpened = members<UploadOpened>({ id, partSize: whole(MIN_PART, MAX_PART) });
export const isCompleted = members<Completed>({ size: whole(1), etag });
export const isDocumentPage = members<DocumentPage>(
  { documents: list(members<DocumentRow>({ id, account: id, size: whole(0), created: whole(0) }), 1000) },
  { cursor: text(/^[\w-]{1,256}$/) },
);
export const isDataKeys = members<DataKeys>({
  edks: (value) => list(jws, 16)(value) && (value as []).length > 0,
});
export const isRewrapped = members<Rewrapped>({ wrappedKey: text(/^[\w-]{1,2048}$/), receipt: jws });
export const isGrant = members<Grant>({ grant: text(/^[\w-]{1,256}$/) });
export const isExportOrder = members<ExportOrder>({ order: id });

function members<T>(required: Record<string, Check>, optional: Record<string, Check> = {}): Shape<T> {
  return (value): value is T => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    const own = value as Record<string, unknown>;
    const fits = ([name, check]: [string, Check]) => Object.hasOwn(own, name) && check(own[name]);
    return (
      Object.entries(required).every(fits) &&
      Object.entries(optional).every((each) => !Object.hasOwn(own, each[0]) || fits(each))
    );
  };
}

function text(pattern: RegExp): Check {
  return (value) => typeof value === "string" && pattern.test(value);
}

function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): Check {
  return (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

function list(item: Check, most: number): Check {
  return (value) => Array.isArray(value) && value.length <= most && value.every(item);
}
