import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  decodeRequest,
  decodeResponse,
  type Encoding,
  encodeRequest,
  encodeResponse,
  type RequestMessage,
  type ResponseMessage,
} from "#protocol/kmip/index.ts";
import { median, progress, type Report } from "../row.ts";
import { AES, VERSION } from "./work.ts";

const CODEC = fileURLToPath(new URL("./pykmip-codec.py", import.meta.url));
/** How long PyKMIP's codec works on each message. */
const SECONDS = 2;

const uniqueIdentifier = "1f6d3c5e-8c1f-4c3f-9f6a-0d6f4b7e2a11";
const request: RequestMessage = {
  header: { protocolVersion: VERSION },
  items: [{ operation: "Create", payload: { objectType: "SymmetricKey", attributes: AES } }],
};
const response: ResponseMessage = {
  header: { protocolVersion: VERSION, timeStamp: new Date(1_795_000_000_000) },
  items: [
    {
      operation: "Get",
      resultStatus: "Success",
      payload: {
        objectType: "SymmetricKey",
        uniqueIdentifier,
        object: {
          symmetricKey: {
            keyBlock: {
              keyFormatType: "Raw",
              keyValue: { keyMaterial: new Uint8Array(32).fill(7) },
              cryptographicAlgorithm: "AES",
              cryptographicLength: 256,
            },
          },
        },
      },
    },
  ],
};

/** A typed Create request, and a typed Get response, from and to bytes. `python` is one that has PyKMIP. */
export async function codec(report: Report, python?: string): Promise<void> {
  const theirs: Record<string, number> = {};
  if (python) {
    progress("codec: PyKMIP");
    const hex = [encodeRequest(request), encodeResponse(response)].map((m) => Buffer.from(m).toString("hex"));
    const { stdout } = await promisify(execFile)(python, [CODEC, String(SECONDS), ...hex]);
    Object.assign(theirs, JSON.parse(stdout));
  }
  progress("codec");
  for (const encoding of ["ttlv", "json", "xml"] satisfies Encoding[]) {
    const requestBytes = encodeRequest(request, encoding);
    const responseBytes = encodeResponse(response, encoding);
    const works: Record<string, () => unknown> = {
      "decode-request": () => decodeRequest(requestBytes, { encoding }),
      "encode-request": () => encodeRequest(request, encoding),
      "decode-response": () => decodeResponse(responseBytes, { encoding }),
      "encode-response": () => encodeResponse(response, encoding),
    };
    for (const [name, work] of Object.entries(works)) {
      const value = rate(work);
      const other = encoding === "ttlv" ? theirs[name] : undefined;
      report({
        id: `kmip/codec/${name}/${encoding}`,
        value,
        unit: "messages/s",
        versus: other === undefined ? null : "pykmip",
        ratio: other === undefined ? null : value / other,
      });
    }
  }
}

function rate(work: () => unknown): number {
  const during = (milliseconds: number) => {
    const began = performance.now();
    let done = 0;
    for (; performance.now() - began < milliseconds; done += 64) for (let i = 0; i < 64; i++) work();
    return (done * 1000) / (performance.now() - began);
  };
  during(200);
  return median([during(300), during(300), during(300)]);
}
