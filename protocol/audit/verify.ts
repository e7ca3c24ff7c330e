/**
 * Verifies an export: whom it is of, by whom the log's roots are signed, that the log only grew, and that each chain in
 * it links up and has all that the log says. With what was verified of an earlier export, that nothing of it is gone.
 */

import { encodeBase64url } from "../base64url.ts";
import { utf8 } from "../bytes.ts";
import { parseJson } from "../json.ts";
import { type TrustList, verifyTrustList } from "../keys/index.ts";
import { emptyFrontier, type Frontier, grow, leafHash, rootOf } from "../log/index.ts";
import { follow, GENESIS, type Head, type Link } from "./chain.ts";
import { type Checkpoint, parseCheckpoint, succession } from "./checkpoint.ts";
import { AuditError } from "./error.ts";
import { EARLIER, type ExportLine, isLink, parseLine } from "./export.ts";
import { type Root, verifyEarlierHead, verifyRoot } from "./root.ts";
import { checkUnsigned, nothingUnsigned, type Unsigned, withUnsigned } from "./unsigned.ts";

/** What an export proves. */
export type Verified = {
  tenant: string;
  /** The newest signed root. */
  root: Root;
  /** Signed roots, and links of all chains up to their last checkpoints. */
  roots: number;
  links: number;
  /** Where each source's chain is at its last checkpoint. */
  chains: ReadonlyMap<string, Head>;
  /** What follows there, and is under no root yet. */
  unsigned: Unsigned;
  /** Where each chain ends with it: a later export has to have that too. */
  ends: ReadonlyMap<string, Head>;
};

type Anchor = {
  /** The root CA's public key, DER SubjectPublicKeyInfo. */
  rootKey: Uint8Array;
  /** Seconds since 1970. */
  now: number;
};

/** Reads an export to its end. `since`: what an earlier one of this tenant has proved. Throws `AuditError`. */
export async function verifyExport(
  lines: AsyncIterable<string> | Iterable<string>,
  { rootKey, now }: Anchor,
  since?: Verified,
): Promise<Verified> {
  const reader = new Reader(lines);
  const { tenant } = await reader.take("export");
  if (since !== undefined && since.tenant !== tenant)
    throw new AuditError("audit-tenant", `The export is of ${tenant}, the earlier one of ${since.tenant}`);
  const trusts = await reader.next("trust");
  if (trusts === null) throw new AuditError("audit-root", "The export has no signed root yet");
  const trust = await trusted(trusts.list, rootKey, now);
  const roots = await readRoots(reader, tenant, trust);
  const newest = roots.at(-1);
  if (newest === undefined) throw new AuditError("audit-root", "The export has no signed root");
  const checkpoints = await readLog(reader, roots, since);
  const read = await readChains(reader, checkpoints, { tenant, trust, since });
  await reader.end();
  checkUnsigned(read.unsigned, newest.iat);
  return { tenant, root: newest, roots: roots.length, ...read };
}

async function trusted(list: string, rootKey: Uint8Array, now: number): Promise<TrustList> {
  try {
    return await verifyTrustList(list, rootKey, now);
  } catch (error) {
    throw new AuditError("audit-signature", "The trust list is not signed by the root key", error);
  }
}

/** By size; a log that grew was signed later. */
async function readRoots(reader: Reader, tenant: string, trust: TrustList): Promise<Root[]> {
  const roots: Root[] = [];
  for (let at = await reader.next("root"); at !== null; at = await reader.next("root")) {
    const root = await verifyRoot(at.jws, tenant, trust);
    const last = roots.at(-1);
    if (last !== undefined && !(root.size > last.size && root.iat >= last.iat))
      throw new AuditError("audit-root", `The log shrank after the root of ${last.size} leaves`);
    roots.push(root);
  }
  return roots;
}

/** Recomputes each root from the leaves. Answers the checkpoints of each source. */
async function readLog(
  reader: Reader,
  roots: readonly Root[],
  since: Verified | undefined,
): Promise<Map<string, Checkpoint[]>> {
  const signed = new Map(roots.map(({ size, root }) => [size, [root]]));
  if (since !== undefined) {
    const { size, root } = since.root;
    signed.set(size, [...(signed.get(size) ?? []), root]);
  }
  const size = roots.at(-1)?.size ?? 0;
  if (since !== undefined && since.root.size > size)
    throw new AuditError("audit-root", `The log has ${size} leaves, and had ${since.root.size} earlier`);
  const checkpoints = new Map<string, Checkpoint[]>();
  let frontier: Frontier = emptyFrontier;
  while (frontier.size < size) {
    const { entry } = await reader.take("leaf");
    const checkpoint = parseCheckpoint(entry);
    if (checkpoint === null)
      throw new AuditError("audit-malformed", `Leaf ${frontier.size} is no checkpoint`);
    add(checkpoints, checkpoint);
    ({ frontier } = await grow(frontier, await leafHash(utf8(entry))));
    const expected = signed.get(frontier.size);
    if (expected === undefined) continue;
    const root = encodeBase64url(await rootOf(frontier));
    if (expected.some((each) => each !== root))
      throw new AuditError("audit-root", `The first ${frontier.size} leaves are not those that were signed`);
  }
  if ((await reader.next("leaf")) !== null)
    throw new AuditError("audit-root", `No root of the export has more than ${size} leaves`);
  return checkpoints;
}

function add(checkpoints: Map<string, Checkpoint[]>, checkpoint: Checkpoint): void {
  const { source, sequence } = checkpoint;
  const known = checkpoints.get(source);
  if (succession(known?.at(-1), checkpoint) !== "next")
    throw new AuditError("audit-checkpoint", `The log goes back at ${source}, sequence ${sequence}`);
  if (known === undefined) checkpoints.set(source, [checkpoint]);
  else known.push(checkpoint);
}

/** The last number of each outbox in each of its lives, by which nothing is in a chain twice. */
type Outboxes = Map<string, number>;

async function readChains(
  reader: Reader,
  checkpoints: ReadonlyMap<string, Checkpoint[]>,
  by: { tenant: string; trust: TrustList; since: Verified | undefined },
): Promise<Pick<Verified, "links" | "chains" | "unsigned" | "ends">> {
  const chains = new Map<string, Head>();
  const ends = new Map<string, Head>();
  let links = 0;
  let unsigned = nothingUnsigned;
  let earlier: Outboxes = new Map();
  for (let at = await reader.next("chain"); at !== null; at = await reader.next("chain")) {
    const { source } = at;
    const logged = checkpoints.get(source);
    if (logged === undefined || chains.has(source))
      throw new AuditError("audit-source", `${source} is not in the log, or comes twice`);
    // What the chain of earlier releases has must not come again: it is the first, by name.
    const outboxes: Outboxes = new Map(source === EARLIER ? [] : earlier);
    const read = await readChain(reader, { ...by, source, logged, outboxes, unsigned });
    if (source === EARLIER) earlier = outboxes;
    chains.set(source, read.signed);
    ends.set(source, read.end);
    links += read.signed.sequence;
    unsigned = read.unsigned;
  }
  for (const source of checkpoints.keys())
    if (!chains.has(source)) throw new AuditError("audit-source", `The chain of ${source} is missing`);
  return { links, chains, unsigned, ends };
}

async function readChain(
  reader: Reader,
  {
    tenant,
    trust,
    since,
    source,
    logged,
    outboxes,
    unsigned: before,
  }: {
    tenant: string;
    trust: TrustList;
    since: Verified | undefined;
    source: string;
    logged: readonly Checkpoint[];
    outboxes: Outboxes;
    unsigned: Unsigned;
  },
): Promise<{ signed: Head; end: Head; unsigned: Unsigned }> {
  const known = since?.ends.get(source);
  const heads = new Map(logged.map((each) => [each.sequence, each]));
  // All that is in the log is under its newest root: each leaf was counted by one.
  const lastLogged = logged.at(-1)?.sequence ?? 0;
  const last = Math.max(lastLogged, known?.sequence ?? 0);
  let unsigned = before;
  let head: Head = { sequence: 0, hash: GENESIS };
  let signedHead = head;
  for (;;) {
    const signed = await reader.next("head");
    if (signed !== null) {
      const { sequence, hash } = await verifyEarlierHead(signed.jws, tenant, trust);
      if (sequence !== head.sequence || hash !== head.hash)
        throw new AuditError("audit-chain", `${source} does not lead to the head signed at ${sequence}`);
      continue;
    }
    const link = await reader.link();
    if (link === null) break;
    head = await follow(head, link).catch((error: unknown) => {
      throw new AuditError("audit-chain", `The chain of ${source} is broken at ${head.sequence + 1}`, error);
    });
    const { epoch, time } = checkEntry(link, source, outboxes);
    if (head.sequence <= lastLogged) signedHead = head;
    else unsigned = withUnsigned(unsigned, { source, sequence: head.sequence }, time);
    const checkpoint = heads.get(head.sequence);
    if (checkpoint && (checkpoint.head !== head.hash || checkpoint.epoch !== epoch))
      throw new AuditError("audit-chain", `${source} does not lead to the head logged at ${head.sequence}`);
    if (known?.sequence === head.sequence && known.hash !== head.hash)
      throw new AuditError("audit-chain", `${source} was another one at ${head.sequence} earlier`);
  }
  if (head.sequence < last)
    throw new AuditError("audit-source", `The chain of ${source} ends at ${head.sequence}, and had ${last}`);
  return { signed: signedHead, end: head, unsigned };
}

/** What an entry says of itself has to be so: whose it is, where it stands, and that it was not there before. */
function checkEntry(
  { entry, sequence }: Link,
  source: string,
  outboxes: Outboxes,
): { epoch: string; time: unknown } {
  const said = members(entry);
  const { epoch, outbox } = said;
  const wrong = (what: string) =>
    new AuditError("audit-chain", `The entry of ${source} at ${sequence} ${what}`);
  if (typeof epoch !== "string" || typeof outbox !== "number" || typeof said.source !== "string")
    throw wrong("is not one");
  if (said.sequence !== sequence || (source !== EARLIER && said.source !== source))
    throw wrong("is of another place");
  const key = JSON.stringify([said.source, epoch]);
  if (outbox <= (outboxes.get(key) ?? 0)) throw wrong("was there before");
  outboxes.set(key, outbox);
  return { epoch, time: said.time };
}

function members(entry: string): Record<string, unknown> {
  try {
    const value = parseJson(entry);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

type Kind = ExportLine["kind"];
type LineOf<K extends Kind> = Extract<ExportLine, { kind: K }>;

/** The lines one after the other, the next of them looked at before it is taken. */
class Reader {
  readonly #lines: AsyncIterator<string> | Iterator<string>;
  #peeked: ExportLine | Link | null | undefined;
  #taken = 0;

  constructor(lines: AsyncIterable<string> | Iterable<string>) {
    this.#lines = Symbol.asyncIterator in lines ? lines[Symbol.asyncIterator]() : lines[Symbol.iterator]();
  }

  /** The next line if it is of this kind, or null. */
  async next<K extends Kind>(kind: K): Promise<LineOf<K> | null> {
    const line = await this.#ahead();
    if (!isOf(line, kind)) return null;
    this.#advance();
    return line;
  }

  /** The next line, which must be of this kind. */
  async take<K extends Kind>(kind: K): Promise<LineOf<K>> {
    const line = await this.next(kind);
    if (line !== null) return line;
    throw new AuditError("audit-malformed", `Line ${this.#taken + 1} of the export is not a ${kind}`);
  }

  async link(): Promise<Link | null> {
    const line = await this.#ahead();
    if (!isLink(line)) return null;
    this.#advance();
    return line;
  }

  async end(): Promise<void> {
    const before = this.#taken;
    const { lines } = await this.take("end");
    if (lines !== before || (await this.#peek()) !== null)
      throw new AuditError("audit-truncated", `The export has ${before} lines, and says ${lines}`);
  }

  /** There is one until the last has been taken. */
  async #ahead(): Promise<ExportLine | Link> {
    const line = await this.#peek();
    if (line !== null) return line;
    throw new AuditError("audit-truncated", `The export is cut off after ${this.#taken} lines`);
  }

  async #peek(): Promise<ExportLine | Link | null> {
    if (this.#peeked === undefined) {
      const { done, value } = await this.#lines.next();
      this.#peeked = done ? null : parseLine(value);
    }
    return this.#peeked;
  }

  #advance(): void {
    this.#peeked = undefined;
    this.#taken++;
  }
}

function isOf<K extends Kind>(line: ExportLine | Link, kind: K): line is LineOf<K> {
  return !isLink(line) && line.kind === kind;
}
