import { join } from "#protocol/bytes.ts";
import { parseJson } from "#protocol/json.ts";
import { mediaTypeOf } from "#protocol/media-type.ts";
import { ProviderError } from "./failure.ts";

/** A person waits for it. Milliseconds. */
const PATIENCE_MS = 5000;
/** Metadata of the largest providers have 5 KB, key sets 15. Bytes. */
const MAX_ANSWER = 128 * 1024;

/**
 * Asks a provider for JSON: within a time, of a bounded length, and nowhere else, whatever redirect it answers with. Throws
 * `ProviderError` `unavailable`.
 */
export async function askJson(
  fetch: typeof globalThis.fetch,
  url: string,
  init: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<{ status: number; body: unknown }> {
  const { host } = new URL(url);
  const unavailable = (reason: string) => new ProviderError("unavailable", `${host} ${reason}`);
  try {
    const response = await fetch(url, {
      ...init,
      headers: { accept: "application/json", ...init.headers },
      redirect: "manual",
      // Keys are asked for again because they have changed: no cache on the way may answer.
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const { status } = response;
    if (status !== 200 && status !== 400 && status !== 401) {
      await response.body?.cancel();
      throw unavailable(`answered ${status}`);
    }
    if (!isJson(response.headers.get("content-type"))) {
      await response.body?.cancel();
      throw unavailable("answered with no JSON");
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += chunk.length;
      if (length > MAX_ANSWER) throw unavailable("answered at length");
      chunks.push(chunk);
    }
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(join(chunks));
    return { status, body: parseJson(text) };
  } catch (error) {
    if (error instanceof ProviderError) throw error;
    const name = error instanceof Error ? error.name : "unknown";
    throw unavailable(name === "TimeoutError" ? "does not answer" : `could not be asked (${name})`);
  }
}

/** RFC 6839 §3.1: `application/jwk-set+json` too. */
function isJson(contentType: string | null): boolean {
  return /^application\/([\w.-]+\+)?json$/.test(mediaTypeOf(contentType));
}
