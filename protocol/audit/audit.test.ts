import { beforeAll, describe, expect, it } from "vitest";
import { utf8 } from "../bytes.ts";
import { SIGN_TYPE } from "../hierarchy/index.ts";
import {
  type EcPublicJwk,
  joinJws,
  signingInput,
  TRUST_TYPE,
  thumbprint,
  trustListPayload,
} from "../keys/index.ts";
import { emptyFrontier, grow, leafHash, rootOf } from "../log/index.ts";
import {
  AuditError,
  type Checkpoint,
  checkpointText,
  EARLIER,
  GENESIS,
  type Link,
  linesOf,
  linkHash,
  parseCheckpoint,
  rootPayload,
  succession,
  verifyExport,
} from "./index.ts";

const NOW = 1_800_000_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

type Key = Awaited<ReturnType<typeof newKey>>;
let [root, audit, other]: Key[] = [];
let rootKey: Uint8Array;
let list: string;

beforeAll(async () => {
  [root, audit, other] = await Promise.all([newKey(), newKey(), newKey()]);
  rootKey = new Uint8Array(await crypto.subtle.exportKey("spki", root!.publicKey));
  const keys = [
    { key: audit!.jwk, purpose: "audit" as const },
    { key: other!.jwk, purpose: "receipt" as const },
  ];
  const payload = await trustListPayload(keys, { serial: 1, iat: NOW - 10, exp: NOW + 1000 });
  list = await sign(root!, TRUST_TYPE, payload);
});

async function newKey() {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const { x, y } = (await crypto.subtle.exportKey("jwk", publicKey)) as EcPublicJwk;
  const jwk: EcPublicJwk = { kty: "EC", crv: "P-256", x, y };
  return { privateKey, publicKey, jwk, kid: await thumbprint(jwk) };
}

async function sign({ privateKey, kid }: Key, typ: string, payload: object): Promise<string> {
  const input = signingInput({ typ, kid }, payload);
  return joinJws(input, new Uint8Array(await crypto.subtle.sign(ALGORITHM, privateKey, utf8(input))));
}

const signRoot = (payload: object, key = audit!) => sign(key, SIGN_TYPE.audit, payload);

/** Links of one source with one outbox, which has as many rows. `entry` makes one of them another. */
async function chain(source: string, length: number, entry: (own: object) => object = (own) => own) {
  const links: Link[] = [];
  let previous = GENESIS;
  for (let sequence = 1; sequence <= length; sequence++) {
    const time = new Date((NOW + sequence) * 1000).toISOString();
    const text = JSON.stringify(entry({ action: "a", epoch: "e", outbox: sequence, sequence, source, time }));
    const hash = await linkHash(previous, text);
    links.push({ sequence, previous, entry: text, hash });
    previous = hash;
  }
  return links;
}

const at = (source: string, links: Link[], sequence: number): Checkpoint => ({
  source,
  epoch: "e",
  sequence,
  head: links[sequence - 1]!.hash,
});

/** Roots of the log of these checkpoints at each of the sizes. */
async function rootsOf(checkpoints: Checkpoint[], sizes: number[], tenant = "acme"): Promise<string[]> {
  const roots: string[] = [];
  let frontier = emptyFrontier;
  for (const checkpoint of checkpoints) {
    ({ frontier } = await grow(frontier, await leafHash(utf8(checkpointText(checkpoint)))));
    if (!sizes.includes(frontier.size)) continue;
    const tree = { size: frontier.size, root: await rootOf(frontier) };
    roots.push(await signRoot(rootPayload(tenant, tree, NOW + frontier.size)));
  }
  return roots;
}

type Parts = {
  tenant: string;
  list: string;
  roots: string[];
  leaves: Checkpoint[];
  chains: Record<string, object[]>;
};

function written({ tenant, list, roots, leaves, chains }: Parts): string[] {
  const lines: object[] = [
    { kind: "export", version: 1, tenant },
    { kind: "trust", list },
    ...roots.map((jws) => ({ kind: "root", jws })),
    ...leaves.map((leaf) => ({ kind: "leaf", entry: checkpointText(leaf) })),
    ...Object.entries(chains).flatMap(([source, links]) => [{ kind: "chain", source }, ...links]),
  ];
  return [...lines, { kind: "end", lines: lines.length }].map((line) => JSON.stringify(line));
}

/** Two sources, three signed roots, and a link after the last checkpoint. */
async function parts(): Promise<Parts & { kms: Link[]; iam: Link[] }> {
  const [kms, iam] = await Promise.all([chain("kms/one", 6), chain("iam", 3)]);
  const leaves = [at("kms/one", kms, 2), at("iam", iam, 1), at("kms/one", kms, 5), at("iam", iam, 3)];
  const roots = await rootsOf(leaves, [1, 2, 4]);
  return { tenant: "acme", list, roots, leaves, chains: { iam, "kms/one": kms }, kms, iam };
}

const verify = (lines: string[], since?: Awaited<ReturnType<typeof verifyExport>>) =>
  verifyExport(lines, { rootKey, now: NOW }, since);

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "was not refused";
  } catch (error) {
    if (error instanceof AuditError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

describe("an export", () => {
  it("proves its chains up to their last checkpoints, under the root key", async () => {
    const all = await parts();
    const verified = await verify(written(all));
    expect(verified).toMatchObject({ tenant: "acme", roots: 3, links: 8, root: { size: 4 } });
    expect(Object.fromEntries(verified.chains)).toEqual({
      iam: { sequence: 3, hash: all.iam[2]!.hash },
      "kms/one": { sequence: 5, hash: all.kms[4]!.hash },
    });
    expect(verified.unsigned).toEqual({ links: 1, oldest: NOW + 6, newest: NOW + 6 });
  });

  /** With links of the quiet source that nobody signed, one for each of these seconds after its last root. */
  async function appended(...times: (number | undefined)[]) {
    const all = await parts();
    const iam = await chain("iam", 3 + times.length, (own) => {
      const { sequence } = own as Link;
      if (sequence <= 3) return own;
      const seconds = times[sequence - 4];
      const time = seconds === undefined ? "" : new Date((NOW + 4 + seconds) * 1000).toISOString();
      return { ...own, user: "victim", time };
    });
    return verify(written({ ...all, chains: { ...all.chains, iam } }));
  }

  it("does not count what was appended to a quiet chain as verified", async () => {
    const verified = await appended(1, 2, 3, 4);
    expect(verified).toMatchObject({ links: 8, unsigned: { links: 5, newest: NOW + 8 } });
    expect(verified.chains.get("iam")).toMatchObject({ sequence: 3 });
    // Of a tenant that was quiet overnight: the root is old, and the first decision of the morning is not under one yet.
    const all = await parts();
    const kms = all.kms.slice(0, 5);
    const iam = await chain("iam", 4, (own) =>
      (own as Link).sequence < 4 ? own : { ...own, time: "2030-01-01T08:00:00Z" },
    );
    const morning = await verify(written({ ...all, chains: { iam, "kms/one": kms } }));
    expect(morning).toMatchObject({ links: 8, unsigned: { links: 1 } });
  });

  it("shows that links have no checkpoint which must have had one", async () => {
    const late = /^audit-unsigned: \d decisions are under no signed root, the oldest of \d{4}-/;
    expect(await refusal(appended(-601))).toMatch(late);
    expect(await refusal(appended(0, 700))).toMatch(late);
    expect(await appended(-590, 0)).toMatchObject({ links: 8 });
    expect(await refusal(appended(undefined))).toBe("audit-chain: The entry of iam at 4 has no time");
  });

  it("has no proof before the first root is signed", async () => {
    const all = { ...(await parts()), roots: [], leaves: [], chains: {} };
    const [first] = written(all);
    const empty = [first!, '{"kind":"end","lines":1}'];
    expect(await refusal(verify(empty))).toBe("audit-root: The export has no signed root yet");
    expect(await refusal(verify(written(all)))).toBe("audit-root: The export has no signed root");
  });

  it("shows that a link was changed, removed, moved or added", async () => {
    const all = await parts();
    const { kms } = all;
    const refused = (links: Link[]) =>
      refusal(verify(written({ ...all, chains: { ...all.chains, "kms/one": links } })));
    const changed = kms.with(2, { ...kms[2]!, entry: kms[2]!.entry.replace('"a"', '"b"') });
    expect(await refused(changed)).toBe("audit-chain: The chain of kms/one is broken at 3");
    expect(await refused(kms.toSpliced(1, 1))).toContain("broken at 2");
    expect(await refused(kms.with(1, kms[2]!).with(2, kms[1]!))).toContain("broken at 2");
    expect(await refused([...kms, kms[5]!])).toContain("broken at 7");
  });

  it("shows that a chain was written again, though it links up", async () => {
    const all = await parts();
    const forged = await chain("kms/one", 6, (own) => ({ ...own, action: "b" }));
    const chains = { ...all.chains, "kms/one": forged };
    expect(await refusal(verify(written({ ...all, chains })))).toBe(
      "audit-chain: kms/one does not lead to the head logged at 2",
    );
  });

  it("shows that the end of a chain, or all of it, is missing", async () => {
    const all = await parts();
    const cut = { ...all.chains, "kms/one": all.kms.slice(0, 4) };
    expect(await refusal(verify(written({ ...all, chains: cut })))).toBe(
      "audit-source: The chain of kms/one ends at 4, and had 5",
    );
    expect(await refusal(verify(written({ ...all, chains: { iam: all.iam } })))).toBe(
      "audit-source: The chain of kms/one is missing",
    );
  });

  it("has no chain that the log does not know, and none twice", async () => {
    const all = await parts();
    const more = { ...all.chains, ra: await chain("ra", 2) };
    expect(await refusal(verify(written({ ...all, chains: more })))).toMatch(/^audit-source: ra is not in/);
    const lines = written(all);
    const twice = [...lines.slice(0, -1), ...lines.slice(9, 13)];
    expect(await refusal(verify([...twice, `{"kind":"end","lines":${twice.length}}`]))).toMatch(
      /^audit-source: iam is not in the log, or comes twice/,
    );
  });

  it("has no entry twice, of another source or of another place", async () => {
    const all = await parts();
    const refused = async (entry: (own: { sequence: number }) => object) => {
      const kms = await chain("kms/one", 6, entry as never);
      const leaves = [at("kms/one", kms, 6)];
      const chains = { "kms/one": kms };
      const roots = await rootsOf(leaves, [1]);
      return refusal(verify(written({ ...all, leaves, chains, roots })));
    };
    expect(await refused((own) => ({ ...own, outbox: 1 }))).toContain("at 2 was there before");
    expect(await refused((own) => ({ ...own, source: "kms/two" }))).toContain("at 1 is of another place");
    expect(await refused((own) => ({ ...own, sequence: own.sequence + 1 }))).toContain("is of another place");
    expect(await refused(() => ({}))).toContain("at 1 is not one");
  });

  it("shows that a leaf was changed, removed, moved or added", async () => {
    const all = await parts();
    const refused = (leaves: Checkpoint[]) => refusal(verify(written({ ...all, leaves })));
    const [first, second, third, fourth] = all.leaves as [Checkpoint, Checkpoint, Checkpoint, Checkpoint];
    const changed = { ...third, head: first.head };
    expect(await refused([first, second, changed, fourth])).toMatch(/^audit-root: The first 4 leaves/);
    expect(await refused([first, second, fourth])).toMatch(/^audit-malformed/);
    expect(await refused([second, first, third, fourth])).toMatch(/^audit-root: The first 1 leaves/);
    expect(await refused([first, second, third, fourth, at("iam", all.iam, 3)])).toBe(
      "audit-root: No root of the export has more than 4 leaves",
    );
  });

  it("shows that the log went back, though it was signed", async () => {
    const all = await parts();
    for (const [back, leaf] of [
      ["kms/one, sequence 4", at("kms/one", all.kms, 4)],
      ["kms/one, sequence 5", { ...at("kms/one", all.kms, 5), head: all.kms[3]!.hash }],
      ["iam, sequence 3", at("iam", all.iam, 3)],
    ] as const) {
      const leaves = [...all.leaves, leaf];
      const roots = await rootsOf(leaves, [5]);
      expect(await refusal(verify(written({ ...all, leaves, roots })))).toBe(
        `audit-checkpoint: The log goes back at ${back}`,
      );
    }
  });

  it("shows two roots of one size, and an older one after a newer one", async () => {
    const all = await parts();
    const [one, two, four] = all.roots as [string, string, string];
    for (const roots of [
      [one, four, two],
      [one, four, four],
    ])
      expect(await refusal(verify(written({ ...all, roots })))).toMatch(/^audit-root: The log shrank/);
  });

  it("is cut off anywhere without passing for whole", async () => {
    const lines = written(await parts());
    for (let kept = 0; kept < lines.length; kept++)
      expect(await refusal(verify(lines.slice(0, kept))), `${kept}`).toMatch(/^audit-truncated/);
    const short = [...lines.slice(0, -2), lines.at(-1)!];
    expect(await refusal(verify(short))).toMatch(/^audit-truncated/);
    expect(await refusal(verify([...lines, lines.at(-1)!]))).toMatch(/^audit-truncated/);
  });

  it("is signed by the audit key of this deployment, for this tenant, and by nobody else", async () => {
    const all = await parts();
    const payload = { version: 2, tenant: "acme", size: 4, root: GENESIS, iat: NOW };
    const refused = (roots: string[], trust = list) =>
      refusal(verify(written({ ...all, roots, list: trust })));
    expect(await refused([await signRoot(payload, other!)])).toMatch(/^audit-signature: A root/);
    expect(await refused([await signRoot(payload, root!)])).toMatch(/^audit-signature: A root/);
    expect(await refused([await sign(audit!, SIGN_TYPE.receipt, payload)])).toMatch(/^audit-signature/);
    expect(await refused([await signRoot({ ...payload, more: 1 })])).toMatch(/^audit-malformed/);
    expect(await refused(await rootsOf(all.leaves, [4], "umbrella"))).toMatch(/^audit-tenant/);
    const keys = [{ key: other!.jwk, purpose: "audit" as const }];
    const own = await trustListPayload(keys, { serial: 9, iat: NOW, exp: NOW + 1 });
    expect(await refused(all.roots, await sign(other!, TRUST_TYPE, own))).toMatch(
      /^audit-signature: The trust list/,
    );
  });

  it("is of lines that are known, and of nothing else", async () => {
    const lines = written(await parts());
    for (const wrong of ["", "{", "[]", '{"kind":"note"}', '{"kind":"leaf","entry":"{}"}'])
      expect(await refusal(verify([...lines.slice(0, 5), wrong, ...lines.slice(6)]))).toMatch(
        /^audit-malformed/,
      );
  });
});

describe("a later export", () => {
  it("goes on from an earlier one", async () => {
    const all = await parts();
    const since = await verify(written(all));
    expect(await verify(written(all), since)).toMatchObject({ root: { size: 4 } });
    const kms = await chain("kms/one", 9);
    const leaves = [...all.leaves, at("kms/one", kms, 9)];
    const roots = [...all.roots, ...(await rootsOf(leaves, [5]))];
    const later = written({ ...all, leaves, roots, chains: { ...all.chains, "kms/one": kms } });
    expect(await verify(later, since)).toMatchObject({
      root: { size: 5 },
      links: 12,
      unsigned: { links: 0 },
    });
  });

  it("shows that all was rolled back, or that links after the last checkpoint are gone", async () => {
    const all = await parts();
    const since = await verify(written(all));
    const { kms, iam, leaves, roots } = all;
    const back = written({ ...all, leaves: leaves.slice(0, 2), roots: roots.slice(0, 2) });
    expect(await refusal(verify(back, since))).toBe("audit-root: The log has 2 leaves, and had 4 earlier");
    const shorter = written({ ...all, chains: { iam, "kms/one": kms.slice(0, 5) } });
    expect(await refusal(verify(shorter, since))).toBe(
      "audit-source: The chain of kms/one ends at 5, and had 6",
    );
  });

  it("shows that the log, or a chain, is another one than it was", async () => {
    const all = await parts();
    const since = await verify(written(all));
    const forked = [...all.kms.slice(0, 5)];
    const entry = all.kms[5]!.entry.replace('"a"', '"b"');
    const hash = await linkHash(forked[4]!.hash, entry);
    const kms = [...forked, { sequence: 6, previous: forked[4]!.hash, entry, hash }];
    expect(await refusal(verify(written({ ...all, chains: { ...all.chains, "kms/one": kms } }), since))).toBe(
      "audit-chain: kms/one was another one at 6 earlier",
    );
    // Without what disappears: a log of the other source alone, signed by the same key.
    const leaves = [1, 2, 3].map((sequence) => at("iam", all.iam, sequence));
    const iam = await chain("iam", 4);
    const without = [...leaves, at("iam", iam, 4)];
    const lines = written({
      ...all,
      leaves: without,
      roots: await rootsOf(without, [4]),
      chains: { iam },
    });
    expect(await verify(lines)).toMatchObject({ links: 4 });
    expect(await refusal(verify(lines, since))).toMatch(/^audit-root: The first 4 leaves/);
  });

  it("is of the same tenant", async () => {
    const all = await parts();
    const since = { ...(await verify(written(all))), tenant: "umbrella" };
    expect(await refusal(verify(written(all), since))).toMatch(/^audit-tenant/);
  });
});

describe("the chain of earlier releases", () => {
  const HEAD = (link: Link) => ({
    version: 1,
    tenant: "acme",
    sequence: link.sequence,
    hash: link.hash,
    iat: 1,
  });

  async function withEarlier(head: (links: Link[]) => object, kms: Link[]) {
    const links = await chain(EARLIER, 3, (own) => ({ ...own, source: "kms/one" }));
    const leaves = [at(EARLIER, links, 3), at("kms/one", kms, kms.length)];
    const earlier = [...links, { kind: "head", jws: await signRoot(head(links)) }];
    const roots = await rootsOf(leaves, [2]);
    return written({ ...(await parts()), leaves, roots, chains: { [EARLIER]: earlier, "kms/one": kms } });
  }
  const rest = (first: number) =>
    chain("kms/one", 2, (own) => ({ ...own, outbox: first + (own as Link).sequence }));

  it("has entries of all sources, and leads to the heads that were signed", async () => {
    const kms = await rest(3);
    expect(await verify(await withEarlier((links) => HEAD(links[2]!), kms))).toMatchObject({ links: 5 });
    const refused = await refusal(verify(await withEarlier((links) => HEAD(links[1]!), kms)));
    expect(refused).toBe("audit-chain: audit/earlier does not lead to the head signed at 2");
  });

  it("has nothing that comes again in the chain of its source", async () => {
    const lines = await withEarlier((links) => HEAD(links[2]!), await rest(2));
    expect(await refusal(verify(lines))).toBe("audit-chain: The entry of kms/one at 1 was there before");
  });
});

describe("a checkpoint", () => {
  const own = { epoch: "e", head: GENESIS, sequence: 7, source: "kms/one" };

  it("has one text", () => {
    const text = `{"epoch":"e","head":"${GENESIS}","sequence":7,"source":"kms/one"}`;
    expect(checkpointText(own)).toBe(text);
    expect(parseCheckpoint(text)).toEqual(own);
    for (const wrong of [
      ` ${text}`,
      text.replace("7", "0"),
      text.replace(GENESIS, "x"),
      text.replace('"e"', '"e","e":1'),
      "null",
    ])
      expect(parseCheckpoint(wrong), wrong).toBeNull();
  });

  it("follows, repeats, or goes back", () => {
    expect(succession(undefined, own)).toBe("next");
    expect(succession({ sequence: 6, head: "h" }, own)).toBe("next");
    expect(succession(own, own)).toBe("same");
    expect(succession({ ...own, head: "h" }, own)).toBe("back");
    expect(succession({ sequence: 8, head: "h" }, own)).toBe("back");
  });
});

describe("lines", () => {
  const read = async (...chunks: string[]) => {
    const lines: string[] = [];
    async function* bytes() {
      for (const chunk of chunks) yield utf8(chunk);
    }
    for await (const line of linesOf(bytes())) lines.push(line);
    return lines;
  };

  it("come whole out of chunks, and are of bounded length", async () => {
    expect(await read("a\nb", "c\n", "\n", "d\n")).toEqual(["a", "bc", "", "d"]);
    expect(await refusal(read("a\nb"))).toMatch(/^audit-truncated/);
    expect(await refusal(read("x".repeat(200_000)))).toMatch(/^audit-malformed/);
  });
});
