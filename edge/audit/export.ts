import { EARLIER, type ExportLine, type Link } from "#protocol/audit/index.ts";
import { utf8 } from "#protocol/bytes.ts";
import { TILE_WIDTH } from "#protocol/log/index.ts";

type Domain = Pick<Env, "AUDIT_OBJECT" | "AUDIT_LOG_OBJECT" | "AUDIT_SOURCE_OBJECT" | "AUDIT_SEGMENTS">;

/** Some lines, or bytes of lines that were counted before. */
type Part = { bytes: Uint8Array; lines: number };

/**
 * A tenant's audit as far as it is signed (protocol/audit/export.ts tells the form), and what the chains of the log's sources
 * have beyond. It is read in pieces, a page or a chunk of a segment at a time.
 */
export async function* exportOf(env: Domain, tenant: string): AsyncGenerator<Uint8Array> {
  let lines = 0;
  for await (const part of partsOf(env, tenant)) {
    lines += part.lines;
    yield part.bytes;
  }
  yield written({ kind: "end", lines }).bytes;
}

async function* partsOf(env: Domain, tenant: string): AsyncGenerator<Part> {
  const log = env.AUDIT_LOG_OBJECT.getByName(tenant);
  yield written({ kind: "export", version: 1, tenant });
  const state = await log.state();
  if (state === null) return;
  yield written({ kind: "trust", list: state.trust });
  for (let at = 0; at < state.size; ) {
    const roots = (await log.roots(at)).filter(({ size }) => size <= state.size);
    yield written(...roots.map(({ jws }): ExportLine => ({ kind: "root", jws })));
    at = roots.at(-1)?.size ?? state.size;
  }
  for (let at = 0; at < state.size; at += TILE_WIDTH) {
    const entries = (await log.bundle(at / TILE_WIDTH)).slice(0, state.size - at);
    yield written(...entries.map((entry): ExportLine => ({ kind: "leaf", entry })));
  }
  for (let sources = await log.sources("", state.size); sources.length > 0; ) {
    for (const source of sources) {
      yield written({ kind: "chain", source });
      yield* source === EARLIER ? earlierLinks(env, tenant) : linksOf(env, tenant, source);
    }
    sources = await log.sources(sources.at(-1) ?? "", state.size);
  }
}

async function* linksOf(env: Domain, tenant: string, source: string): AsyncGenerator<Part> {
  const object = env.AUDIT_SOURCE_OBJECT.getByName(`${tenant}/${source}`);
  for (let at = 0; ; ) {
    const next = await object.after(at);
    if (Array.isArray(next)) {
      const last = next.at(-1);
      if (last === undefined) return;
      at = last.sequence;
      yield written(...next);
      continue;
    }
    const stored = await env.AUDIT_SEGMENTS.get(next.key);
    if (stored === null) throw new Error(`The bucket lacks a segment: ${next.key}`);
    let lines = next.last - next.first + 1;
    for await (const bytes of stored.body) {
      yield { bytes, lines };
      lines = 0;
    }
    at = next.last;
  }
}

async function* earlierLinks(env: Domain, tenant: string): AsyncGenerator<Part> {
  const object = env.AUDIT_OBJECT.getByName(tenant);
  for (let links = await object.links(0); links.length > 0; ) {
    yield written(
      ...links.flatMap(({ jws, ...link }): (Link | ExportLine)[] =>
        jws === null ? [link] : [link, { kind: "head", jws }],
      ),
    );
    links = await object.links(links.at(-1)?.sequence ?? 0);
  }
}

function written(...lines: (ExportLine | Link)[]): Part {
  return { bytes: utf8(lines.map((line) => `${JSON.stringify(line)}\n`).join("")), lines: lines.length };
}
