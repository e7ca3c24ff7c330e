import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { connect } from "./client.ts";
import type { Deployment } from "./deployment.ts";
import { fileStream } from "./file-stream.ts";
import { formatBytes } from "./format.ts";
import { mediaType } from "./media-type.ts";
import { shown } from "./shown.ts";

const GREETING = new TextEncoder().encode("Sealed by the microservice, with a key that the HSM made.\n");

/**
 * The main job once, through all the real parts, by the microservice in this process: sign in, enrol, seal, open, compare,
 * remove. Reports each step as it ends; throws at the first that fails.
 */
export async function roundTrip(
  deployment: Deployment,
  step: (text: string) => void,
  path?: string,
): Promise<void> {
  const source = () => (path === undefined ? new Blob([GREETING]).stream() : fileStream(path));
  const size = path === undefined ? GREETING.length : (await stat(path)).size;
  const name = path === undefined ? "greeting.txt" : basename(path);
  const client = await connect({ ...deployment, user: "Round trip" });
  step("signed in; the custodian has its certificate");
  try {
    await client.microservice.use();
    step("microservice enrolled by a grant: keys made, certificates issued");
    const account = client.account();
    const sealed = await client.documents.seal(source(), account, { name, type: mediaType(name), size });
    step(`sealed ${shown(name)}, ${formatBytes(size)}: data key made in the HSM, ciphertext stored`);
    try {
      const opened = await client.documents.open(sealed.id, {});
      await expectSame(opened.stream, source());
      step("opened and compared, byte for byte");
    } finally {
      await client.documents.remove(sealed.id);
    }
  } finally {
    client.close();
  }
}

async function expectSame(a: ReadableStream<Uint8Array>, b: ReadableStream<Uint8Array>): Promise<void> {
  const [one, other] = [bytesOf(a), bytesOf(b)];
  for (;;) {
    const [x, y] = [await one.take(65536), await other.take(65536)];
    if (Buffer.compare(x, y) !== 0) throw new Error("The opened document differs from what was sealed");
    if (x.length === 0) return;
  }
}

/** Takes a stream in pieces of a given length; shorter at the end, empty after it. */
function bytesOf(stream: ReadableStream<Uint8Array>) {
  const reader = stream.getReader();
  let held = Buffer.alloc(0);
  let ended = false;
  return {
    async take(length: number): Promise<Buffer> {
      const pieces = [held];
      let have = held.length;
      while (have < length && !ended) {
        const { done, value } = await reader.read();
        if (done) ended = true;
        else {
          pieces.push(Buffer.from(value));
          have += value.length;
        }
      }
      const all = pieces.length === 1 ? held : Buffer.concat(pieces);
      held = all.subarray(length);
      return all.subarray(0, length);
    },
  };
}
