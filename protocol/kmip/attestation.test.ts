import { describe, expect, it, vi } from "vitest";
import {
  type Attest,
  createKmipClient,
  decodeRequest,
  encodeResponse,
  item,
  type ResponseHeader,
  type ResponseItem,
} from "./index.ts";

/** When the client sends a message again, with servers of all sorts; with ours: `emulator/hsm/identity/attestation-client.test.ts`. */

const nonce = { nonceId: new Uint8Array([1]), nonceValue: new Uint8Array(8) };
const REQUIRED = { resultStatus: "OperationFailed", resultReason: "AttestationRequired" } as const;
const DONE = { resultStatus: "Success" } as const;

/** A client of a server that gives these answers first, and success for each item then. */
function clientOf(first: Partial<ResponseItem>[], header: Partial<ResponseHeader> = { nonce }) {
  const attest = vi.fn<Attest>(async () => ({
    attestationType: "SAMLAssertion",
    attestationAssertion: new Uint8Array([2]),
  }));
  const shown: unknown[] = [];
  const exchange = async (bytes: Uint8Array) => {
    const { header: asked, items } = decodeRequest(bytes);
    const again = shown.push(asked.authentication?.credential ?? []) > 1;
    const answers = again ? items.map(({ operation }) => ({ operation, ...DONE })) : first;
    const own = { protocolVersion: asked.protocolVersion, timeStamp: new Date(0) };
    return encodeResponse({ header: { ...own, ...(again ? {} : header) }, items: answers as ResponseItem[] });
  };
  return { client: createKmipClient({ exchange, attest }), attest, shown };
}

const activations = [item("Activate", {}), item("Activate", {})] as const;
const activated = (answer: object) => ({ operation: "Activate", ...answer }) as ResponseItem;

describe("a message is sent again with the nonce and the evidence", () => {
  it.each<[string, Partial<ResponseItem>[]]>([
    ["when it was refused as a whole", [REQUIRED]],
    ["when no item was done", [activated(REQUIRED), activated(REQUIRED)]],
    ["when all was undone", [activated({ resultStatus: "OperationUndone" }), activated(REQUIRED)]],
  ])("%s", async (_, first) => {
    const { client, attest, shown } = clientOf(first, { nonce, attestationType: ["SAMLAssertion"] });
    const answers = await client.batch(activations);
    expect(answers.map(({ resultStatus }) => resultStatus)).toEqual(["Success", "Success"]);
    expect(attest).toHaveBeenCalledExactlyOnceWith(nonce, ["SAMLAssertion"]);
    const credentialValue = {
      nonce,
      attestationType: "SAMLAssertion",
      attestationAssertion: new Uint8Array([2]),
    };
    expect(shown).toEqual([[], [{ credentialType: "Attestation", credentialValue }]]);
  });
});

describe("a message is not sent again", () => {
  it.each<[string, Partial<ResponseItem>[], Partial<ResponseHeader>]>([
    ["when an item was done", [activated(DONE), activated(REQUIRED)], { nonce }],
    [
      "when an item will be done",
      [
        activated({ resultStatus: "OperationPending", asynchronousCorrelationValue: new Uint8Array(8) }),
        activated(REQUIRED),
      ],
      { nonce },
    ],
    ["without a nonce", [activated(REQUIRED), activated(REQUIRED)], {}],
    [
      "for another reason",
      [
        activated({ ...REQUIRED, resultReason: "AttestationFailed" }),
        activated({ ...REQUIRED, resultReason: "PermissionDenied" }),
      ],
      { nonce },
    ],
  ])("%s", async (_, first, header) => {
    const { client, attest, shown } = clientOf(first, header);
    const answers = await client.batch(activations);
    expect(answers.map(({ resultReason }) => resultReason)).toEqual(
      first.map(({ resultReason }) => resultReason),
    );
    expect([attest.mock.calls.length, shown.length]).toEqual([0, 1]);
  });
});
